import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { askedSockets, isMountedOver, isSealed, SOCKET_PATHS } from '../../../src/docker/asked-sockets.ts';
import { linkArchive } from '../../../src/docker/entry-archive.ts';
import { tellContainers } from '../../../src/docker/named-things.ts';
import { printSocketNote, readSocketNote, type SocketNote, showSocket } from '../../../src/docker/socket-note.ts';
import type { Json } from '../../../src/ground/json.ts';

const meant = new Set([...SOCKET_PATHS, '/srv/engine.sock']);
const bind = (text: string) => askedSockets({ HostConfig: { Binds: [text] } }, meant).targets;

describe('the socket of the engine is asked for', () => {
  test.each([
    ['/var/run/docker.sock:/var/run/docker.sock', '/var/run/docker.sock'],
    ['/run/docker.sock:/x.sock:ro', '/x.sock'],
    ['//var//run/./docker.sock:/a/../b', '/b'],
    ['/var/lib/../run/docker.sock/:/x', '/x'],
    ['/srv/engine.sock:/x:rshared,z', '/x'],
  ])('by %s', (text, target) => expect(bind(text)).toEqual([target]));

  test.each([
    '/var/run:/x',
    '/var/run/docker.sock',
    'docker.sock:/x',
    '/home/a/docker.sock:/x',
    '/run/docker.sock2:/x',
  ])('not by %s', (text) => expect(bind(text)).toEqual([]));

  test('by a mount, and what else is asked for stays', () => {
    const socket = { Type: 'bind', Source: '/run//docker.sock', Target: '/s' };
    const data = { Type: 'volume', Source: 'data', Target: '/data' };
    const asked = askedSockets(
      { HostConfig: { Binds: ['/run/docker.sock:/t', 'a:/b'], Mounts: [socket, data] } },
      meant,
    );
    expect(asked.targets).toEqual(['/t', '/s']);
    expect(asked.lists).toEqual([
      { path: ['HostConfig', 'Binds'], from: ['/run/docker.sock:/t', 'a:/b'], to: ['a:/b'] },
      { path: ['HostConfig', 'Mounts'], from: [socket, data], to: [data] },
    ]);
    const volume = { Type: 'volume', Source: '/run/docker.sock', Target: '/s' };
    expect(askedSockets({ HostConfig: { Mounts: [volume] } }, meant).targets).toEqual([]);
  });
});

test('a link cannot stand where something is mounted, by either name of /run, or where nothing can be written', () => {
  const over = (hostConfig: object, path: string) => isMountedOver({ HostConfig: { ...hostConfig } }, path);
  expect(over({ Tmpfs: { '/run': '' } }, '/var/run/docker.sock')).toBe(true);
  expect(over({ Tmpfs: { '/var/run/': '' } }, '/run/docker.sock')).toBe(true);
  expect(over({ Binds: ['data:/var/run2'] }, '/var/run/docker.sock')).toBe(false);
  expect(over({ Mounts: [{ Type: 'volume', Target: '/s' }] }, '/s/engine')).toBe(true);
  expect(isMountedOver({ Volumes: { '/var': {} } }, '/var/x.sock')).toBe(true);
  expect(isSealed({ HostConfig: { ReadonlyRootfs: true } })).toBe(true);
  expect(isSealed({ HostConfig: { VolumesFrom: ['other'] } })).toBe(true);
  expect(isSealed({ HostConfig: {} })).toBe(false);
});

describe('what a container with a socket says of it', () => {
  const note: SocketNote = {
    job: `j-${'0'.repeat(20)}`,
    temporary: true,
    nested: false,
    home: 'alice',
    listener: 'ci',
    parent: 'shop',
    owner: { user: 'alice', groups: ['g'], claims: { project_path: 'a/b' }, by: 'peer' },
    group: { label: 'l', value: '7' },
    folder: 'a'.repeat(20),
    linked: ['/var/run/docker.sock'],
    bound: ['/x'],
  };

  test('is read as it was written', () => expect(readSocketNote(printSocketNote(note))).toEqual(note));

  test.each([
    ['nothing', ''],
    ['no JSON', '{'],
    ['another version', JSON.stringify({ ...note, v: 2 })],
    ['a folder that leads elsewhere', JSON.stringify({ ...note, v: 1, folder: '../../../../../etc/a' })],
    ['a path that is none', JSON.stringify({ ...note, v: 1, linked: ['etc'] })],
    ['no owner', JSON.stringify({ ...note, v: 1, owner: null })],
  ])('is not believed where it is %s', (_what, text) => expect(readSocketNote(text)).toBeNull());

  test('is not shown: the client sees the socket that it asked for', () => {
    const label = { 'berthgate.socket': printSocketNote(note) };
    const own = [{ Target: '/run/berthgate' }, { Target: '/x' }];
    const mounts = [{ Destination: '/run/berthgate' }, { Destination: '/x' }, { Destination: '/data' }];
    const shown = showSocket({ Config: { Labels: label }, HostConfig: { Mounts: own }, Mounts: mounts }) as {
      readonly HostConfig: object;
      readonly Mounts: readonly { readonly Destination: string }[];
    };
    expect(shown.HostConfig).toEqual({});
    expect(shown.Mounts.map(({ Destination }) => Destination)).toEqual(['/data', '/var/run/docker.sock', '/x']);
  });

  test.each([
    ['ContainerList', (listed: Json): Json => [listed]],
    ['SystemDataUsage', (listed: Json): Json => ({ Containers: [listed], ContainerUsage: { Items: [listed] } })],
  ])('is shown in no answer of %s', (endpointId, answer) => {
    const listed = {
      Labels: { 'berthgate.socket': printSocketNote(note) },
      Mounts: [{ Destination: '/run/berthgate' }],
    };
    const told = (document: Json): string => JSON.stringify(tellContainers(endpointId, document, showSocket));
    expect(told(answer(listed))).toContain('/var/run/docker.sock');
    expect(told(answer(listed))).not.toContain('/run/berthgate"');
  });
});

test.each(['/var/run/docker.sock', `/${'d/'.repeat(60)}${'n'.repeat(90)}`])('tar reads the link at %s', (path) => {
  const listed = execFileSync('tar', ['--list', '--verbose'], {
    input: linkArchive(path, '/run/berthgate/docker.sock'),
  });
  expect(listed.toString()).toContain(`${path.slice(1)} -> /run/berthgate/docker.sock`);
});

test('a path that no tar can hold is refused', () => {
  expect(() => linkArchive(`/${'n'.repeat(101)}`, '/x')).toThrow(RangeError);
});
