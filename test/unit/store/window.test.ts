// Who reads a body that cannot be kept: the slow ones and the others.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Window } from '../../../src/cache/store/window.ts';

const MIB = 1024 * 1024;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const reader = () => ({ position: 0, left: false, heldMs: 0 });

/** A minute in which a MiB comes each second at most, and the slow one takes as much. Gives how many came. */
async function read(slow: ReturnType<typeof reader>, fast: ReturnType<typeof reader> | null): Promise<number> {
  const window = new Window();
  const readers = new Set(fast === null ? [slow] : [slow, fast]);
  let [pieces, isOver] = [0, false];
  const filling = (async () => {
    while (!isOver) {
      window.add(pieces++ * MIB, Buffer.alloc(MIB));
      if (fast !== null) fast.position = pieces * MIB;
      await window.settle(readers);
      if (slow.left) break;
    }
  })();
  for (let second = 0; second < 60; second++) {
    await vi.advanceTimersByTimeAsync(1000);
    slow.position = Math.min(slow.position + MIB, pieces * MIB);
  }
  isOver = true;
  slow.position = pieces * MIB;
  await vi.advanceTimersByTimeAsync(1000);
  await filling;
  return pieces;
}

test('one that always takes a little holds the others for ten seconds in all, and is left behind then', async () => {
  const slow = reader();
  const pieces = await read(slow, reader());
  expect(slow.left).toBe(true);
  expect(pieces).toBeLessThan(20);
});

test('one that reads alone has the time that it takes', async () => {
  const slow = reader();
  const pieces = await read(slow, null);
  expect(slow.left).toBe(false);
  expect(pieces).toBeGreaterThan(55);
});

test('one that has much to read before the window has the time that it takes, and who stands still has not', async () => {
  const window = new Window();
  const slow = reader();
  // So much was kept before the disk was full.
  const kept = 500 * MIB;
  window.add(kept, Buffer.alloc(8 * MIB));
  const settled = window.settle(new Set([slow]));
  for (let second = 0; second < 60; second++) {
    await vi.advanceTimersByTimeAsync(1000);
    slow.position += 9 * MIB;
  }
  await vi.advanceTimersByTimeAsync(1000);
  await settled;
  expect(slow.left).toBe(false);
  // The control.
  window.add(kept + 8 * MIB, Buffer.alloc(64 * MIB));
  const left = window.settle(new Set([slow]));
  await vi.advanceTimersByTimeAsync(11_000);
  await left;
  expect(slow.left).toBe(true);
});
