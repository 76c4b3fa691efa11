// Sockets of containers that a process has from the one before it.

import { expect, test } from 'vitest';
import { KeptSockets } from '../../../src/cli/serve/kept-sockets.ts';

test('a socket of a container that was handed over waits for the engine to say who needs it, when all others are served', () => {
  const kept = new KeptSockets(null, new Map());
  const folder = 'a'.repeat(20);
  const handedOver = new Map([
    [kept.nameOf(folder), [1001]],
    ['unix:///run/berthgate/people.sock', [1002]],
  ]);
  kept.takeFrom(handedOver);
  // What is in it when all listeners are served is closed.
  expect([...handedOver.values()]).toEqual([[1002]]);
  expect(kept.ready(folder)).toEqual([1001]);
  expect(kept.ready(folder)).toEqual([]);
});
