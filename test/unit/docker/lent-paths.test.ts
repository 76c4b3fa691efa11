import { describe, expect, test } from 'vitest';
import { askedPaths, listsWithout, standingAt } from '../../../src/docker/lent-paths.ts';

const volume = (name: string, at: string, more = {}) => ({
  Type: 'volume',
  Name: name,
  Destination: at,
  RW: true,
  ...more,
});

const caller = {
  HostConfig: {
    Tmpfs: { '/builds/mem': '' },
    Binds: ['work:/builds', '/srv/shared:/shared:ro'],
    Mounts: [{ Type: 'volume', Source: 'part', Target: '/part/', VolumeOptions: { Subpath: 'a/b' } }],
  },
  Mounts: [
    volume('ns.work', '/builds'),
    volume('ns.part', '/part', { RW: false }),
    volume('ns.cache', '/builds/cache'),
    { Type: 'bind', Source: '/srv/shared', Destination: '/shared', RW: false },
  ],
};

describe('what stands at a path of a container', () => {
  test.each([
    ['/builds', { on: 'volume', volume: 'ns.work', subpath: '', below: '', mountedAt: '/builds', writable: true }],
    ['/builds/a/b', { on: 'volume', volume: 'ns.work', subpath: 'a/b', below: 'a/b' }],
    ['/builds/cache/x', { on: 'volume', volume: 'ns.cache', subpath: 'x', mountedAt: '/builds/cache' }],
    ['/part', { on: 'volume', volume: 'ns.part', subpath: 'a/b', below: '', writable: false }],
    ['/part/c', { on: 'volume', volume: 'ns.part', subpath: 'a/b/c', below: 'c' }],
    ['/shared', { on: 'host', path: '/srv/shared', below: '', writable: false }],
    ['/shared/x', { on: 'host', below: 'x' }],
    ['/builds/mem/x', { on: 'memory' }],
    ['/builds2', { on: 'layer' }],
    ['/', { on: 'layer' }],
  ])('%s', (path, standing) => expect(standingAt(caller, path)).toMatchObject(standing));

  test('is not known of what another container has lent', () => {
    const lent = { HostConfig: { VolumesFrom: ['other'] }, Mounts: [volume('ns.v', '/v')] };
    expect(standingAt(lent, '/v/x')).toEqual({ on: 'lent' });
    const named = { ...lent, HostConfig: { ...lent.HostConfig, Binds: ['v:/v'] } };
    expect(standingAt(named, '/v/x')).toMatchObject({ on: 'volume' });
  });
});

test('every path of a create is found, and nothing else', () => {
  const body = {
    HostConfig: {
      Binds: ['data:/data', '/a/./b/../c:/x:ro,z', '/a:/y:rshared', '/only'],
      Mounts: [
        { Type: 'volume', Source: '/a', Target: '/v' },
        { Type: 'bind', Source: '/m', Target: '/m', BindOptions: { Propagation: 'rslave' } },
      ],
    },
  };
  const asked = askedPaths(body);
  expect(asked.map(({ source, readOnly, beyond }) => [source, readOnly, beyond])).toEqual([
    ['/a/c', true, ''],
    ['/a', false, 'rshared'],
    ['/m', false, 'rslave'],
  ]);
  expect(listsWithout(body, asked).map(({ to }) => to)).toEqual([['data:/data', '/only'], [body.HostConfig.Mounts[0]]]);
});
