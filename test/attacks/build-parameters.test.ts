// RED-TEAM 38: what a classic build is told beside its files. Each is first built on the engine itself.
import { readlinkSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { ask, type WholeAnswer } from '../engine/raw-client.ts';
import { makeTar } from '../engine/tar.ts';
import { describeGuarded, refusalOf } from './guarded.ts';

/** As the engine sees it, which runs beside the tests. */
const ofTheHost = readlinkSync('/proc/self/ns/net').replace(/[[\]]/g, '\\$&');
const context = makeTar({ Dockerfile: 'FROM busybox\nRUN ulimit -n; cat /etc/hosts; ls -l /proc/self/ns/net\n' });

describeGuarded('conservative', [{ use: 'conservative', ulimits: { nofile: 2048 } }], (guarded) => {
  const { version, own } = guarded;
  const build = (socket: string, query: Readonly<Record<string, string>>): Promise<WholeAnswer> => {
    const parameters = new URLSearchParams({ t: own('built'), nocache: '1', version: '1', ...query });
    const headers = { 'Content-Type': 'application/x-tar' };
    return ask(socket, 'POST', `${version}/build?${parameters}`, { body: context, headers });
  };
  afterAll(async () => {
    await ask(guarded.direct, 'DELETE', `${version}/images/${own('built')}?force=1`);
  });

  const tricks: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
    ["the host's network", { networkmode: 'host' }, new RegExp(ofTheHost)],
    ["the host's own address", { extrahosts: 'host:host-gateway' }, /\d\\thost\\n/],
    ['another cgroup', { cgroupparent: '/system.slice' }, /Successfully built/],
    ['a proxy that is in no key', { buildargs: '{"HTTP_PROXY":"http://127.0.0.1:9"}' }, /Successfully built/],
    ['an exporter', { outputs: '[{"Type":"image","Attrs":{"push":"true"}}]' }, /Successfully built/],
    ['caches of another kind', { cachefrom: '["type=local,src=/etc"]' }, /Successfully built/],
  ];

  test.each(tricks)('38: a build with %s', async (_, query, bites) => {
    expect((await build(guarded.direct, query)).text).toMatch(bites);
    expect(refusalOf(await build(guarded.through, query)).slice(0, 2)).toEqual([403, 'refused']);
  });

  test('38: limits of the kernel are lowered, and the build goes on', async () => {
    const ulimits = '[{"Name":"nofile","Soft":4096,"Hard":4096}]';
    expect((await build(guarded.direct, { ulimits })).text).toContain('4096');
    const lowered = (await build(guarded.through, { ulimits })).text;
    expect(lowered).toContain('2048');
    expect(lowered).toContain('Successfully built');
  });

  test('what ordinary builds say is served', async () => {
    const ordinary = {
      buildargs: '{"VERSION":"1"}',
      labels: '{"a":"b"}',
      shmsize: '67108864',
      extrahosts: 'db:10.1.2.3',
      cachefrom: '["busybox"]',
      networkmode: 'default',
      rm: '1',
      outputs: '[]',
    };
    expect((await build(guarded.through, ordinary)).text).toContain('Successfully built');
  });
});
