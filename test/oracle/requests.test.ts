import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { headerValue } from '../../src/wire/message.ts';
import { comparable, lastStatus, type ReadConnection, readByNode, readByUs } from './in-memory.ts';
import { Judge, type JudgedConnection } from './judge.ts';
import { cut, mutate, wellFormedRequest } from './messages.ts';
import { Random, runSeed } from './random.ts';

const CASES = 20_000;
const BATCH = 1000;

let judge: Judge;
beforeAll(() => {
  judge = Judge.build();
});
afterAll(() => judge?.close());

interface Case {
  readonly seed: number;
  readonly message: Buffer;
}

/** What we read and the other did not read the same; undefined where all is well. */
function differs(
  ours: ReadConnection,
  theirs: { requests: readonly unknown[]; written: string; cutOff: (i: number) => boolean },
  same: (i: number) => boolean,
): string | undefined {
  for (let i = 0; i < ours.requests.length; i++) {
    if (i >= theirs.requests.length) {
      // They may be stricter than we are: what the engine refuses does no harm. But then it must be a refusal.
      return lastStatus(theirs.written) >= 400 || theirs.cutOff(i) ? undefined : `request ${i} was read by us only`;
    }
    if (!same(i)) return `request ${i} is read otherwise`;
  }
  return undefined;
}

function differsFromGo(all: ReadConnection, go: JudgedConnection): string | undefined {
  // Go's server answers `OPTIONS *` by itself: no handler hears of it, and a longer body ends the connection.
  const ours = { ...all, requests: all.requests.filter(({ target }) => target !== '*') };
  const cutOff = () => go.bodyError !== '' || ours.requests.length < all.requests.length;
  return differs(ours, { ...go, cutOff }, (i) => {
    const [us, them] = [ours.requests[i], go.requests[i]];
    if (us === undefined || them === undefined) return false;
    const host = headerValue(us.headers, 'host');
    return (
      us.method === them.method &&
      us.target === them.target &&
      us.body === them.body &&
      (host === undefined || host === them.host) &&
      JSON.stringify(comparable(us.headers)) === JSON.stringify(comparable(them.headers.flat()))
    );
  });
}

function differsFromNode(ours: ReadConnection, node: ReadConnection): string | undefined {
  // Node reads nothing behind a request that could be upgraded, and at times not its chunked body.
  const upgrades = (i: number) => headerValue(ours.requests[i]?.headers ?? [], 'upgrade') !== undefined;
  const cutOff = (i: number) => upgrades(i) || (i > 0 && upgrades(i - 1));
  return differs(
    ours,
    { ...node, cutOff },
    (i) => JSON.stringify(ours.requests[i]) === JSON.stringify(node.requests[i]),
  );
}

async function judgeAll(cases: readonly Case[]): Promise<{ read: number; refused: number; faults: string[] }> {
  const faults: string[] = [];
  let read = 0;
  let refused = 0;
  for (let at = 0; at < cases.length; at += BATCH) {
    const batch = cases.slice(at, at + BATCH);
    const verdicts = await judge.ask(
      'http',
      batch.map(({ message }) => message),
    );
    await Promise.all(
      batch.map(async ({ seed, message }, i) => {
        const pieces = cut(new Random(seed ^ 0x5eed), message);
        const [whole, ours, node] = await Promise.all([readByUs([message]), readByUs(pieces), readByNode([message])]);
        read += ours.requests.length;
        if (lastStatus(ours.written) >= 400) refused++;
        const why =
          (JSON.stringify(whole.requests) === JSON.stringify(ours.requests)
            ? undefined
            : 'the pieces are read otherwise than the whole') ??
          differsFromGo(ours, verdicts[i] as JudgedConnection)?.replace(/^/, 'Go: ') ??
          differsFromNode(ours, node)?.replace(/^/, 'Node: ');
        if (why !== undefined) {
          const seen = { us: ours, go: verdicts[i], node };
          faults.push(`seed ${seed}: ${why}\n${tell(message.toString('latin1'))}\n${tell(seen)}`);
        }
      }),
    );
  }
  return { read, refused, faults };
}

function tell(what: unknown): string {
  return JSON.stringify(what)
    .replace(/x{20,}/g, 'x…x')
    .slice(0, 2000);
}

describe('what we read of a connection', () => {
  it('is what Go and Node read, where the requests are well-formed, and all of it', async () => {
    const seed = runSeed();
    const cases = Array.from({ length: 2000 }, (_, i): Case => {
      const random = new Random(seed + i);
      const messages = Array.from({ length: 1 + random.below(3) }, () => wellFormedRequest(random));
      return { seed: seed + i, message: Buffer.from(messages.join(''), 'latin1') };
    });
    const { read, refused, faults } = await judgeAll(cases);
    expect(faults.slice(0, 3), `run seed ${seed}`).toEqual([]);
    expect(refused, `run seed ${seed}`).toBe(0);
    expect(read).toBeGreaterThan(2000);
  }, 60_000);

  it('is never read otherwise by Go or Node, whatever was done to it on the way', async () => {
    const seed = runSeed();
    const cases = Array.from({ length: CASES }, (_, i): Case => {
      const random = new Random(seed + i);
      const messages = Array.from({ length: 1 + random.below(2) }, () => wellFormedRequest(random));
      return { seed: seed + i, message: Buffer.from(mutate(random, messages.join('')), 'latin1') };
    });
    const { read, refused, faults } = await judgeAll(cases);
    expect(faults.slice(0, 3), `run seed ${seed}; BERTHGATE_FUZZ_SEED=${seed} repeats it`).toEqual([]);
    // The mutations are worth something only when they neither spare everything nor break everything.
    expect(read).toBeGreaterThan(CASES / 5);
    expect(refused).toBeGreaterThan(CASES / 5);
  }, 120_000);
});
