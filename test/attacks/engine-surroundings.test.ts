// RED-TEAM 36, 37 and, of 46, `top`: what lies around an engine on its host. Here each trick is shown to have its effect
// on the engine itself: the socket is reached, a plugin hears of it, the host's `ps` is run with the client's words.

import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { TestEngine } from '../engines/index.ts';
import { describeGuarded, type Guarded, refusalOf } from './guarded.ts';

type Body = Readonly<Record<string, unknown>>;

/** Engines that the tests have started themselves: what is around them may be changed. */
const isOurs = ({ socket }: TestEngine): boolean => existsSync(join(dirname(socket), 'docker.pid'));

async function folderOf(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `berthgate-${name}-`));
  await chmod(folder, 0o755);
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A volume and log driver as a third party would have it, known to the engine by a file in its own /etc. */
async function plugin(engine: TestEngine, name: string, mountpoint: string): Promise<readonly string[]> {
  const heard: string[] = [];
  const server = http.createServer((request, response) => {
    heard.push(request.url ?? '');
    request.resume();
    const said: Readonly<Record<string, unknown>> = {
      '/Plugin.Activate': { Implements: ['VolumeDriver', 'LogDriver'] },
      '/VolumeDriver.Mount': { Mountpoint: mountpoint },
      '/VolumeDriver.Path': { Mountpoint: mountpoint },
      '/VolumeDriver.Get': { Volume: { Name: 'any', Mountpoint: mountpoint } },
      '/VolumeDriver.List': { Volumes: [] },
      '/VolumeDriver.Capabilities': { Capabilities: { Scope: 'local' } },
    };
    response.setHeader('Content-Type', 'application/vnd.docker.plugins.v1+json');
    response.end(JSON.stringify(said[request.url ?? ''] ?? {}));
  });
  const socket = join(await folderOf('plugin'), 'plugin.sock');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const pid = readFileSync(join(dirname(engine.socket), 'docker.pid'), 'utf8').trim();
  const specs = `/proc/${pid}/root/etc/docker/plugins`;
  await mkdir(specs, { recursive: true });
  await writeFile(join(specs, `${name}.spec`), `unix://${socket}`);
  onTestFinished(async () => {
    await rm(join(specs, `${name}.spec`), { force: true });
    server.closeAllConnections();
    server.close();
  });
  return heard;
}

describeGuarded(
  'conservative',
  ['conservative'],
  (guarded: Guarded) => {
    const { engine, version, directly, own, make, makeGuarded } = guarded;
    const create = (name: string): string => `${version}/containers/create?name=${own(name)}`;
    const refuse = async (path: string, body: Body): Promise<void> => {
      const [status, code, message] = refusalOf(await guarded.guarded('POST', path, body));
      expect([status, code], message).toEqual([403, 'refused']);
    };
    const outputOf = async (body: Body): Promise<string> => {
      const id = await make({ Tty: true, ...body }, true);
      await directly('POST', `${version}/containers/${id}/wait`);
      return (await directly('GET', `${version}/containers/${id}/logs?stdout=1`)).text;
    };

    const folder = dirname(engine.socket);
    const places = [
      '/',
      ...folder
        .split('/')
        .slice(1)
        .map((_, at, all) => `/${all.slice(0, at + 1).join('/')}`),
      engine.socket,
    ];

    test.each(places)("36: the engine's own socket by %s", async (place) => {
      const rest = engine.socket.slice(place === '/' ? 0 : place.length);
      const Cmd = ['sh', '-c', `test -S /x${rest} && echo reached`];
      const mount = { Type: 'bind', Source: place, Target: '/x' };
      for (const HostConfig of [{ Binds: [`${place}:/x`] }, { Mounts: [mount] }]) {
        expect(await outputOf({ Cmd, HostConfig })).toContain('reached');
        await refuse(create('refused'), { Image: 'busybox', Cmd, HostConfig });
      }
      await refuse(create('refused'), { Image: 'busybox', Cmd, HostConfig: { Binds: [`${place}:/x:ro`] } });
      const DriverOpts = { type: 'none', o: 'bind', device: place };
      await refuse(`${version}/volumes/create`, { Name: own('socket'), DriverOpts });
    });

    test('37: a volume of a plugin is a folder of the host, and a log driver hears what containers say', async () => {
      const secrets = await folderOf('secret');
      await writeFile(join(secrets, 'secret'), 'of the host');
      const name = `plug-${own('p').toLowerCase()}`;
      const heard = await plugin(engine, name, secrets);
      const Cmd = ['cat', '/m/secret'];
      const volume = own('volume');

      const tricks: readonly (readonly [string, Body])[] = [
        [`${version}/volumes/create`, { Name: volume, Driver: name }],
        [create('driver'), { Image: 'busybox', Cmd, HostConfig: { VolumeDriver: name, Binds: [`${own('v2')}:/m`] } }],
        [
          create('mount'),
          {
            Image: 'busybox',
            Cmd,
            HostConfig: {
              Mounts: [
                { Type: 'volume', Source: own('v3'), Target: '/m', VolumeOptions: { DriverConfig: { Name: name } } },
              ],
            },
          },
        ],
        [create('log'), { Image: 'busybox', Cmd: ['true'], HostConfig: { LogConfig: { Type: name } } }],
      ];
      for (const [path, body] of tricks) await refuse(path, body);
      expect(heard).toEqual([]);

      for (const [path, body] of tricks) {
        const answer = await directly('POST', path, body);
        expect(answer.status, answer.text).toBe(201);
      }
      expect(heard).toContain('/Plugin.Activate');
      expect(await outputOf({ Cmd, HostConfig: { Binds: [`${volume}:/m`] } })).toContain('of the host');
      // A volume that a plugin has made is not entered by its name either.
      await refuse(create('refused'), { Image: 'busybox', Cmd, HostConfig: { Binds: [`${volume}:/m`] } });
      for (const one of ['driver', 'mount', 'log'])
        await directly('DELETE', `${version}/containers/${own(one)}?force=1`);
      for (const one of [volume, own('v2'), own('v3')]) await directly('DELETE', `${version}/volumes/${one}?force=1`);
    });

    test("46: the words of `top` reach the host's own ps, which runs as root, only where they are harmless", async () => {
      const told = join(await folderOf('ps'), 'told');
      // What the engine runs is the first `ps` on its path; here it writes down how it was called.
      const program = join(folder, 'bin', 'ps');
      await writeFile(program, `#!/bin/sh\necho "$*" >> ${told}\necho "PID COMMAND"\n`, { mode: 0o755 });
      onTestFinished(() => rm(program, { force: true }));
      const id = await makeGuarded({ Cmd: ['sleep', '600'] }, true);
      const top = (args: string): string => `${version}/containers/${id}/top?ps_args=${encodeURIComponent(args)}`;
      const ran = async (): Promise<string> => (existsSync(told) ? readFile(told, 'utf8') : '');
      for (const args of [
        'auxe',
        '-C dockerd -o pid,args',
        '-p 1 -o pid,environ',
        '-eo pid,args --sort=-pid',
        '-ef\tl',
      ]) {
        const [status, code] = refusalOf(await guarded.guarded('GET', top(args)));
        expect([args, status, code]).toEqual([args, 403, 'refused']);
        expect(await ran()).not.toContain(args.split(' ')[0]);
        await directly('GET', top(args));
        expect(await ran()).toContain(args.replace('\t', ' ').split(' ')[0]);
        await rm(told, { force: true });
      }
      expect((await guarded.guarded('GET', top('-eo pid,comm'))).header('berthgate-refusal')).toBeUndefined();
      expect(await ran()).toContain('-eo pid,comm');
    });
  },
  isOurs,
);
