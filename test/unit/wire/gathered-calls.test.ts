import { randomBytes } from 'node:crypto';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type GatheredAnswer, GatheredCalls } from '../../../src/wire/gathered-calls.ts';

type Answer = (request: http.IncomingMessage, response: http.ServerResponse) => void;

async function serve(answer: Answer): Promise<{ url: URL; connections: () => number }> {
  let connections = 0;
  const server = http.createServer(answer);
  server.on('connection', () => {
    connections++;
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { url: new URL(`http://127.0.0.1:${port}/a?b=c`), connections: () => connections };
}

function callsTo(): GatheredCalls {
  const calls = new GatheredCalls({
    dial:
      ({ hostname, port }) =>
      (options) =>
        net.connect({ ...options, host: hostname, port: Number(port) }),
    connectMs: 10_000,
    headMs: 10_000,
    silentMs: 60_000,
    asFault: (_, fault) => fault,
  });
  onTestFinished(() => calls.close());
  return calls;
}

/** Until it is done, a moment each time that something may have come. */
async function timesPass<T>(work: Promise<T>, ms = 20_000): Promise<T> {
  let done = false;
  const ending = work.finally(() => {
    done = true;
  });
  ending.catch(() => {});
  while (!done) {
    await new Promise((resolve) => setImmediate(resolve));
    vi.advanceTimersByTime(ms);
  }
  return ending;
}

const anyTime = { headers: {}, signal: new AbortController().signal };

test('a large body comes whole to a reader that takes its time, in memory that is used again, and its connection too', async () => {
  const bytes = randomBytes(20_000_000);
  const { url, connections } = await serve((request, response) => {
    expect([request.url, request.headers.host]).toEqual(['/a?b=c', url.host]);
    if (request.headers.range === undefined) response.setHeader('Content-Length', bytes.length);
    response.write(bytes);
    response.end();
  });
  const calls = callsTo();
  const memory = new Set<unknown>();
  // With a length, and in chunks.
  for (const headers of [{}, { range: 'bytes=0-' }]) {
    const { statusCode, headers: told, body } = await calls.ask(url, { ...anyTime, headers });
    expect([statusCode, told['content-length']]).toEqual([200, 'range' in headers ? undefined : '20000000']);
    const pieces: Buffer[] = [];
    for await (const piece of body.pieces()) {
      memory.add(piece.buffer);
      pieces.push(Buffer.from(piece));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
  }
  expect(memory.size).toBeLessThan(10);
  // As a stream, what was read stays what it was.
  const { body } = await calls.ask(url, anyTime);
  const pieces: Buffer[] = [];
  for await (const piece of body) pieces.push(piece);
  expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
  expect(connections()).toBe(1);
});

test('a body that breaks off is broken, and so is one that is not sent on or not wanted any more', async () => {
  const { url } = await serve((request, response) => {
    response.writeHead(200, { 'Content-Length': 1000 });
    response.write('half', () => {
      if (request.headers.range !== undefined) response.destroy();
    });
  });
  const read = async ({ body }: GatheredAnswer): Promise<string> => {
    let text = '';
    try {
      for await (const piece of body.pieces()) text += piece.toString();
      return 'whole';
    } catch (fault) {
      return `${text}: ${(fault as Error).message}`;
    }
  };
  const calls = callsTo();
  const ended = await calls.ask(url, { ...anyTime, headers: { range: 'bytes=0-' } });
  expect(await read(ended)).toMatch(/: .*(early|broke)/);
  const given = new AbortController();
  const aborted = await calls.ask(url, { ...anyTime, signal: given.signal });
  given.abort(new Error('enough'));
  expect(await read(aborted)).toMatch(/: enough$/);
  await expect(calls.ask(url, { ...anyTime, signal: given.signal })).rejects.toThrow('enough');
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  expect(await timesPass(read(await calls.ask(url, anyTime)))).toMatch(/: it sends nothing more$/);
});

test('a silent reader is no silent server', async () => {
  const bytes = randomBytes(8_000_000);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { url } = await serve((_, response) => void response.end(bytes));
  const { body } = await callsTo().ask(url, anyTime);
  const reader = body.pieces();
  const pieces = [Buffer.from((await reader.next()).value as Buffer)];
  await expect.poll(() => body.waits).toBe(true);
  vi.advanceTimersByTime(120_000);
  const rest = (async () => {
    for await (const piece of reader) pieces.push(Buffer.from(piece));
  })();
  await timesPass(rest, 10);
  expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
});

test('what cannot be printed is not sent', async () => {
  const { url, connections } = await serve((_, response) => void response.end());
  const headers = { accept: 'a\r\nHost: other' };
  await expect(callsTo().ask(url, { ...anyTime, headers })).rejects.toThrow('cannot be printed');
  expect(connections()).toBe(0);
});
