// Where containers find the cache, and what the firewall of namespaces lets them reach of it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Cache } from '../../../src/cli/serve/cache.ts';
import { findAddresses, openingsOf } from '../../../src/cli/serve/cache-addresses.ts';
import { Standby } from '../../../src/cli/serve/standby.ts';
import type { Engine } from '../../../src/exchange/engine.ts';
import { emptyDesk } from '../../../src/exchange/engine-desk.ts';
import { type LoadedConfig, parseConfig } from '../../../src/operate/config/index.ts';
import type { Log } from '../../../src/operate/signals/index.ts';
import { tableScript } from '../../../src/rules/namespaces/firewall/table.ts';
import { judgeBy } from '../policies/judging.ts';

function loadedOf(cache: unknown, state = '/var/lib/berthgate') {
  const engines = [{ name: 'e', url: 'unix:///e' }];
  const listeners = [{ name: 'l', url: 'unix:///l', auth: ['anonymous'], namespace: null, policies: [] }];
  const parsed = parseConfig(JSON.stringify({ state, engines, listeners, cache }), '/etc/b.yaml');
  if ('faults' in parsed) throw new Error(parsed.faults.join('\n'));
  return parsed;
}

const configOf = (cache: unknown) => loadedOf(cache).config;

const bridge = (...gateways: readonly string[]) => ({
  ...emptyDesk('e'),
  ask: async () => ({ Driver: 'bridge', IPAM: { Config: gateways.map((Gateway) => ({ Gateway })) } }),
});

test('without a word it is at the addresses of the bridges of the engines, of both families', async () => {
  const desks = [bridge('172.17.0.1', 'fd00::1'), bridge('172.18.0.1'), bridge('172.17.0.1')];
  const found = await findAddresses(configOf({ passAddress: ['192.0.2.2'] }), desks);
  expect(found).toEqual({ address: ['172.17.0.1', 'fd00::1', '172.18.0.1'], passAddress: ['192.0.2.2'] });
});

test('where no engine has a bridge, that is told, and nobody is pointed anywhere', async () => {
  await expect(findAddresses(configOf({}), [emptyDesk('e')])).rejects.toThrow('say cache.address');
  await expect(findAddresses(configOf({}), [])).rejects.toThrow('no listener has `cache: true`');
  const said = await findAddresses(configOf({ address: ['192.0.2.1'] }), [emptyDesk('e')]);
  expect(said.address).toEqual(['192.0.2.1']);
});

test('containers of namespaces reach its ports at these addresses, and no others by it', () => {
  const open = openingsOf({ address: ['172.17.0.1'], passAddress: ['fd00::2'] });
  expect(open).toEqual([
    { address: '172.17.0.1', port: 80 },
    { address: '172.17.0.1', port: 443 },
    { address: 'fd00::2', port: 80 },
    { address: 'fd00::2', port: 443 },
  ]);
  const script = tableScript({ refuse: [], open });
  expect(script).toMatch(/arriving ip daddr 172\.17\.0\.1 .* dport 443 accept/);
  expect(script).toMatch(/arriving ip6 daddr fd00::2 .* dport 80 accept/);
  expect(tableScript({ refuse: [], open: [] })).not.toContain('dport 443');
});

// As root, for the ports.
test.runIf(process.getuid?.() === 0)('who makes a container before that is known waits for it', async () => {
  const state = mkdtempSync(join(tmpdir(), 'berthgate-cache-'));
  let tell = (): void => {};
  const asked = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const desk = {
    ...emptyDesk('e'),
    ask: () => asked.then(() => ({ Driver: 'bridge', IPAM: { Config: [{ Gateway: '127.60.7.1' }] } })),
  };
  const log = { isLevelEnabled: () => false, debug() {}, info() {}, warn() {}, error() {} } as unknown as Log;
  const cache = new Cache(
    log,
    new Standby(log, null, null),
    () => null,
    () => {},
  );
  onTestFinished(async () => {
    await cache.end();
    rmSync(state, { recursive: true });
  });
  const hosts = [{ host: 'archive.example.org', tls: 'pass' }];
  const { commit } = cache.prepare(loadedOf({ hosts }, state) as LoadedConfig, () => []);
  const policy = cache.policyFor({} as Engine, desk, state);
  const create = async () => {
    const { call } = await judgeBy(policy, { path: '/containers/create', body: { Image: 'busybox' } });
    return (call.body as { HostConfig?: { ExtraHosts?: unknown } }).HostConfig?.ExtraHosts;
  };
  const before = create();
  const committed = commit([desk]);
  const meanwhile = create();
  // What is no container's is not kept waiting.
  await judgeBy(policy, { method: 'GET', path: '/containers/json' });
  tell();
  await committed;
  expect(await Promise.all([before, meanwhile, create()])).toEqual(Array(3).fill(['archive.example.org:127.60.7.1']));
});
