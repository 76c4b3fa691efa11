// RED-TEAM 36 and, of 46, `top`: what lies around an engine on its host. Here each trick is shown to have its effect on
// the engine itself: the socket is reached, the host's `ps` is run with the client's words.

import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
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
