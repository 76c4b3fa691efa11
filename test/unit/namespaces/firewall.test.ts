// The table of the firewall: what stands in it for which networks and ports, and how it is kept, with a packet filter that
// only notes what it is told.
import { expect, onTestFinished, test } from 'vitest';
import type { DeskQuestion, EngineDesk, Followed } from '../../../src/exchange/engine-desk.ts';
import type { Json } from '../../../src/ground/json.ts';
import { EngineTraffic } from '../../../src/rules/namespaces/firewall/engine-traffic.ts';
import { Firewall, type FirewallOptions } from '../../../src/rules/namespaces/firewall/firewall.ts';
import { changeScript, firewallScript, readList, tableScript } from '../../../src/rules/namespaces/firewall/table.ts';
import { elementsOf, noElements, type Traffic } from '../../../src/rules/namespaces/firewall/traffic.ts';

const bridge = (link: string, namespace: string | null, held = namespace !== null) => ({
  link,
  namespace,
  held,
  apart: false,
});
const port = (namespace: string, address: string, number: number, protocol = 'tcp') => ({
  namespace,
  address,
  protocol,
  port: number,
});
const nothing: Traffic = { bridges: [], speakers: [], ports: [] };

test('networks of one namespace are together, those of two are not', () => {
  const bridges = [bridge('br-a', 'alice'), bridge('br-b', 'bob'), bridge('br-c', 'alice'), bridge('docker0', null)];
  const { held, together, bridges: known } = elementsOf([{ ...nothing, bridges }]);
  expect([...held]).toEqual(['br-a', 'br-b', 'br-c']);
  expect([...known]).toEqual(['br-a', 'br-b', 'br-c', 'docker0']);
  expect([...together].sort()).toEqual(['br-a . br-a', 'br-a . br-c', 'br-b . br-b', 'br-c . br-a', 'br-c . br-c']);
});

test('the same namespace on two engines is two namespaces', () => {
  const one = { ...nothing, bridges: [bridge('br-a', 'alice')], ports: [port('alice', '10.0.0.1', 80)] };
  const other = { ...nothing, bridges: [bridge('br-x', 'alice')], ports: [port('alice', '10.0.0.1', 81)] };
  const { together, own4 } = elementsOf([one, other]);
  expect([...together]).toEqual(['br-a . br-a', 'br-x . br-x']);
  expect([...own4]).toEqual(['br-a . 10.0.0.1 . tcp . 80', 'br-x . 10.0.0.1 . tcp . 81']);
});

test('a published port is within reach of the networks of its namespace, at the address where it is', () => {
  const bridges = [bridge('br-a', 'alice'), bridge('br-c', 'alice'), bridge('br-b', 'bob')];
  const ports = [
    port('alice', '0.0.0.0', 1),
    port('alice', '::', 2, 'udp'),
    port('bob', '10.0.0.1', 3),
    port('bob', '2001:DB8:0::5', 4, 'sctp'),
    port('bob', '127.0.0.1', 5),
    port('bob', 'nonsense', 6),
    port('bob', '10.0.0.1', 7, 'made-up'),
  ];
  const { any4, any6, own4, own6 } = elementsOf([{ ...nothing, bridges, ports }]);
  expect([...any4]).toEqual(['br-a . tcp . 1', 'br-c . tcp . 1']);
  expect([...any6]).toEqual(['br-a . udp . 2', 'br-c . udp . 2']);
  expect([...own4]).toEqual(['br-b . 10.0.0.1 . tcp . 3']);
  expect([...own6]).toEqual(['br-b . 2001:db8::5 . sctp . 4']);
});

test('what a job publishes is within reach of the network that its own container is on', () => {
  const bridges = [bridge('br-a', 'alice'), bridge('br-c', 'alice'), bridge('br-j', 'j-1')];
  const speakers = [{ link: 'br-a', namespace: 'j-1' }];
  const ports = [port('j-1', '10.0.0.1', 80), port('alice', '10.0.0.2', 81)];
  const { own4, together } = elementsOf([{ bridges, speakers, ports }]);
  expect([...own4].sort()).toEqual([
    'br-a . 10.0.0.1 . tcp . 80',
    'br-a . 10.0.0.2 . tcp . 81',
    'br-c . 10.0.0.2 . tcp . 81',
    'br-j . 10.0.0.1 . tcp . 80',
  ]);
  expect([...together]).not.toContain('br-a . br-j');
});

test('what a job publishes is not within reach of a network that namespaces share, though its own container is on it', () => {
  const bridges = [bridge('br-a', 'alice'), bridge('br-s', null, true), bridge('br-j', 'j-1')];
  const speakers = ['br-a', 'br-s'].map((link) => ({ link, namespace: 'j-1' }));
  const { own4 } = elementsOf([{ bridges, speakers, ports: [port('j-1', '10.0.0.1', 80)] }]);
  expect([...own4].sort()).toEqual(['br-a . 10.0.0.1 . tcp . 80', 'br-j . 10.0.0.1 . tcp . 80']);
});

test('what namespaces publish is out of reach of the bridge that steps of builds run on', () => {
  const steps = { ...bridge('docker0', null), apart: true };
  const ports = [port('alice', '0.0.0.0', 1), port('bob', '10.0.0.1', 2), port('j-1', '::', 3)];
  const speakers = [{ link: 'docker0', namespace: 'j-1' }];
  const { apart4, apart6, apartAny4, apartAny6, own4, any4 } = elementsOf([{ bridges: [steps], speakers, ports }]);
  expect([...apartAny4]).toEqual(['docker0 . tcp . 1']);
  expect([...apart4]).toEqual(['docker0 . 10.0.0.1 . tcp . 2']);
  // Whoever has a container there finds what is its own.
  expect([apartAny6.size, apart6.size, own4.size, any4.size]).toEqual([0, 0, 0, 0]);
});

test('what the namespaces of one engine publish is out of reach of the steps on another one, whoever is there', () => {
  const one = { ...nothing, bridges: [{ ...bridge('docker0', null), apart: true }] };
  const speakers = [{ link: 'docker0', namespace: 'alice' }];
  const other = { ...nothing, ports: [port('alice', '10.0.0.1', 1)] };
  expect([...elementsOf([{ ...one, speakers }, other]).apart4]).toEqual(['docker0 . 10.0.0.1 . tcp . 1']);
});

test('a link whose name nft would read in its own way stands in no script', () => {
  const links = ['br*', 'a"b', 'a b', '{x}'];
  const bridges = links.map((link) => bridge(link, 'alice'));
  const speakers = links.map((link) => ({ link, namespace: 'j-1' }));
  expect(elementsOf([{ bridges, speakers, ports: [port('j-1', '10.0.0.1', 80)] }])).toEqual(noElements());
});

test('one network more is one step, whatever there is already', () => {
  const bridges = Array.from({ length: 3000 }, (_, i) => bridge(`br-${i}`, `n${i}`));
  const before = elementsOf([{ ...nothing, bridges }]);
  const after = elementsOf([{ ...nothing, bridges: [...bridges, bridge('br-new', 'new')] }]);
  expect(changeScript(before, after).trim().split('\n')).toEqual([
    'add element inet berthgate held { "br-new" }',
    'add element inet berthgate bridges { "br-new" }',
    'add element inet berthgate together { "br-new" . "br-new" }',
  ]);
  expect(changeScript(after, after)).toBe('');
});

test('what is gone can be taken out also where somebody else has done it', () => {
  const before = elementsOf([{ ...nothing, bridges: [bridge('docker0', null)] }]);
  expect(changeScript(before, noElements()).trim().split('\n')).toEqual([
    'add element inet berthgate bridges { "docker0" }',
    'delete element inet berthgate bridges { "docker0" }',
  ]);
});

test('what is opened stands before what is refused', () => {
  const open = [
    { address: '169.254.1.53', port: 53 },
    { address: '2001:DB8::1', port: 80 },
  ];
  const script = tableScript({ refuse: ['169.254.0.0/16', 'fd00:ec2::254/128'], open });
  const leaving = script.split('\n').filter((line) => line.startsWith('add rule inet berthgate leaving'));
  expect(leaving.map((line) => line.slice('add rule inet berthgate leaving '.length))).toEqual([
    'ip daddr 169.254.1.53 meta l4proto { tcp, udp } th dport 53 accept',
    'ip6 daddr 2001:db8::1 meta l4proto { tcp, udp } th dport 80 accept',
    'ip daddr { 169.254.0.0/16 } counter drop',
    'ip6 daddr { fd00:ec2::254/128 } counter drop',
    'fib daddr type local goto arriving',
  ]);
});

/** A kernel that has our table, with one rule for each text that it was told. */
class NotedFilter {
  scripts: string[] = [];
  links = new Set(['br-aaaaaaaaaaaa', 'br-bbbbbbbbbbbb', 'br-of-others', 'docker0']);
  there = new Map<string, Set<string>>();
  rules: string | null = null;
  fault: Error | null = null;

  async applyScript(script: string): Promise<void> {
    if (this.fault !== null) throw this.fault;
    this.scripts.push(script);
    const rules = script.split('\n').filter((line) => line.startsWith('add rule'));
    if (rules.length > 0) this.rules = rules.join('\n');
    for (const [, verb, set, elements] of script.matchAll(/^(add|delete) element inet berthgate (\S+) \{ (.*) \}$/gm)) {
      const held = this.there.get(set as string) ?? new Set();
      this.there.set(set as string, held);
      for (const one of (elements as string).replaceAll('"', '').split(', ')) held[verb as 'add' | 'delete'](one);
    }
  }

  async listTable(): Promise<string | null> {
    if (this.fault !== null) throw this.fault;
    if (this.rules === null) return null;
    const sets = [...this.there].map(([name, elements]) => ({
      set: { name, elem: [...elements].map((one) => (one.includes(' . ') ? { concat: one.split(' . ') } : one)) },
    }));
    return JSON.stringify({ nftables: [...sets, { rule: { handle: 7, expr: this.rules } }] });
  }

  async linksHere(): Promise<ReadonlySet<string>> {
    return this.links;
  }
}

/** An engine that has what it is given. */
class GivenDesk implements EngineDesk {
  readonly name = 'local';
  networks: Json[] = [];
  containers: Json[] = [];
  private followed: Followed | null = null;

  once<T>(_: string, make: () => T): T {
    return make();
  }

  async ask(endpointId: string, { parameters = {}, query = {} }: DeskQuestion = {}): Promise<Json> {
    const { id } = parameters;
    if (endpointId === 'NetworkInspect') return this.networks.find((one) => (one as { Id: string }).Id === id) ?? null;
    if (endpointId === 'NetworkList') return this.networks;
    const ids = (query.filters as { id?: readonly string[] } | undefined)?.id;
    return this.containers.filter((one) => ids?.includes((one as { Id: string }).Id) ?? true);
  }

  async order() {
    return { status: 500, answer: null };
  }

  follow(_endpointId: string, _question: DeskQuestion, followed: Followed): () => void {
    this.followed = followed;
    queueMicrotask(() => followed.onBegin(null));
    return () => {};
  }

  tell(Type: string, Action: string, ID: string, Attributes: Readonly<Record<string, string>> = {}): void {
    this.followed?.onDocument({ Type, Action, Actor: { ID, Attributes } });
  }
}

const network = (letter: string, Name: string, Labels: Readonly<Record<string, string>> = {}): Json => ({
  Id: letter.repeat(64),
  Name,
  Driver: 'bridge',
  Labels,
  Options: {},
});
const web = (publicPort: number): Json => ({
  Id: 'c'.repeat(64),
  Names: ['/alice.web'],
  Labels: { 'berthgate.namespace': 'alice' },
  Ports: [{ IP: '10.0.0.1', PrivatePort: 80, PublicPort: publicPort, Type: 'tcp' }],
});

function kept(more: Partial<FirewallOptions> = {}) {
  const desk = new GivenDesk();
  desk.networks = [network('a', 'alice.bridge', { 'berthgate.namespace': 'alice' }), network('d', 'bridge')];
  const traffic = new EngineTraffic(desk);
  const filter = new NotedFilter();
  const told: (readonly string[])[] = [];
  const putBack: string[] = [];
  const firewall = new Firewall(
    {
      engines: [traffic],
      heldNames: [],
      required: false,
      openings: async () => ({ refuse: ['169.254.0.0/16'], open: [] }),
      onPutBack: (what) => putBack.push(what),
      onTurn: (missing) => told.push(missing),
      ...more,
    },
    filter,
  );
  onTestFinished(() => firewall.end());
  const held = (): readonly string[] => [...(filter.there.get('held') ?? [])];
  return { desk, traffic, filter, firewall, told, putBack, held };
}

test('what the engine has is in the table, and what it tells of later too', async () => {
  const { desk, filter, firewall, held } = kept();
  firewall.start();
  await expect.poll(held).toEqual(['br-aaaaaaaaaaaa']);
  expect(await firewall.missing()).toEqual([]);
  desk.networks.push(network('b', 'bob.bridge', { 'berthgate.namespace': 'bob' }));
  desk.tell('network', 'create', 'b'.repeat(64), { name: 'bob.bridge' });
  await expect.poll(held).toEqual(['br-aaaaaaaaaaaa', 'br-bbbbbbbbbbbb']);
  desk.containers = [web(8080)];
  desk.tell('container', 'start', 'c'.repeat(64), { name: 'alice.web', 'berthgate.namespace': 'alice' });
  const own = () => [...(filter.there.get('own4') ?? [])];
  await expect.poll(own).toEqual(['br-aaaaaaaaaaaa . 10.0.0.1 . tcp . 8080']);
  desk.containers = [];
  desk.tell('container', 'die', 'c'.repeat(64), { name: 'alice.web', 'berthgate.namespace': 'alice' });
  await expect.poll(own).toEqual([]);
  expect(held()).toEqual(['br-aaaaaaaaaaaa', 'br-bbbbbbbbbbbb']);
});

test('whoever makes a network waits until the table holds for it', async () => {
  const { desk, traffic, firewall, held } = kept();
  firewall.start();
  desk.networks.push(network('b', 'bob.bridge', { 'berthgate.namespace': 'bob' }));
  await traffic.made('b'.repeat(64));
  expect(held()).toContain('br-bbbbbbbbbbbb');
});

test('a label without the name makes nobody an owner, and is held all the same', async () => {
  const { desk, filter, firewall, held } = kept();
  desk.networks = [network('b', 'forged', { 'berthgate.namespace': 'alice' })];
  firewall.start();
  await expect.poll(held).toEqual(['br-bbbbbbbbbbbb']);
  expect([...(filter.there.get('together') ?? [])]).toEqual(['br-bbbbbbbbbbbb . br-bbbbbbbbbbbb']);
});

test('networks of the engine that are named are held too', async () => {
  const { firewall, held } = kept({ heldNames: ['bridge'] });
  firewall.start();
  await expect.poll(held).toEqual(['br-aaaaaaaaaaaa', 'br-dddddddddddd']);
});

test('what belongs to an engine of somebody else on the host stays, and what belongs to nothing goes', async () => {
  const { filter, firewall, held } = kept();
  filter.rules = 'of another version';
  filter.there.set('held', new Set(['br-of-others', 'br-is-gone']));
  firewall.start();
  await expect.poll(held).toEqual(['br-of-others', 'br-aaaaaaaaaaaa']);
});

test('while the packet filter cannot be changed it says so, and again when it can', async () => {
  const { desk, filter, firewall, told, held } = kept();
  filter.fault = new Error('changing the packet filter needs root (CAP_NET_ADMIN)');
  firewall.start();
  await expect.poll(() => told.at(-1)).toEqual(['changing the packet filter needs root (CAP_NET_ADMIN)']);
  filter.fault = null;
  desk.tell('network', 'create', 'a'.repeat(64));
  await expect.poll(held).toEqual(['br-aaaaaaaaaaaa']);
  expect(told.at(-1)).toEqual([]);
});

test('where it is required, no network is made while it is missing', async () => {
  const { desk, filter, firewall, traffic, held } = kept({ required: true });
  expect(() => traffic.beforeNetwork()).not.toThrow();
  filter.fault = new Error('nft is not there');
  firewall.start();
  expect(() => traffic.beforeNetwork()).toThrow(/the firewall that keeps namespaces apart is missing/);
  await expect.poll(() => firewall.missing()).toContain('nft is not there');
  expect(() => traffic.beforeNetwork()).toThrow();
  filter.fault = null;
  desk.tell('network', 'create', 'a'.repeat(64));
  await expect.poll(held).toEqual(['br-aaaaaaaaaaaa']);
  expect(() => traffic.beforeNetwork()).not.toThrow();
});

test('an engine whose bridges are not here is told', async () => {
  const { filter, firewall } = kept();
  filter.links = new Set(['eth0']);
  firewall.start();
  await expect
    .poll(() => firewall.missing())
    .toEqual(['engine local: its bridges are not in the network that Berthgate runs in']);
});

test('before the engine has told what it has, what is there stays untouched, and it says so', async () => {
  const { desk, filter, firewall, told } = kept();
  desk.ask = async () => {
    throw new Error('the engine is not there');
  };
  firewall.start();
  const waiting = ['not applied yet', 'engine local: has not told yet what it has'];
  await expect.poll(() => told.at(-1), { timeout: 20_000 }).toEqual(waiting);
  expect(filter.scripts).toEqual([]);
});

test('rules that somebody took away are put back', async () => {
  const { filter, firewall, putBack, held } = kept();
  firewall.start();
  await expect.poll(held).toEqual(['br-aaaaaaaaaaaa']);
  filter.rules = null;
  filter.there.clear();
  await expect.poll(held, { timeout: 20_000 }).toEqual(['br-aaaaaaaaaaaa']);
  expect(putBack).toEqual(['the table']);
});

test('a script for an empty host has all of it', async () => {
  const filter = new NotedFilter();
  const engines = [{ ...nothing, bridges: [bridge('br-a', 'alice')], ports: [port('alice', '0.0.0.0', 80)] }];
  await filter.applyScript(firewallScript({ refuse: [], open: [] }, engines));
  expect(readList((await filter.listTable()) as string).elements).toEqual(elementsOf(engines));
});
