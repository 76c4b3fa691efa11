import type net from 'node:net';
import { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InboundConnection } from '../../src/wire/inbound.ts';
import { EnginePool } from '../../src/wire/outbound.ts';
import { ReadBuffers } from '../../src/wire/read-buffers.ts';
import { relay } from '../../src/wire/relay.ts';
import { comparable, MemorySocket, readByNode } from './in-memory.ts';
import { Judge } from './judge.ts';
import { cut, mutate, wellFormedAnswer, wellFormedRequest } from './messages.ts';
import { Random, runSeed } from './random.ts';

const CASES = 5000;
const LIMITS = { headBytes: 64 * 1024, headers: 200 };

let judge: Judge;
beforeAll(() => {
  judge = Judge.build();
});
afterAll(() => judge?.close());

/** An engine that answers with `pieces` once it is asked, and ends. It reads by `onread`, as a dialled socket does. */
class MemoryEngine extends Duplex {
  written = '';
  readonly #pieces: Buffer[];
  #asked: (() => void) | null = null;

  constructor(
    pieces: readonly Buffer[],
    onread: { buffer: () => Buffer; callback: (bytes: number, buffer: Buffer) => boolean },
  ) {
    super({ allowHalfOpen: true });
    this.#pieces = [...pieces];
    this.resume();
    setImmediate(() => this.emit('connect'));
    this.#asked = () => {
      this.#asked = null;
      const next = (): void => {
        const piece = this.#pieces.shift();
        if (this.destroyed) return;
        if (piece === undefined) {
          this.push(null);
          return;
        }
        // Each read in a buffer of its own, larger than what is read.
        const buffer = Buffer.concat([piece, Buffer.from('\r\n\r\nrubbish')]);
        onread.callback(piece.length, buffer);
        onread.buffer();
        setImmediate(next);
      };
      setImmediate(next);
    };
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.written += chunk.toString('latin1');
    this.#asked?.();
    callback();
  }
}

interface Passed {
  readonly asked: string;
  readonly answered: string;
  /** The answer was cut off in the middle, visibly. */
  readonly broken: boolean;
}

/** One request and its answer through the whole wire: what the engine and the client get. */
async function pass(request: string, answer: readonly Buffer[]): Promise<Passed> {
  let engine: MemoryEngine | null = null;
  const pool = new EnginePool(
    (options) => {
      engine = new MemoryEngine(answer, options.onread);
      return engine as unknown as net.Socket;
    },
    { ...LIMITS, connectTimeoutMs: 5000, idleConnections: 1 },
    new ReadBuffers(),
  );
  // The client does not say its end: it would be taken for gone.
  const client = new MemorySocket([Buffer.from(request, 'latin1')], true);
  let broken = false;
  const done = new Promise<void>((resolve) => {
    new InboundConnection(client as unknown as net.Socket, {
      limits: { ...LIMITS, headTimeoutMs: 5000, bodyTimeoutMs: 5000 },
      buffers: new ReadBuffers(),
      renderFault: (fault) => ({ status: fault.status, reason: fault.code, headers: [], body: '' }),
      handler: (exchange) => {
        const { method, target, headers, framing, minorVersion } = exchange.head;
        const body =
          framing.kind === 'length'
            ? { length: framing.bytes }
            : framing.kind === 'chunked'
              ? ('chunked' as const)
              : null;
        expect(minorVersion).toBe(1);
        relay(
          exchange,
          pool,
          { method, target, headers, body, upgrade: null, stream: body !== null },
          {
            onHead: (head) => head,
            onFault: () => void exchange.answer({ status: 502, reason: 'Bad Gateway', headers: [] }, null),
            onDone: (outcome) => {
              broken = outcome.kind === 'engine-fault' && !outcome.answered;
              resolve();
            },
          },
        );
      },
    });
  });
  await done;
  client.destroy();
  return { asked: (engine as MemoryEngine | null)?.written ?? '', answered: client.written, broken };
}

function hopless(headers: readonly (readonly [string, string])[], hop: readonly string[]): [string, string][] {
  return comparable(headers.flat()).filter(([name]) => !hop.includes(name));
}

const HOP = ['content-length', 'connection', 'keep-alive', 'te', 'upgrade', 'expect', 'proxy-connection', 'cookie2'];

function aSingleRequest(random: Random): string {
  for (;;) {
    const request = wellFormedRequest(random);
    if (!/ HTTP\/1\.0\r\n|\r\nConnection: |\r\nExpect|\r\nUpgrade/i.test(request) && !request.startsWith('OPTIONS *'))
      return request;
  }
}

describe('what passes the wire', () => {
  it('is read by the engine as the client meant it, and the answer by the client as the engine meant it', async () => {
    const seed = runSeed();
    const cases = await Promise.all(
      Array.from({ length: CASES }, async (_, i) => {
        const random = new Random(seed + i);
        const request = aSingleRequest(random);
        const answer = wellFormedAnswer(random);
        return { request, answer, ...(await pass(request, cut(random, Buffer.from(answer, 'latin1')))) };
      }),
    );
    const meant = await judge.ask(
      'http',
      cases.map(({ request }) => Buffer.from(request, 'latin1')),
    );
    const asked = await judge.ask(
      'http',
      cases.map(({ asked }) => Buffer.from(asked, 'latin1')),
    );
    const method = ({ request }: { request: string }) => request.slice(0, request.indexOf(' '));
    const message = (of: { request: string }, text: string) => Buffer.from(`${method(of)}\n${text}`, 'latin1');
    const given = await judge.ask(
      'answer',
      cases.map((of) => message(of, of.answer)),
    );
    const got = await judge.ask(
      'answer',
      cases.map((of) => message(of, of.answered)),
    );
    const node = await Promise.all(cases.map(({ asked }) => readByNode([Buffer.from(asked, 'latin1')])));
    for (const [i, of] of cases.entries()) {
      const [a, b, c, d] = [meant[i], asked[i], given[i], got[i]];
      const why = `seed ${seed + i}: ${JSON.stringify(of)
        .replace(/x{20,}/g, 'x…x')
        .slice(0, 2000)}`;
      // Go refuses some targets (`/%zz`) that the wire lets the table of endpoints judge.
      expect(b?.requests.length, why).toBe(a?.requests.length);
      const [us, them] = [b?.requests[0], a?.requests[0]];
      expect([us?.method, us?.target, us?.host, us?.body], why).toEqual([
        them?.method,
        them?.target,
        them?.host,
        them?.body,
      ]);
      expect(hopless(us?.headers ?? [], HOP), why).toEqual(hopless(them?.headers ?? [], HOP));
      const byNode = node[i]?.requests[0];
      if (us !== undefined)
        expect([byNode?.method, byNode?.target, byNode?.body], why).toEqual([us.method, us.target, us.body]);
      expect([d?.status, d?.body, d?.error, d?.bodyError, d?.rest], why).toEqual([c?.status, c?.body, '', '', '']);
      expect(hopless(d?.headers ?? [], HOP), why).toEqual(hopless(c?.headers ?? [], HOP));
    }
  }, 60_000);

  it('never becomes another answer than Go reads, whatever the engine sends', async () => {
    const seed = runSeed();
    const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
    const cases = await Promise.all(
      Array.from({ length: CASES }, async (_, i) => {
        const random = new Random(seed + i);
        const answer = mutate(random, wellFormedAnswer(random));
        return { answer, ...(await pass(request, cut(random, Buffer.from(answer, 'latin1')))) };
      }),
    );
    const given = await judge.ask(
      'answer',
      cases.map(({ answer }) => Buffer.from(`GET\n${answer}`, 'latin1')),
    );
    const got = await judge.ask(
      'answer',
      cases.map(({ answered }) => Buffer.from(`GET\n${answered}`, 'latin1')),
    );
    let passed = 0;
    for (const [i, of] of cases.entries()) {
      const [engine, client] = [given[i], got[i]];
      if (engine === undefined || client === undefined || of.answered.startsWith('HTTP/1.1 502')) continue;
      const why = `seed ${seed + i}: ${JSON.stringify({ ...of, engine, client })
        .replace(/x{20,}/g, 'x…x')
        .slice(0, 2000)}`;
      // Interim answers are told apart by their status, and Go's reader stops at them.
      if (engine.status >= 100 && engine.status < 200) continue;
      if (engine.error !== '') {
        expect.fail(`we read what Go does not. ${why}`);
      } else if (of.broken || engine.bodyError !== '') {
        expect(of.broken && client.bodyError !== '', why).toBe(true);
      } else {
        passed++;
        expect([client.status, client.body, client.error, client.bodyError, client.rest], why).toEqual([
          engine.status,
          engine.body,
          '',
          '',
          '',
        ]);
      }
    }
    expect(passed).toBeGreaterThan(CASES / 5);
  }, 60_000);
});
