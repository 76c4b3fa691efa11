import { afterEach, expect, test, vi } from 'vitest';
import { Removals } from '../../../src/rules/namespaces/removals.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** Removals that end when they are told to. */
function rig() {
  const removals = new Removals();
  const begun: number[] = [];
  const ends: ((fault?: Error) => void)[] = [];
  const take = (i: number): Promise<number> =>
    removals.take(() => {
      begun.push(i);
      return new Promise((resolve, reject) => {
        ends[i] = (fault) => (fault === undefined ? resolve(i) : reject(fault));
      });
    });
  return {
    begun,
    take,
    end: (i: number, fault?: Error) => ends[i]?.(fault),
    taken: Array.from({ length: 8 }, (_, i) => take(i)),
  };
}

test('a few things are removed at a time, in the order in which they are due, and one that fails makes room too', async () => {
  const { begun, end, taken } = rig();
  expect(begun).toEqual([0, 1, 2, 3]);
  end(2);
  expect(await taken[2]).toBe(2);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  end(0, new Error('no'));
  await expect(taken[0]).rejects.toThrow('no');
  expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
  for (const i of [1, 3, 4, 5]) end(i);
  await Promise.all([1, 3, 4, 5].map((i) => taken[i]));
  expect(begun).toHaveLength(8);
  for (const i of [6, 7]) end(i);
  await Promise.all([taken[6], taken[7]]);
});

test('what takes long keeps nothing else waiting, and makes room once only', async () => {
  vi.useFakeTimers();
  const { begun, end, take, taken } = rig();
  await vi.advanceTimersByTimeAsync(4999);
  expect(begun).toHaveLength(4);
  await vi.advanceTimersByTimeAsync(1);
  expect(begun).toHaveLength(8);
  for (let i = 0; i < 8; i++) end(i);
  await Promise.all(taken);
  const more = Array.from({ length: 8 }, (_, i) => take(8 + i));
  expect(begun).toHaveLength(12);
  for (let i = 8; i < 12; i++) end(i);
  await Promise.all(more.slice(0, 4));
  for (let i = 12; i < 16; i++) end(i);
  await Promise.all(more);
});
