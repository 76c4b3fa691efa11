// What the HTTP cache must stand, seen on a process of its own: how soon those who join a download that is running get its
// first byte (against nginx with its lock), kill -9 in the middle of many fills, a store that was damaged by hand, and a full disk.
//
//   node bench/cache-trials.mjs [--fills 1000] [--rounds 5] [--json FILE]
//
// Ends with 1 where a client was given a wrong body as a whole one, or what is damaged was not found. The full disk needs
// root (a tmpfs is mounted). Needs: npm run build, nginx-light, openssl.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { FolderStore } from '../dist/cache/store/index.js';
import { berthgateCache, nginxCache } from './cache/contenders.mjs';
import { bodyOf, startSlowOrigin } from './cache/trials-origin.mjs';
import { readOptions } from './harness/options.mjs';
import { needPrograms } from './harness/programs.mjs';
import { Report } from './harness/report.mjs';
import { medians, takeTurns } from './harness/rounds.mjs';

const options = readOptions(import.meta.url, { fills: { type: 'string', default: '1000' } });
needPrograms('nginx', 'openssl');
const FILLS = Number(options.fills);
const SIZE = 400_000;
const MAX_BYTES = 2 ** 32;
const DAMAGED = Math.min(60, FILLS);
const FULL_BYTES = 64e6;
const FULL_FILES = 300;

const report = new Report('cache-trials');
const origin = await startSlowOrigin({ pieces: 8, pieceMs: 250 });
const faults = [];
await followers();
const folder = join(options.folder, 'killed');
mkdirSync(folder);
await killed();
await damaged();
await fullDisk();
origin.stop();
report.finish(options.json);
for (const fault of faults) console.error(`FAULT: ${fault}`);
process.exit(faults.length === 0 ? 0 : 1);

/** Four clients of one slow thing, 300 ms apart: from a request to the first byte of its body. */
async function followers() {
  const at = join(options.folder, 'followers');
  mkdirSync(at);
  const contenders = [await berthgateCache(at, origin.port, MAX_BYTES), await nginxCache(at, origin.port, MAX_BYTES)];
  try {
    let next = 0;
    const figures = await takeTurns(contenders, options.rounds, async ({ port }) => {
      const path = `/slow/${next++}`;
      const before = origin.counts.requests;
      const got = await Promise.all([0, 300, 600, 900].map((ms) => pause(ms).then(() => get(port, path, 2_000_000))));
      for (const { outcome } of got) if (outcome !== 'whole') faults.push(`a follower of ${path}: ${outcome}`);
      const [leader, ...joined] = got.map(({ firstMs }) => firstMs);
      return { leader, follower: Math.max(...joined), asked: origin.counts.requests - before };
    });
    const rows = contenders.map(({ name }) => ({ name, figures: medians(figures.get(name)) }));
    const columns = [
      { key: 'leader', title: 'first byte of the first, ms', digits: 1 },
      { key: 'follower', title: 'of the slowest of three that join, ms', digits: 1 },
      { key: 'asked', title: 'requests at the origin', digits: 0 },
    ];
    report.table('four clients of one file that takes two seconds, 300 ms apart', columns, rows);
    const [{ figures: ours }] = rows;
    report.aim('first byte of those who join, ms after it could be had', ours.follower, { atMost: 50 });
    report.aim('requests at the origin for four clients', ours.asked, { atMost: 1 });
  } finally {
    for (const one of contenders) await one.stop();
  }
}

/** kill -9 when about half of every body is there; then all are asked for again. */
async function killed() {
  const first = await berthgateCache(folder, origin.port, MAX_BYTES);
  origin.pace.pieceMs = 4000;
  // Some come to their end before the others are half there.
  const getting = fetchAll(first.port, (i) => (i % 10 === 0 ? SIZE / 1000 : SIZE));
  const until = performance.now() + 30_000;
  const running = () => readdirSync(join(folder, 'berthgate-store', 'fills')).length;
  while (running() < FILLS * 0.8 && performance.now() < until) await pause(20);
  const left = running();
  process.kill(first.pid, 'SIGKILL');
  const before = tally(await getting);
  await first.stop();
  const again = await berthgateCache(folder, origin.port, MAX_BYTES);
  const fills = running();
  const found = await verify();
  origin.pace.pieceMs = 1;
  const asked = origin.counts.requests;
  const after = tally(await fetchAll(again.port, (i) => (i % 10 === 0 ? SIZE / 1000 : SIZE)));
  const fetched = origin.counts.requests - asked;
  await again.stop();
  console.log(`\nkill -9 in the middle of ${FILLS} fills\n
  ${left} half bodies lay there, ${fills} after the next start; verify: ${JSON.stringify(found)}
  clients, before: ${JSON.stringify(before)}; after: ${JSON.stringify(after)}, ${fetched} of them from the origin`);
  expectNone('after kill -9', before.wrong ?? 0);
  expectNone('after kill -9, the next time', FILLS - after.whole);
  expectNone('half bodies after the next start', fills);
  expectNone('corrupt after kill -9', found.corrupt + found.missing + found.damaged);
}

/** Bodies that were cut, and others with one bit changed: half of them asked for first, and the rest found by a verification. */
async function damaged() {
  const blobs = join(folder, 'berthgate-store', 'blobs');
  const files = readdirSync(blobs, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  for (const [i, file] of files.slice(0, DAMAGED).entries()) {
    const bytes = readFileSync(file);
    if (i % 3 === 0) truncateSync(file, bytes.length - 1);
    else {
      bytes[bytes.length >> 1] ^= 1;
      writeFileSync(file, bytes);
    }
  }
  const one = await berthgateCache(folder, origin.port, MAX_BYTES);
  const got = tally(await fetchAll(one.port, (i) => (i % 10 === 0 ? SIZE / 1000 : SIZE), FILLS / 2));
  await one.stop();
  const found = await verify();
  const last = await berthgateCache(folder, origin.port, MAX_BYTES);
  const healed = tally(await fetchAll(last.port, (i) => (i % 10 === 0 ? SIZE / 1000 : SIZE)));
  await last.stop();
  console.log(`\n${DAMAGED} of ${files.length} bodies damaged by hand\n
  half of all asked for: ${JSON.stringify(got)}; verify after that: ${JSON.stringify(found)}; all asked for again: ${JSON.stringify(healed)}`);
  expectNone('of damaged bodies', got.wrong ?? 0);
  expectNone('damaged, and not found', FILLS - healed.whole);
}

async function fullDisk() {
  if (process.getuid?.() !== 0) return console.log('\nthe full disk is left out: it needs root');
  const at = join(options.folder, 'full');
  const store = join(at, 'berthgate-store');
  mkdirSync(store, { recursive: true, mode: 0o700 });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${FULL_BYTES},mode=0700`, 'tmpfs', store]);
  try {
    const one = await berthgateCache(at, origin.port, MAX_BYTES);
    const first = tally(await fetchAll(one.port, () => 1_000_000, FULL_FILES));
    const second = tally(await fetchAll(one.port, () => 1_000_000, FULL_FILES));
    await one.stop();
    console.log(`\na disk of ${FULL_BYTES / 1e6} MB, ${FULL_FILES} files of 1 MB at once, twice\n
  clients: ${JSON.stringify(first)}, ${JSON.stringify(second)}`);
    expectNone('with a full disk, not whole', 2 * FULL_FILES - first.whole - second.whole);
  } finally {
    execFileSync('umount', [store]);
  }
}

async function verify() {
  const store = await FolderStore.open({ folder: join(folder, 'berthgate-store'), maxBytes: MAX_BYTES });
  let done = null;
  for await (const step of store.verify(new AbortController().signal)) if (step.step === 'done') done = step;
  await store.close();
  const { checked, corrupt, missing, damaged: records } = done;
  return { checked, corrupt, missing, damaged: records };
}

function fetchAll(port, sizeOf, count = FILLS) {
  return Promise.all(
    Array.from({ length: count }, (_, i) => get(port, `/file/${i}`, sizeOf(i), `h${i % 20}.localhost`)),
  );
}

function tally(all) {
  const counts = {};
  for (const { outcome } of all) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

function expectNone(what, count) {
  if (count !== 0) faults.push(`${what}: ${count}`);
}

/** How it came to its end: `whole`, `broken` (the client knows), `wrong` (it does not). */
function get(port, path, size, host = 'localhost') {
  const wanted = bodyOf(path, size);
  const asked = performance.now();
  let firstMs = Number.NaN;
  return new Promise((resolve) => {
    const end = (outcome) => resolve({ outcome, firstMs });
    const request = http.get(
      { host: '127.0.0.1', port, path: `${path}?size=${size}`, agent: false, headers: { host } },
      (answer) => {
        const pieces = [];
        answer.on('data', (piece) => {
          if (pieces.length === 0) firstMs = performance.now() - asked;
          pieces.push(piece);
        });
        answer.on('error', () => end('broken'));
        answer.on('end', () => {
          const body = Buffer.concat(pieces);
          if (answer.statusCode !== 200) end(`${answer.statusCode} ${body.toString().trim()}`);
          else end(body.equals(wanted) ? 'whole' : 'wrong');
        });
      },
    );
    request.on('error', () => end('broken'));
  });
}
