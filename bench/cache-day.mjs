// What a store of a part of the working set saves on a day of a CI service (bench/cache/ci-day.mjs): the order in which
// Berthgate lets things go, against that of last use alone, which nginx's proxy_cache and others have. No bytes are moved.
//
//   node bench/cache-day.mjs [--seed 1] [--json FILE]
//
// Needs: npm run build.

import { UseOrder } from '../dist/cache/store/use-order.js';
import { ciDay } from './cache/ci-day.mjs';
import { readOptions } from './harness/options.mjs';
import { Report } from './harness/report.mjs';

const options = readOptions(import.meta.url, { seed: { type: 'string', default: '1' } });
const report = new Report('cache-day');
const day = [...ciDay({ seed: Number(options.seed) })];
const differing = new Map(day.map(({ path, size }) => [path, size]));
const workingSet = sum(differing.values());
const total = sum(day.map(({ size }) => size));

/** By last use alone. */
class LastUse {
  #names = new Map();

  put(name, bytes) {
    this.#names.delete(name);
    this.#names.set(name, bytes);
  }

  use(name) {
    this.put(name, this.#names.get(name));
  }

  remove(name) {
    this.#names.delete(name);
  }

  oldestFirst() {
    return this.#names.keys();
  }
}

function replay(order, room) {
  const kept = new Map();
  let [bytes, saved, savedBytes] = [0, 0, 0];
  for (const { path, size } of day) {
    if (kept.has(path)) {
      saved++;
      savedBytes += size;
      order.use(path);
    } else if (size <= room) {
      kept.set(path, size);
      order.put(path, size);
      bytes += size;
      while (bytes > room) {
        const oldest = order.oldestFirst().next().value;
        order.remove(oldest);
        bytes -= kept.get(oldest);
        kept.delete(oldest);
      }
    }
  }
  return { saved: (100 * saved) / day.length, savedBytes: (100 * savedBytes) / total };
}

function sum(numbers) {
  let all = 0;
  for (const one of numbers) all += one;
  return all;
}

console.log(
  `${day.length} requests, ${(total / 1e9).toFixed(1)} GB; ${differing.size} things, ${(workingSet / 1e9).toFixed(1)} GB`,
);
for (const share of [0.05, 0.2, 1]) {
  const room = workingSet * share;
  const ours = replay(new UseOrder(room), room);
  const theirs = replay(new LastUse(), room);
  report.table(
    `a store of ${100 * share} % of the working set`,
    [
      { key: 'saved', title: 'requests saved %', digits: 1 },
      { key: 'savedBytes', title: 'bytes saved %', digits: 1 },
    ],
    [
      { name: 'berthgate', figures: ours },
      { name: 'last use alone', figures: theirs },
    ],
  );
  report.aim(`requests saved at ${100 * share} %, of those by last use`, ours.saved / theirs.saved, { atLeast: 1 });
  report.aim(`bytes saved at ${100 * share} %, of those by last use`, ours.savedBytes / theirs.savedBytes, {
    atLeast: 1,
  });
}
report.finish(options.json);
