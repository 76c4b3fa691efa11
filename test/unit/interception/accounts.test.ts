import { expect, test, vi } from 'vitest';
import { Accounts } from '../../../src/cache/interception/accounts.ts';
import { type EngineDesk, emptyDesk, type Followed } from '../../../src/exchange/engine-desk.ts';
import type { Json } from '../../../src/ground/json.ts';
import type { CacheAccount } from '../../../src/operate/signals/index.ts';

const HIT = { hit: true, bytes: 100 };
const MISS = { hit: false, bytes: 40 };

/** An engine that has these containers, by id, at these addresses. */
function startEngine(running: Record<string, string>) {
  let tell: Followed | null = null;
  const labels = { 'berthgate.namespace': 'alice', 'berthgate.user': 'alice', 'berthgate.job': '' };
  const networks = (address: string): Json => ({ Networks: { bridge: { NetworkID: 'n', IPAddress: address } } });
  let answering = Promise.resolve();
  const desk: EngineDesk = {
    ...emptyDesk('local'),
    ask: async (endpoint, { parameters = {} } = {}) => {
      if (endpoint === 'ContainerList') {
        return Object.entries(running).map(([id, address]) => ({
          Id: id,
          Names: [`/alice.${id}`],
          Labels: labels,
          NetworkSettings: networks(address),
        }));
      }
      const { id = '' } = parameters;
      const inspection = {
        Id: id,
        Name: `/alice.${id}`,
        Config: { Labels: labels },
        NetworkSettings: networks(running[id] ?? ''),
      };
      await answering;
      return inspection;
    },
    follow: (_endpoint, _question, followed) => {
      tell = followed;
      queueMicrotask(() => followed.onBegin(null));
      return () => {
        tell = null;
      };
    },
  };
  const say = (Action: string, ID: string): void =>
    tell?.onDocument({ Type: 'container', Action, Actor: { ID, Attributes: { name: `alice.${ID}`, ...labels } } });
  return {
    desk,
    running,
    say,
    get isHeard() {
      return tell !== null;
    },
    hold(until: Promise<void>) {
      answering = until;
    },
  };
}

function accountsOf(...engines: readonly { readonly desk: EngineDesk }[]) {
  const told: CacheAccount[] = [];
  const accounts = new Accounts((account) => void told.push(account));
  accounts.watch(engines.map(({ desk }) => desk));
  return { accounts, told };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('what a container has had is told when it ends, and whose it is', async () => {
  const engine = startEngine({ one: '10.0.0.2' });
  const { accounts, told } = accountsOf(engine);
  await settled();
  for (const served of [HIT, HIT, MISS]) accounts.served('::ffff:10.0.0.2', served);
  expect(told).toEqual([]);
  engine.say('die', 'one');
  expect(told).toEqual([
    {
      engine: 'local',
      container: { id: 'one', name: 'alice.one' },
      user: 'alice',
      namespace: 'alice',
      job: null,
      claims: {},
      requests: 3,
      hits: 2,
      bytes: 240,
      hitBytes: 200,
    },
  ]);
});

test('what was asked for before its container was known is its own, and not of the next one at its address', async () => {
  const engine = startEngine({});
  const { accounts, told } = accountsOf(engine);
  await settled();
  engine.running.one = '10.0.0.2';
  engine.say('start', 'one');
  accounts.served('10.0.0.2', HIT);
  await settled();
  engine.say('die', 'one');
  engine.running.two = '10.0.0.2';
  engine.say('start', 'two');
  await settled();
  accounts.served('10.0.0.2', MISS);
  engine.say('die', 'two');
  expect(told.map(({ container, bytes }) => [container.id, bytes])).toEqual([
    ['one', 100],
    ['two', 40],
  ]);
});

test('what a container had that ended before it was known is not given to the next one at its address', async () => {
  const engine = startEngine({});
  const { accounts, told } = accountsOf(engine);
  await settled();
  engine.say('start', 'one');
  accounts.served('10.0.0.2', HIT);
  engine.say('die', 'one');
  engine.running.two = '10.0.0.2';
  engine.say('start', 'two');
  await settled();
  accounts.served('10.0.0.2', MISS);
  engine.say('die', 'two');
  expect(told.map(({ container, bytes }) => [container.id, bytes])).toEqual([['two', 40]]);
});

test('a container that ends while its engine is asked for it is not known for good', async () => {
  const engine = startEngine({ one: '10.0.0.2' });
  let answer = (): void => {};
  engine.hold(
    new Promise((resolve) => {
      answer = resolve;
    }),
  );
  const { accounts, told } = accountsOf();
  accounts.watch([engine.desk]);
  engine.say('start', 'one');
  engine.say('die', 'one');
  answer();
  await settled();
  accounts.served('10.0.0.2', HIT);
  accounts.end();
  expect(told).toEqual([]);
});

test('at the end all is told that runs, and nobody listens any more', async () => {
  const [one, other] = [startEngine({ one: '10.0.0.2' }), startEngine({ idle: '10.0.0.3' })];
  const { accounts, told } = accountsOf(one, other);
  await settled();
  accounts.served('10.0.0.2', HIT);
  accounts.watch([other.desk]);
  expect(told).toMatchObject([{ container: { id: 'one' }, requests: 1 }]);
  expect([one.isHeard, other.isHeard]).toEqual([false, true]);
  accounts.end();
  expect(told).toHaveLength(1);
  expect(other.isHeard).toBe(false);
});

test('a stranger makes it look at what runs, and not each time', async () => {
  const engine = startEngine({});
  const { accounts, told } = accountsOf(engine);
  await settled();
  const ask = vi.spyOn(engine.desk, 'ask');
  engine.running.late = '10.0.0.9';
  accounts.served('10.0.0.9', HIT);
  accounts.served('10.0.0.8', HIT);
  await settled();
  expect(ask).toHaveBeenCalledTimes(1);
  engine.say('die', 'late');
  expect(told).toMatchObject([{ container: { id: 'late' }, hits: 1 }]);
});
