// CVE-2024-21626: a program that begins in /proc/self/fd/N is where a descriptor leads that the runtime left open, which
// was the host's root. Runtimes are mended; whoever begins there has nothing else in mind. Each is first taken on the engine.
import { expect, test } from 'vitest';
import { ask } from '../engine/raw-client.ts';
import { describeGuarded, refusalOf } from './guarded.ts';

describeGuarded('conservative', ['conservative'], (guarded) => {
  const { version, directly, own, make, makeGuarded } = guarded;
  const create = (name: string): string => `${version}/containers/create?name=${own(name)}`;

  async function told(id: string): Promise<string> {
    const started = await directly('POST', `${version}/containers/${id}/start`);
    if (started.status !== 204) return started.text;
    await directly('POST', `${version}/containers/${id}/wait`);
    return (await directly('GET', `${version}/containers/${id}/logs?stdout=1&stderr=1`)).text.trim();
  }

  test.each(['/proc', '//proc/./sys/..', '/tmp/../proc', '/sys/kernel'])(
    '31: a container that begins in %s',
    async (WorkingDir) => {
      expect(await told(await make({ Tty: true, Cmd: ['pwd'], WorkingDir }))).toMatch(/^\/(proc|sys)/);
      const refused = refusalOf(await guarded.guarded('POST', create('refused'), { Image: 'busybox', WorkingDir }));
      expect(refused).toEqual([403, 'refused', expect.stringContaining('WorkingDir must not be ')]);
      expect((await directly('GET', `${version}/containers/${own('refused')}/json`)).status).toBe(404);
    },
  );

  test('31: a command in a running container that begins there', async () => {
    const id = await makeGuarded({ Cmd: ['sleep', '600'] }, true);
    const exec = `${version}/containers/${id}/exec`;
    for (const WorkingDir of ['/proc/self/fd', '/proc/self/fd/8/../../../..', '/dev/fd', '/dev/fd/8']) {
      expect((await directly('POST', exec, { Cmd: ['pwd'], WorkingDir })).status).toBe(201);
      const refused = refusalOf(await guarded.guarded('POST', exec, { Cmd: ['pwd'], WorkingDir }));
      expect(refused, WorkingDir).toEqual([403, 'refused', expect.stringContaining('WorkingDir must not be ')]);
    }
  });

  test('31: an image that says so is not run', async () => {
    const image = `${own('image')}:1`;
    const changes = encodeURIComponent('WORKDIR /proc/self');
    const from = await make({});
    const committed = `${version}/commit?container=${from}&repo=${own('image')}&tag=1&changes=${changes}`;
    expect((await directly('POST', committed)).status).toBe(201);
    try {
      expect(await told(await make({ Image: image, Tty: true, Cmd: ['pwd'] }))).toMatch(/^\/proc/);
      const id = await makeGuarded({ Image: image, Cmd: ['pwd'] });
      const refused = refusalOf(await guarded.guarded('POST', `${version}/containers/${id}/start`));
      expect(refused).toEqual([403, 'refused', expect.stringContaining('made with WorkingDir')]);
      // What the client says itself counts instead.
      await makeGuarded({ Image: image, Cmd: ['pwd'], WorkingDir: '/tmp' }, true);
    } finally {
      await ask(guarded.direct, 'DELETE', `${version}/images/${image}?force=1`);
    }
  });

  test.each(['', '/', '/src', '/process/../sysroot', '/builds/group/project/proc', '/dev/shm'])(
    'a container that begins in %j is served',
    async (WorkingDir) => {
      const id = await makeGuarded({ Cmd: ['sleep', '600'], WorkingDir }, true);
      const exec = await guarded.guarded('POST', `${version}/containers/${id}/exec`, { Cmd: ['true'], WorkingDir });
      expect(exec.status, exec.text).toBe(201);
    },
  );
});
