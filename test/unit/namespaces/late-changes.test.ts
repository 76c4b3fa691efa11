// The end of a namespace while calls that have come in before it make something yet.

import { expect, test } from 'vitest';
import { BuildAddresses } from '../../../src/exchange/build-addresses.ts';
import { type EngineDesk, emptyDesk } from '../../../src/exchange/engine-desk.ts';
import type { Json, JsonObject } from '../../../src/ground/json.ts';
import { destroyNamespace, engineSide, OneNamespace } from '../../../src/rules/namespaces/index.ts';
import { callOf } from './two-namespaces.ts';

const JOB = `j-${'1'.repeat(20)}`;

/** An engine that takes as long for a network as a test wants. */
function slowEngine() {
  const networks: JsonObject[] = [];
  const seen: string[] = [];
  let make = (): void => {};
  const made = new Promise<void>((resolve) => {
    make = resolve;
  });
  const desk: EngineDesk = {
    ...emptyDesk('engine'),
    ask: async (endpoint): Promise<Json> => {
      seen.push(endpoint);
      return endpoint === 'NetworkList' ? [...networks] : endpoint === 'VolumeList' ? null : [];
    },
    order: async (endpoint, { body } = {}) => {
      seen.push(endpoint);
      if (endpoint === 'NetworkDelete') networks.length = 0;
      if (endpoint !== 'NetworkCreate') return { status: 204, answer: null };
      await made;
      const { Name, Labels } = body as JsonObject;
      networks.push({ Id: 'd'.repeat(64), Name: Name as Json, Labels: Labels as Json });
      return { status: 201, answer: { Id: 'd'.repeat(64) } };
    },
  };
  const side = engineSide(desk, { id: 'test', alone: true, onEnded: () => {} });
  const of = (isOver: () => boolean) =>
    new OneNamespace(JOB, side, {
      builds: { cacheScopeOf: () => JOB, keepsSteps: false, addresses: new BuildAddresses([]) },
      ports: { address: '127.0.0.1', range: { first: 1, last: 2 } },
      images: { gateway: null, shared: [] },
      networks: { pools: [], size: 26, allowed: null, shared: [], routes: async () => [] },
      isOver,
    }).of(create);
  return { side, networks, seen, make, of };
}

const create = callOf('NetworkCreate', { body: { Name: 'late' } });

test('an engine that is long about a network makes it before its job has ended, not after', async () => {
  const { side, networks, seen, make, of } = slowEngine();
  const making = of(() => false).enter(create);
  await expect.poll(() => seen).toContain('NetworkCreate');
  const ended = destroyNamespace(side, JOB, () => {}, new AbortController().signal);
  // It has looked twice, and found nothing: whoever does not wait for the call is done by now.
  await expect.poll(() => seen.filter((one) => one === 'ContainerList').length).toBeGreaterThan(4);
  make();
  await making;
  expect(await ended).toEqual([]);
  expect(networks).toEqual([]);
  expect(seen).toContain('NetworkDelete');
});

test('what was still being judged when its job ended changes nothing', async () => {
  let over = false;
  const { seen, make, of } = slowEngine();
  const namespace = of(() => over);
  make();
  await expect(namespace.enter(create)).resolves.toMatchObject({ answer: { status: 201 } });
  over = true;
  seen.length = 0;
  await expect(namespace.enter(create)).rejects.toThrow('the namespace is being removed');
  expect(seen).toEqual([]);
  await expect(namespace.enter(callOf('NetworkList', {}))).resolves.toBeDefined();
});
