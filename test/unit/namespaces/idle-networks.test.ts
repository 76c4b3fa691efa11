// When the default network of a namespace goes, seen from an engine that has one container beside it.

import { describe, expect, test } from 'vitest';
import { BuildAddresses } from '../../../src/exchange/build-addresses.ts';
import { type EngineDesk, emptyDesk } from '../../../src/exchange/engine-desk.ts';
import type { Json } from '../../../src/ground/json.ts';
import { engineSide } from '../../../src/rules/namespaces/index.ts';
import { OwnNetwork, removeIdleNetworks } from '../../../src/rules/namespaces/own-network.ts';

const labels = { 'berthgate.namespace': 'nsa' };
const bridge = { Id: 'd'.repeat(64), Name: 'nsa.bridge', Labels: labels };

interface Engine {
  readonly desk: EngineDesk;
  readonly orders: string[];
  /** Ends the remove of the network that has begun. */
  removed: () => void;
}

function engineWith(container: Readonly<Record<string, Json>>): Engine {
  const engine: Engine = { orders: [], removed: () => {}, desk: emptyDesk('engine') };
  let isThere = true;
  const desk: EngineDesk = {
    ...emptyDesk('engine'),
    ask: async (endpoint) => {
      if (endpoint === 'NetworkList') return isThere ? [bridge] : [];
      if (endpoint === 'ContainerList') return [{ Id: 'c'.repeat(64), Names: ['/nsa.web'], ...container }];
      return null;
    },
    order: async (endpoint) => {
      engine.orders.push(endpoint);
      if (endpoint === 'NetworkCreate') return { status: 201, answer: { Id: 'e'.repeat(64) } };
      await new Promise<void>((resolve) => {
        engine.removed = resolve;
      });
      isThere = false;
      return { status: 204, answer: null };
    },
  };
  return Object.assign(engine, { desk });
}

async function sideOf({ desk }: Engine) {
  const side = engineSide(desk, { id: 'test', alone: true, onEnded: () => {} });
  await side.directory.all('nsa', 'network');
  return side;
}

describe('the default network of a namespace', () => {
  test.each([
    ['is on it', { Labels: labels, HostConfig: { NetworkMode: 'nsa.bridge' } }],
    ['has its ports at an address of it', { Labels: { ...labels, 'berthgate.ports': 'default' } }],
  ])('stays as long as a container %s', async (_, container) => {
    const engine = engineWith(container);
    await removeIdleNetworks(await sideOf(engine), 0);
    expect(engine.orders).toEqual([]);
  });

  test('of a namespace that has ended is not remembered', async () => {
    const side = await sideOf(engineWith({ Labels: labels, HostConfig: { NetworkMode: 'nsa.bridge' } }));
    side.networkNeededAtMs.set('j-ended', Date.now() - 60_000).set('j-lives', Date.now() + 60_000);
    await removeIdleNetworks(side);
    expect([...side.networkNeededAtMs.keys()]).toEqual(['j-lives']);
  });

  test('goes where no container needs it, and whoever comes meanwhile gets another one', async () => {
    const engine = engineWith({ Labels: { ...labels, 'berthgate.ports': '' }, HostConfig: { NetworkMode: 'none' } });
    const side = await sideOf(engine);
    const networks = { pools: [], size: 26, allowed: null, shared: [], routes: async () => [] };
    side.subnets.choose = async () => [];
    const network = new OwnNetwork('nsa', side, {
      builds: { cacheScopeOf: () => 'nsa', keepsSteps: true, addresses: new BuildAddresses([]) },
      ports: { address: '127.0.0.1', range: { first: 1, last: 2 } },
      images: { gateway: null, shared: [] },
      networks,
    });
    const removing = removeIdleNetworks(side, 0);
    while (engine.orders.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const needed = network.need();
    engine.removed();
    expect((await needed).id).toBe('e'.repeat(64));
    await removing;
    expect(engine.orders).toEqual(['NetworkDelete', 'NetworkCreate']);
    // It counts as needed from then on.
    expect(side.networkNeededAtMs.has('nsa')).toBe(true);
  });
});
