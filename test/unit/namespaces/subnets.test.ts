import { describe, expect, test } from 'vitest';
import { gatewaysOf, unsaidFamilies } from '../../../src/docker/subnets.ts';
import { emptyDesk } from '../../../src/exchange/engine-desk.ts';
import { type IpNetwork, readIpNetwork } from '../../../src/ground/ip-network.ts';
import type { NetworkSettings } from '../../../src/rules/namespaces/engine-side.ts';
import { readIpv4Route, readIpv6Route } from '../../../src/rules/namespaces/host-routes.ts';
import { Subnets } from '../../../src/rules/namespaces/subnets.ts';

const network = (text: string): IpNetwork => readIpNetwork(text) as IpNetwork;

/** An engine whose networks have these subnets. */
const desk = (taken: readonly string[]) => ({
  ...emptyDesk('engine'),
  ask: async () => taken.map((Subnet) => ({ IPAM: { Config: [{ Subnet }] } })),
});

const settings = (pools: readonly string[], routes: readonly string[] = []): NetworkSettings => ({
  pools: pools.map(network),
  size: 26,
  allowed: null,
  shared: [],
  routes: async () => routes.map(network),
});

async function chosen(subnets: Subnets, wanted: NetworkSettings, families: readonly (4 | 6)[] = [4]) {
  return (await subnets.choose(families, wanted)).map(({ subnet, gateway }) => `${subnet} ${gateway}`);
}

describe('subnets', () => {
  test('are the first that are free, and never given twice', async () => {
    const pool = settings(['10.128.0.0/24']);
    const subnets = new Subnets(desk(['10.128.0.0/26', '172.17.0.0/16']));
    expect(await Promise.all([chosen(subnets, pool), chosen(subnets, pool), chosen(subnets, pool)])).toEqual([
      ['10.128.0.64/26 10.128.0.65'],
      ['10.128.0.128/26 10.128.0.129'],
      ['10.128.0.192/26 10.128.0.193'],
    ]);
    await expect(chosen(subnets, pool)).rejects.toThrow(/no addresses are left/);
  });

  test('go around what lies across them', async () => {
    const pool = settings(['10.128.0.0/24']);
    expect(await chosen(new Subnets(desk(['10.128.0.32/27'])), pool)).toEqual(['10.128.0.64/26 10.128.0.65']);
    await expect(chosen(new Subnets(desk(['10.0.0.0/8'])), pool)).rejects.toThrow(/no addresses/);
  });

  test('are enough for thousands of networks, and come out of the next pool when one is used up', async () => {
    const made: string[] = [];
    const subnets = new Subnets(desk([]));
    const wanted = settings(['10.128.0.0/17', '10.160.0.0/17']);
    for (let i = 0; i < 1024; i++) made.push(...(await chosen(subnets, wanted)));
    expect(new Set(made).size).toBe(1024);
    expect(made[512]).toBe('10.160.0.0/26 10.160.0.1');
    await expect(chosen(subnets, wanted)).rejects.toThrow(/no addresses/);
  });

  test('leave out what the host sends elsewhere, but not a pool that is a part of it', async () => {
    const routes = ['10.0.0.0/8', '10.128.0.0/25', 'fd00:1::/64'];
    expect(await chosen(new Subnets(desk([])), settings(['10.128.0.0/24'], routes))).toEqual([
      '10.128.0.128/26 10.128.0.129',
    ]);
  });

  test('of IPv6 are a /64 of a pool that there is', async () => {
    const both = settings(['10.128.0.0/24', 'fd00:1::/56']);
    expect(await chosen(new Subnets(desk(['fd00:1::/64'])), both, [4, 6])).toEqual([
      '10.128.0.0/26 10.128.0.1',
      'fd00:1:0:1::/64 fd00:1:0:1::1',
    ]);
    expect(await chosen(new Subnets(desk([])), settings(['10.128.0.0/24']), [4, 6])).toEqual([
      '10.128.0.0/26 10.128.0.1',
    ]);
  });
});

test('routes are read as Linux writes them', () => {
  // As of a machine of the little-endian kind, which all are that engines run on but a few.
  const fields = 'docker0 0000600A 00000000 0001 0 0 0 00FFFFFF 0 0 0'.split(' ');
  expect(['10.96.0.0/24', '0.0.96.10/24']).toContain(readIpv4Route(fields));
  expect(readIpv4Route('Iface Destination Gateway'.split(' '))).toBeNull();
  expect(readIpv6Route('fd000001000000000000000000000000 40 00000000'.split(' '))).toBe(
    'fd00:0001:0000:0000:0000:0000:0000:0000/64',
  );
});

describe('a create of a network', () => {
  test.each([
    ['nothing of addresses', {}, [4]],
    ['an empty configuration, as Compose does', { IPAM: { Config: [{}] } }, [4]],
    ['a subnet', { IPAM: { Config: [{ Subnet: '172.20.0.0/16' }] } }, []],
    ['that it wants IPv6', { EnableIPv6: true }, [4, 6]],
    ['a subnet of IPv6 alone', { EnableIPv6: true, IPAM: { Config: [{ Subnet: 'fd00::/64' }] } }, [4]],
    ['that it wants no IPv4', { EnableIPv4: false, EnableIPv6: true }, [6]],
    ['another driver', { Driver: 'macvlan' }, []],
    ['where its settings are', { ConfigFrom: { Network: 'settings' } }, []],
    ['a gateway of no subnet', { IPAM: { Config: [{ Gateway: '172.20.0.1' }] } }, []],
  ])('that says %s gets the addresses that it lacks', (_, body, families) => {
    expect(unsaidFamilies(body)).toEqual(families);
  });
});

test.each([
  ['as it is told', { Subnet: '10.1.0.0/24', Gateway: '10.1.0.9' }, '10.1.0.9'],
  ['with a prefix', { Subnet: '10.1.0.0/24', Gateway: '10.1.0.9/24' }, '10.1.0.9'],
  ['the first of the subnet', { Subnet: '10.1.0.0/24' }, '10.1.0.1'],
  ['unknown within a range', { Subnet: '10.1.0.0/24', IPRange: '10.1.0.128/25' }, null],
])('the address of a bridge at the host is %s', (_, config, gateway) => {
  expect(gatewaysOf({ Driver: 'bridge', IPAM: { Config: [config] } }).ipv4).toBe(gateway);
  expect(gatewaysOf({ Driver: 'macvlan', IPAM: { Config: [config] } }).ipv4).toBeNull();
});
