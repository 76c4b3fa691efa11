// Where containers find the cache, and what the firewall of namespaces lets them reach of it.
import { expect, test } from 'vitest';
import { findAddresses, openingsOf } from '../../../src/cli/serve/cache-addresses.ts';
import { emptyDesk } from '../../../src/exchange/engine-desk.ts';
import { parseConfig } from '../../../src/operate/config/index.ts';
import { tableScript } from '../../../src/rules/namespaces/firewall/table.ts';

function configOf(cache: unknown) {
  const engines = [{ name: 'e', url: 'unix:///e' }];
  const listeners = [{ name: 'l', url: 'unix:///l', auth: ['anonymous'], namespace: null, policies: [] }];
  const parsed = parseConfig(JSON.stringify({ engines, listeners, cache }), '/etc/b.yaml');
  if ('faults' in parsed) throw new Error(parsed.faults.join('\n'));
  return parsed.config;
}

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
