// The CA over its life: made, kept, rotated, ended; and what a container that was made at any time trusts.

import { X509Certificate } from 'node:crypto';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Generation, keepGenerations, signingFor } from '../../../src/cache/interception/generations.ts';
import { newFolder } from './folders.ts';

const DAY = 86_400_000;
const START = Date.parse('2026-11-22T12:00:00Z');
const caFolder = (): string => join(newFolder(), 'ca');
const options = (folder: string, hosts = ['a.example.org']) => ({ folder, lifeMs: 7 * DAY, rotateMs: 2 * DAY, hosts });
const numbers = (all: readonly Generation[]) => all.map(({ number }) => number);

test('the first start makes one, the next start finds it, and its files are ours alone', () => {
  const folder = caFolder();
  const made = keepGenerations(options(folder), START);
  expect(numbers(made)).toEqual([1]);
  const again = keepGenerations(options(folder), START + 1000);
  expect(again[0]?.root).toBe(made[0]?.root);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(readdirSync(folder)).toEqual(['1.json']);
  expect(statSync(join(folder, '1.json')).mode & 0o777).toBe(0o600);
});

test("the root's key is in no file", () => {
  const folder = caFolder();
  const [one] = keepGenerations(options(folder), START) as [Generation];
  expect(new X509Certificate(one.root).checkPrivateKey(one.key)).toBe(false);
  expect(new X509Certificate(one.intermediate).checkPrivateKey(one.key)).toBe(true);
});

test('what ends is removed with its key', () => {
  const folder = caFolder();
  keepGenerations(options(folder), START);
  keepGenerations(options(folder), START + 8 * DAY);
  expect(readdirSync(folder)).toEqual(['2.json']);
});

test('a container that was made at any time is served by a CA that it trusts, for life less rotate', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 30 * 24 }), fc.integer({ min: 0, max: 119 }), (madeHours, laterHours) => {
      const folder = caFolder();
      const made = START + madeHours * 3_600_000;
      const later = made + laterHours * 3_600_000;
      let trusted: readonly Generation[] = [];
      let serving: readonly Generation[] = [];
      // As a server looks: every half day.
      for (let now = START; now <= later; now += DAY / 2) {
        serving = keepGenerations(options(folder), now);
        if (now <= made) trusted = serving;
      }
      const signing = signingFor(serving, 'a.example.org', later, 3_600_000);
      expect(numbers(trusted)).toContain(signing?.number);
    }),
    { numRuns: 25 },
  );
});

test('another host makes a new CA at once; those that were there go on for their own hosts', () => {
  const folder = caFolder();
  keepGenerations(options(folder), START);
  const both = keepGenerations(options(folder, ['a.example.org', 'b.example.org']), START + 1000);
  expect(numbers(both)).toEqual([1, 2]);
  expect(signingFor(both, 'a.example.org', START + 1000, 0)?.number).toBe(1);
  expect(signingFor(both, 'b.example.org', START + 1000, 0)?.number).toBe(2);
  expect(signingFor(both, 'c.example.org', START + 1000, 0)).toBeUndefined();
  // Back and forth makes no more of them.
  expect(numbers(keepGenerations(options(folder), START + 2000))).toEqual([1, 2]);
});

test('a file that is no CA is told with its name', () => {
  const folder = caFolder();
  keepGenerations(options(folder), START);
  writeFileSync(join(folder, '2.json'), '{"half":');
  expect(() => keepGenerations(options(folder), START)).toThrow(/2\.json: is no CA of ours/);
});
