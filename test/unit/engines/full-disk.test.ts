// An engine whose disk is full: what takes room is refused, and all else goes on. The disk is as full as the test says.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { DiskWatch } from '../../../src/cli/serve/disk-watch.ts';
import { openListener, setupOf } from '../../../src/cli/serve/listener-setup.ts';
import { buildkitMethods } from '../../../src/docker/endpoints/buildkit.ts';
import { table } from '../../../src/docker/table.ts';
import { DockerEngine } from '../../../src/engines/docker-engine.ts';
import { EngineDisk } from '../../../src/engines/engine-disk.ts';
import type { Call } from '../../../src/exchange/call.ts';
import { emptyDesk, LiveEngineDesk } from '../../../src/exchange/engine-desk.ts';
import type { Identity } from '../../../src/exchange/identity.ts';
import { asItIs, type InnerCall, serveInner } from '../../../src/exchange/mediation.ts';
import type { CallRecord } from '../../../src/exchange/recorder.ts';
import { roomJudges } from '../../../src/exchange/room-on-disk.ts';
import { Listener } from '../../../src/front/listeners/index.ts';
import type { Log } from '../../../src/operate/signals/index.ts';
import { ReadBuffers } from '../../../src/wire/read-buffers.ts';
import { FakeEngine } from '../../engine/fake-engine.ts';
import { type Ask, ask } from '../../engine/raw-client.ts';

const HIGH = 85;
const silent = { debug: () => {}, info: () => {}, warn: () => {} } as unknown as Log;
const somebody: Identity = { user: 'somebody', groups: [], claims: {}, by: 'test' };
const recorder = { callEnded: () => {}, streamOpened: () => {}, streamClosed: () => {} };
const requests = {
  head: 65_536,
  headers: 200,
  json: 1_000_000,
  depth: 64,
  connections: 100,
  headTimeout: 60_000,
  bodyTimeout: 60_000,
};

/** A listener in front of an engine, and somebody who looks at its disk. */
async function front() {
  const disk = { used: HIGH, turnedFull: 0 };
  const fake = await FakeEngine.start({ tableOnly: true });
  const buffers = new ReadBuffers();
  const readSpace = async () => ({ usedBytes: disk.used, availableBytes: 100 - disk.used });
  const engine = new DockerEngine({ name: 'local', url: { kind: 'unix', path: fake.socket }, buffers, readSpace });
  const setup = setupOf({
    name: 'people',
    requests,
    builds: null,
    tls: undefined,
    authenticators: [{ name: 'all', challenge: null, identify: () => somebody }],
    policies: [],
    engine,
    desk: new LiveEngineDesk(engine),
    namespacing: null,
    help: null,
    recorder,
  });
  const listener = new Listener(setup, buffers, silent);
  const folder = mkdtempSync(join(tmpdir(), 'bg-disk-'));
  const socket = join(folder, 'docker.sock');
  await openListener(listener, {
    url: { kind: 'unix', path: socket },
    access: { mode: 0o600 },
    ready: [],
    log: silent,
  });
  const watch = new DiskWatch({ disks: () => [engine.disk], onFull: () => disk.turnedFull++, log: silent });
  onTestFinished(async () => {
    watch.stop();
    listener.stopAccepting(false);
    listener.destroy();
    engine.close();
    await fake.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await watch.use(HIGH);
  const becomes = async (used: number): Promise<void> => {
    disk.used = used;
    await watch.look();
  };
  /** What the engine was asked of that. */
  const asked = (id: string): number => fake.received.filter(({ endpoint }) => endpoint?.id === id).length;
  return { socket, watch, disk, engine, becomes, asked };
}

const tar: Ask = { headers: { 'Content-Type': 'application/x-tar' }, body: Buffer.alloc(1024) };

test.each<readonly [string, string, string, Ask]>([
  ['a create', 'ContainerCreate', '/v1.43/containers/create?name=web', { body: { Image: 'debian' } }],
  ['a pull', 'ImageCreate', '/v1.43/images/create?fromImage=debian&tag=12', {}],
  ['an import', 'ImageCreate', '/v1.43/images/create?fromSrc=-&repo=mine', tar],
  ['a load', 'ImageLoad', '/v1.43/images/load', tar],
  ['a commit', 'ImageCommit', '/v1.43/commit?container=web&repo=mine', {}],
  ['a build', 'ImageBuild', '/v1.43/build?t=mine', tar],
])('%s is refused while the disk is full, and passes when there is room again', async (_, id, target, said) => {
  const { socket, becomes, asked } = await front();
  await becomes(HIGH);
  expect((await ask(socket, 'POST', target, said)).status).toBeLessThan(300);
  expect(asked(id)).toBe(1);

  await becomes(HIGH + 1);
  const refused = await ask(socket, 'POST', target, said);
  expect([refused.status, refused.header('berthgate-refusal')]).toEqual([507, 'disk-full']);
  expect(refused.json().message).toMatch(/^berthgate: the engine's disk is full.+remove.+ask the administrator\)$/);
  expect(refused.text).not.toContain('/');
  expect(asked(id)).toBe(1);

  await becomes(HIGH);
  expect((await ask(socket, 'POST', target, said)).status).toBeLessThan(300);
  expect(asked(id)).toBe(2);
});

test('a load that holds more than there is room for is ended while it comes, however full the disk was before', async () => {
  const { engine, becomes } = await front();
  const loads = (bytes: { readonly archive: number; readonly contents: number }) => {
    for (const judge of roomJudges(engine)) judge.size?.(bytes);
  };
  await becomes(HIGH - 10);
  expect(engine.disk.roomBytes).toBe(10);
  loads({ archive: 5, contents: 5 });
  expect(() => loads({ archive: 5, contents: 6 })).toThrow(/no room for what the archive holds/);
  expect(() => loads({ archive: 11, contents: 0 })).toThrow(/no room/);
  // What comes is written already when somebody looks again.
  const [judge] = roomJudges(engine);
  await becomes(HIGH - 1);
  judge?.size?.({ archive: 9, contents: 0 });
  await becomes(HIGH + 1);
  expect(() => judge?.size?.({ archive: 1, contents: 0 })).toThrow(/no room/);
});

test('whatever removes, looks or runs goes on while the disk is full', async () => {
  const { socket, becomes } = await front();
  await becomes(100);
  for (const call of [
    'DELETE /v1.43/containers/web?force=1',
    'DELETE /v1.43/images/debian',
    'DELETE /v1.43/volumes/data',
    'DELETE /v1.43/networks/net',
    'POST /v1.43/containers/prune',
    'POST /v1.43/images/prune',
    'POST /v1.43/volumes/prune',
    'POST /v1.43/build/prune',
    'POST /v1.43/containers/web/start',
    'POST /v1.43/containers/web/kill',
    'GET /v1.43/containers/json',
    'GET /v1.43/images/json',
    'GET /v1.43/system/df',
  ]) {
    const [method, target] = call.split(' ') as [string, string];
    expect((await ask(socket, method, target)).status, call).toBeLessThan(300);
  }
});

test('what removes never needs room', () => {
  const filling = [...table, ...buildkitMethods].filter(({ fills }) => fills === true);
  expect(filling.map(({ id }) => id)).toContain('BuildkitSolve');
  for (const { id, method } of filling) {
    expect(method).toBe('POST');
    expect(id).not.toMatch(/Delete|Prune|Remove/);
  }
});

test('a build over a connection of BuildKit is refused as well, and what else goes over it is not', async () => {
  const { engine, becomes } = await front();
  const records: CallRecord[] = [];
  const carried: string[] = [];
  const serve = (id: string): Promise<string | null> => {
    const endpoint = buildkitMethods.find((one) => one.id === id) as InnerCall['endpoint'];
    const inner: InnerCall = {
      endpoint,
      read: async () => ({ headers: {}, body: {}, unknown: [] }),
      carry: async () => {
        carried.push(id);
        return 200;
      },
    };
    return serveInner({ listener: 'people', identity: somebody } as Call, inner, {
      policies: [],
      context: { lookUp: async () => null },
      engine,
      recorder: { ...recorder, callEnded: (record) => void records.push(record) },
      help: null,
      enter: async (call) => asItIs(call),
    });
  };
  await becomes(HIGH + 1);
  expect(await serve('BuildkitSolve')).toContain("the engine's disk is full");
  expect(await serve('BuildkitDiskUsage')).toBeNull();
  expect(records.map(({ status, refusal }) => [status, refusal?.code])).toEqual([
    [507, 'disk-full'],
    [200, undefined],
  ]);
  await becomes(HIGH);
  expect(await serve('BuildkitSolve')).toBeNull();
  expect(carried).toEqual(['BuildkitDiskUsage', 'BuildkitSolve']);
});

test('that it is full is told once, and forgotten with the setting', async () => {
  const { engine, watch, disk, becomes, asked } = await front();
  await becomes(99);
  await becomes(98);
  expect([engine.disk.isFull, disk.turnedFull]).toEqual([true, 1]);
  // Where it keeps its things is not asked each time.
  expect(asked('SystemInfo')).toBe(1);
  await watch.use(null);
  expect(engine.disk.isFull).toBe(false);
  await watch.use(HIGH);
  expect(disk.turnedFull).toBe(2);
});

test('the disk of an engine at another machine, or of one that does not answer, is never full', async () => {
  const folders: string[] = [];
  const read = async (folder: string) => ({ usedBytes: folders.push(folder) + 98, availableBytes: 1 });
  const desk = { ...emptyDesk('far'), ask: async () => ({ DockerRootDir: '/var/lib/docker' }) };
  expect(await new EngineDisk(desk, false, read).used()).toBeNull();
  expect(folders).toEqual([]);
  expect(await new EngineDisk(desk, true, read).used()).toBe(99);
  expect(folders).toEqual(['/var/lib/docker']);
  const dead = { ...desk, ask: () => Promise.reject(new Error('down')) };
  expect(await new EngineDisk(dead, true, read).used()).toBeNull();
  const missing = { ...desk, ask: async () => ({ DockerRootDir: '/no/such/folder' }) };
  expect(await new EngineDisk(missing, true).used()).toBeNull();
  const here = { ...desk, ask: async () => ({ DockerRootDir: '/' }) };
  expect(await new EngineDisk(here, true).used()).toBeGreaterThan(0);
});
