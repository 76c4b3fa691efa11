// Creates that take over the volumes of a container that has a socket of its own.

import { expect, test } from 'vitest';
import { printSocketNote } from '../../../src/docker/socket-note.ts';
import { emptyDesk } from '../../../src/exchange/engine-desk.ts';
import type { Json, JsonObject } from '../../../src/ground/json.ts';
import { ownVolumesFrom } from '../../../src/rules/policies/own-volumes-from.ts';
import { callOf, contextOf } from './judging.ts';

const SOCKET = '/var/run/docker.sock';
const note = printSocketNote({
  job: `j-${'1'.repeat(20)}`,
  temporary: true,
  nested: false,
  listener: 'ci',
  parent: 'ci',
  home: 'ci',
  owner: { user: 'ci', groups: [], claims: {}, by: 'peer' },
  group: null,
  folder: 'a'.repeat(20),
  linked: [SOCKET],
  bound: [],
});
const own = { Type: 'bind', Source: '/state/jobs/a', Destination: '/run/berthgate', RW: false };
const volume = { Type: 'volume', Name: 'data', Destination: '/data', RW: true };

async function judged(
  version: string,
  mounts: readonly JsonObject[],
  hostConfig: JsonObject = {},
  taken = 'holder:ro',
): Promise<Json> {
  const holder = { Id: 'h', Config: { Labels: { 'berthgate.socket': note } }, Mounts: [own, ...mounts] };
  const body = { Image: 'busybox', HostConfig: { VolumesFrom: [taken] } };
  const call = callOf({ path: `/v${version}/containers/create`, body });
  const known = { 'ContainerInspect holder': { ...holder, HostConfig: hostConfig } };
  const verdict = await ownVolumesFrom(emptyDesk('engine')).judge(call, contextOf(known));
  expect(verdict.call.sockets).toEqual([SOCKET]);
  return verdict.call.body;
}

test('they get its volumes, as it has them or less, and a socket of their own', async () => {
  const mounted = [{ Type: 'volume', Source: 'data', Target: '/data', ReadOnly: true }];
  expect(await judged('1.44', [volume])).toMatchObject({ HostConfig: { VolumesFrom: [], Mounts: mounted } });
});

test('what of it cannot be said by itself is refused: the engine would lend its socket too', async () => {
  const path = { Type: 'bind', Source: '/srv', Destination: '/srv', RW: true };
  await expect(judged('1.51', [volume, path])).rejects.toThrow('a container with a socket has at /srv');
  const part = { Mounts: [{ Type: 'volume', Target: '/data', VolumeOptions: { Subpath: 'part' } }] };
  await expect(judged('1.44', [volume], part)).rejects.toThrow('a container with a socket has at /data');
  const [mounted] = [{ Type: 'volume', Source: 'data', VolumeOptions: { Subpath: 'part' } }];
  expect(await judged('1.45', [volume], part)).toMatchObject({ HostConfig: { VolumesFrom: [], Mounts: [mounted] } });
});

test.each(['holder:z', '/holder:ro,Z', 'holder:ro:z', 'holder:new'])(
  '%s of a container with a socket is refused: the engine would lend the socket with the volumes',
  async (taken) => {
    await expect(judged('1.51', [volume], {}, taken)).rejects.toThrow(
      /must not ask for .* of a container with a socket/,
    );
  },
);

test('what else is asked of a container without a socket is for the engine and the policies to judge', async () => {
  const body = { Image: 'busybox', HostConfig: { VolumesFrom: ['other:z'] } };
  const known = { 'ContainerInspect other': { Id: 'o', Config: { Labels: {} }, Mounts: [volume] } };
  const call = callOf({ path: '/containers/create', body });
  const verdict = await ownVolumesFrom(emptyDesk('engine')).judge(call, contextOf(known));
  expect([verdict.rule, verdict.call]).toEqual(['no-socket', call]);
});
