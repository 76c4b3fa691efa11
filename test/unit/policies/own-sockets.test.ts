import { describe, expect, test } from 'vitest';
import { table } from '../../../src/docker/table.ts';
import type { Call } from '../../../src/exchange/call.ts';
import type { Verdict } from '../../../src/exchange/policy.ts';
import type { JsonObject } from '../../../src/ground/json.ts';
import { ownSockets } from '../../../src/rules/policies/own-sockets.ts';

const endpoint = table.find(({ id }) => id === 'ContainerCreate');
const context = { lookUp: async () => null };

function judge(body: JsonObject, extent: 'requested' | 'every' = 'requested'): Verdict {
  return ownSockets({ for: extent, paths: ['/run/berthgate/ci.sock'] }).judge(
    { endpoint, body } as unknown as Call,
    context,
  ) as Verdict;
}

const ryuk = {
  Image: 'testcontainers/ryuk:0.11.0',
  Labels: { 'org.testcontainers.ryuk': 'true' },
  HostConfig: { Privileged: true, Binds: ['/var/run/docker.sock:/var/run/docker.sock:rw'], AutoRemove: true },
};

describe('a create that asks for the socket of the engine', () => {
  test('loses it, and says where it is to have one of its own', () => {
    const { call, changes } = judge({ HostConfig: { Binds: ['data:/d', '/run/berthgate/ci.sock:/s'] } });
    expect(call.sockets).toEqual(['/s']);
    expect(call.body).toEqual({ HostConfig: { Binds: ['data:/d'] } });
    expect(changes.map(({ given }) => given)).toEqual([['HostConfig', 'Binds']]);
  });

  test('loses it among its volumes too, where docker-py says every target of a bind', () => {
    const HostConfig = { Binds: ['/var/run/docker.sock:/var/run/docker.sock:rw', 'data:/d:rw'] };
    const { call, changes } = judge({ HostConfig, Volumes: { '/var/run/docker.sock': {}, '/d': {} } });
    expect(call.body).toEqual({ HostConfig: { Binds: ['data:/d:rw'] }, Volumes: { '/d': {} } });
    expect(changes.map(({ place }) => place)).toEqual(['HostConfig.Binds', 'Volumes']);
    // What is no target of the socket's is judged as what it is.
    const other = judge({ HostConfig, Volumes: { '/var/run': {} } });
    expect(other.call.body).toMatchObject({ Volumes: { '/var/run': {} } });
  });

  test('needs no privilege where it is the reaper of Testcontainers, which goes on seeing that it has it', () => {
    const { call, changes } = judge(ryuk);
    expect(call.sockets).toEqual(['/var/run/docker.sock']);
    expect((call.body as typeof ryuk).HostConfig).toMatchObject({ Privileged: false, AutoRemove: true, Binds: [] });
    expect(changes.map(({ given, from }) => [given, from])).toContainEqual([['HostConfig', 'Privileged'], true]);
    // Whoever else asks for it is judged by the policies.
    const other = judge({ ...ryuk, Image: 'busybox', Labels: {} });
    expect((other.call.body as typeof ryuk).HostConfig.Privileged).toBe(true);
    const unasked = judge({ ...ryuk, HostConfig: { Privileged: true } });
    expect((unasked.call.body as typeof ryuk).HostConfig.Privileged).toBe(true);
  });

  test('is every one where the listener says so, but where something else is mounted there', () => {
    expect(judge({ Image: 'busybox' }, 'every').call.sockets).toEqual(['/var/run/docker.sock']);
    expect(judge({ HostConfig: { Binds: ['/run/docker.sock:/x'] } }, 'every').call.sockets).toEqual(['/x']);
    expect(judge({ HostConfig: { Tmpfs: { '/run': '' } } }, 'every').call.sockets).toBeUndefined();
    expect(judge({ Image: 'busybox' }).call.sockets).toBeUndefined();
  });
});
