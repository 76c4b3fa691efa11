import { randomBytes } from 'node:crypto';
import type http from 'node:http';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Origins } from '../../../src/cache/http/index.ts';
import type { OriginRequest } from '../../../src/cache/http/origin.ts';
import { OutFault, type OutFaultReason, type WayOut } from '../../../src/wire/way-out.ts';
import { firstPiece, HOST, startRig, textOf } from './rig.ts';

const bytes = randomBytes(400_000);
const text = bytes.toString('latin1');
const HALF = 200_000;
const HEAD = { 'Cache-Control': 'max-age=60', ETag: '"a"', 'Content-Length': bytes.length };

/** Sends half of it; what comes behind that is up to the test. */
function halfThen(response: http.ServerResponse, then: () => void, head: http.OutgoingHttpHeaders = HEAD): void {
  response.writeHead(200, head);
  response.write(bytes.subarray(0, HALF), then);
}

function rangeOf(request: http.IncomingMessage): number {
  return Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
}

function sendRest(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  more: http.OutgoingHttpHeaders = {},
): void {
  const from = rangeOf(request);
  response.writeHead(206, {
    ETag: '"a"',
    'Content-Range': `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
    'Content-Length': bytes.length - from,
    ...more,
  });
  response.end(bytes.subarray(from));
}

describe('four clients that want one slow file', () => {
  test('cost the origin one request, and each reads what has come so far', async () => {
    let finish = () => {};
    const rig = await startRig((_, response) =>
      halfThen(response, () => {
        finish = () => response.end(bytes.subarray(HALF));
      }),
    );
    const answers = await Promise.all([1, 2, 3, 4].map(() => rig.open('/slow')));
    const begun = await Promise.all(answers.map(firstPiece));
    for (const piece of begun) expect(piece.length).toBeGreaterThan(0);
    expect(rig.origin.asked).toHaveLength(1);
    finish();
    const rests = await Promise.all(answers.map(textOf));
    for (const [i, rest] of rests.entries()) expect(`${begun[i]}${rest}` === text).toBe(true);
    expect(answers.map(({ headers }) => String(headers['cache-status']).includes('collapsed')).sort()).toEqual([
      false,
      true,
      true,
      true,
    ]);
    expect(rig.origin.asked).toHaveLength(1);
  });

  test('get it too where the first one has gone, and it is kept', async () => {
    let finish = () => {};
    const rig = await startRig((_, response) =>
      halfThen(response, () => {
        finish = () => response.end(bytes.subarray(HALF));
      }),
    );
    const leader = await rig.open('/slow');
    await firstPiece(leader);
    const follower = await rig.open('/slow');
    const gone = new Promise((resolve) => leader.socket.once('close', resolve));
    leader.destroy();
    await gone;
    finish();
    expect((await textOf(follower)) === text).toBe(true);
    await expect.poll(async () => (await rig.ask('HEAD', '/slow')).way).toContain('hit');
    expect(rig.origin.asked).toHaveLength(1);
  });

  test('and come only when it has begun get their own where it is fresh for nobody', async () => {
    const ends: (() => void)[] = [];
    const head = { ...HEAD, 'Cache-Control': 'no-cache' };
    const rig = await startRig((_, response) =>
      halfThen(response, () => ends.push(() => response.end(bytes.subarray(HALF))), head),
    );
    const early = await rig.open('/slow');
    expect(rig.origin.asked).toHaveLength(1);
    const late = await rig.open('/slow');
    expect(rig.origin.asked).toHaveLength(2);
    await expect.poll(() => ends.length).toBe(2);
    for (const end of ends) end();
    for (const answer of [early, late]) expect((await textOf(answer)) === text).toBe(true);
  });

  test('may want other parts of it while it comes', async () => {
    let finish = () => {};
    const rig = await startRig((_, response) =>
      halfThen(response, () => {
        finish = () => response.end(bytes.subarray(HALF));
      }),
    );
    const leader = await rig.open('/slow');
    await firstPiece(leader);
    const early = await rig.get('/slow', { range: 'bytes=10-19' });
    expect(early).toMatchObject({ status: 206, body: text.slice(10, 20) });
    const late = rig.open('/slow', { range: 'bytes=300000-300009' });
    finish();
    expect(await textOf(await late)).toBe(text.slice(300_000, 300_010));
    leader.destroy();
    expect(rig.origin.asked).toHaveLength(1);
  });
});

describe('an origin that cannot be reached', () => {
  /** Answers as often as it is let. */
  function originsThat(outcomes: OutFaultReason[], pausesMs: readonly number[]) {
    let asked = 0;
    const send = () => {
      asked++;
      const reason = outcomes.shift();
      if (reason !== undefined) return Promise.reject(new OutFault(reason, `${HOST}: ${reason}`));
      return Promise.resolve({ statusCode: 200, statusText: 'OK', headers: ['Content-Length', '0'], body: null });
    };
    const origins = new Origins(
      [{ host: HOST, origin: null }],
      { to: () => ({ send }) } as unknown as WayOut,
      pausesMs,
    );
    const ask = (more: Partial<OriginRequest> = {}) =>
      origins.ask(new URL(`http://${HOST}/a`), { method: 'GET', client: '10.0.0.1', headers: [], body: null, ...more });
    return { ask, asked: () => asked };
  }

  /** lru-cache reads its clock once a millisecond, by a timer. */
  function ownClock(): (ms: number) => void {
    const now = performance.now.bind(performance);
    let passed = 0;
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + passed);
    onTestFinished(() => {
      clock.mockRestore();
      vi.useRealTimers();
    });
    return (ms) => {
      passed += ms;
      vi.advanceTimersByTime(1);
    };
  }

  test('is tried for a while, so that one that is started again fails nobody', async () => {
    const { ask, asked } = originsThat(['unreachable', 'unknown-host', 'timeout'], [1, 1, 1]);
    expect((await ask()).status).toBe(200);
    expect(asked()).toBe(4);
  });

  test('is given up then, and those who come just after that are told so at once', async () => {
    const { ask, asked } = originsThat(['unreachable', 'unreachable', 'unreachable'], [1, 1]);
    await expect(ask()).rejects.toThrow(`${HOST}: unreachable`);
    expect(asked()).toBe(3);
    await expect(ask()).rejects.toThrow(`${HOST} cannot be reached`);
    expect(asked()).toBe(3);
    // It is not given up for a body that has begun, whose fetching has pauses of its own.
    expect((await ask({ effort: 'once' })).status).toBe(200);
    expect((await ask()).status).toBe(200);
  });

  test('is not tried again for who has been told, until it is there for somebody else', async () => {
    const passMs = ownClock();
    const { ask, asked } = originsThat(['timeout', 'timeout', 'timeout'], [1]);
    await expect(ask()).rejects.toThrow('timeout');
    passMs(3001);
    await expect(ask()).rejects.toThrow('cannot be reached');
    expect(asked()).toBe(2);
    // The control: others are not kept from it, and when it has answered them, nobody is.
    expect((await ask({ client: '10.0.0.2' })).status).toBe(200);
    expect((await ask()).status).toBe(200);
    expect(asked()).toBe(5);
  });

  test('is asked once by who has been told, where it says at once that it is not there: it may have been started again', async () => {
    const passMs = ownClock();
    const { ask, asked } = originsThat(['unreachable', 'unreachable', 'unreachable', 'unreachable'], [1]);
    await expect(ask()).rejects.toThrow('unreachable');
    await expect(ask({ client: '10.0.0.2' })).rejects.toThrow('cannot be reached');
    passMs(3001);
    for (const client of ['10.0.0.1', '10.0.0.2']) await expect(ask({ client })).rejects.toThrow('unreachable');
    expect(asked()).toBe(4);
    expect((await ask()).status).toBe(200);
  });

  test('is tried again for who has been told when that is some time ago', async () => {
    const passMs = ownClock();
    const { ask } = originsThat(['timeout'], []);
    await expect(ask()).rejects.toThrow('timeout');
    passMs(9000);
    await expect(ask()).rejects.toThrow('cannot be reached');
    passMs(1001);
    expect((await ask()).status).toBe(200);
  });

  test('is tried once where something stale would do, and by others all the same', async () => {
    const { ask, asked } = originsThat(['timeout', 'timeout'], [1]);
    await expect(ask({ effort: 'short' })).rejects.toThrow(`${HOST}: timeout`);
    await expect(ask({ effort: 'short' })).rejects.toThrow(`${HOST} cannot be reached`);
    expect(asked()).toBe(1);
    expect((await ask()).status).toBe(200);
    expect(asked()).toBe(3);
  });

  test.each(['tls', 'inner-address', 'slow'] as const)(
    '(%s) is not asked again for what time does not mend',
    async (reason) => {
      const { ask, asked } = originsThat([reason], [1, 1]);
      await expect(ask()).rejects.toThrow(reason);
      expect(asked()).toBe(1);
    },
  );

  test('is not asked again for what would change something there', async () => {
    const { ask, asked } = originsThat(['unreachable'], [1]);
    await expect(ask({ method: 'POST' })).rejects.toThrow('unreachable');
    expect(asked()).toBe(1);
  });
});

describe('an origin that breaks off', () => {
  test('before it has said a word is asked twice more, but never for what changes something there', async () => {
    let faults = 2;
    const rig = await startRig((request, response) => {
      if (faults-- > 0) request.socket.destroy();
      else response.writeHead(200, { 'Cache-Control': 'max-age=60' }).end('whole');
    });
    expect(await rig.get('/a')).toMatchObject({ status: 200, body: 'whole' });
    expect(rig.origin.asked).toHaveLength(3);
    faults = 3;
    expect(await rig.get('/b')).toMatchObject({ status: 502 });
    expect(rig.origin.asked).toHaveLength(6);
    faults = 1;
    expect(await rig.ask('POST', '/a', {}, 'x')).toMatchObject({ status: 502 });
    expect(rig.origin.asked).toHaveLength(7);
  });

  test('is asked for the rest, and nobody sees it', async () => {
    const rig = await startRig((request, response) => {
      if (request.headers.range === undefined) halfThen(response, () => response.destroy());
      else sendRest(request, response);
    });
    const [one, other] = await Promise.all([rig.get('/a'), rig.get('/a')]);
    expect(one.body === text).toBe(true);
    expect(other.body === text).toBe(true);
    expect(rig.origin.asked.map(({ headers }) => headers['if-range'])).toEqual([undefined, '"a"']);
    expect(rig.tally.resumed).toBe(1);
    await expect.poll(async () => (await rig.get('/a')).way).toContain('hit');
  });

  test('and is away for a while is asked again when it is back', async () => {
    const rig = await startRig((request, response) => {
      if (request.headers.range === undefined) halfThen(response, () => void rig.origin.stop());
      else sendRest(request, response);
    });
    const answer = await rig.open('/a');
    const begun = await firstPiece(answer);
    const whole = textOf(answer);
    await expect.poll(() => isRefused(rig.origin.url)).toBe(true);
    await rig.origin.start();
    expect(`${begun}${await whole}` === text).toBe(true);
  });

  test('and has no ranges sends it again, and what is here already is left out', async () => {
    let count = 0;
    const rig = await startRig((_, response) => {
      count++;
      if (count === 1) halfThen(response, () => response.destroy());
      else response.writeHead(200, HEAD).end(bytes);
    });
    expect((await rig.get('/a')).body === text).toBe(true);
  });

  const ways: Record<string, (request: http.IncomingMessage, response: http.ServerResponse) => void> = {
    'and has another file then': (_, response) =>
      void response.writeHead(200, { ...HEAD, ETag: '"b"' }).end(randomBytes(bytes.length)),
    'and has another file then, in part': (request, response) => sendRest(request, response, { ETag: '"b"' }),
    'and sends another part than the one that is missing': (request, response) =>
      sendRest(request, response, { 'Content-Range': `bytes ${HALF + 1}-${bytes.length - 1}/${bytes.length}` }),
    'and says another length then': (request, response) =>
      sendRest(request, response, {
        'Content-Range': `bytes ${rangeOf(request)}-${bytes.length - 1}/${bytes.length + 5}`,
      }),
    'and has nothing then': (_, response) => void response.writeHead(404).end(),
  };
  test.each(Object.keys(ways))('%s breaks the connections of all who read', async (way) => {
    let open = 0;
    const both: (() => void)[] = [];
    const rig = await startRig((request, response) => {
      if (request.headers.range !== undefined) return ways[way]?.(request, response);
      halfThen(response, () => both.push(() => response.destroy()));
    });
    const answers = await Promise.all([rig.open('/a'), rig.open('/a')]);
    for (const answer of answers) answer.once('data', () => open++).pause();
    await expect.poll(() => both.length).toBe(1);
    both[0]?.();
    const ends = await Promise.allSettled(answers.map(textOf));
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await rig.store.get(`http:http://${HOST}/a`)).toEqual([]);
    await expect.poll(() => rig.faults.some((fault) => fault.startsWith('the origin broke off'))).toBe(true);
  });

  test.each([
    ['is had whole by its date, which the part need not say', undefined, true],
    ['is had whole by its date', 'Thu, 01 Jan 2026 00:00:00 GMT', true],
    ['has another one then, and does not know If-Range, breaks the connection', 'Fri, 02 Jan 2026 00:00:00 GMT', false],
  ])('and %s', async (_, modified, isWhole) => {
    const head = {
      'Cache-Control': 'max-age=60',
      'Content-Length': bytes.length,
      'Last-Modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
    };
    const rig = await startRig((request, response) => {
      if (request.headers.range === undefined) return halfThen(response, () => response.destroy(), head);
      const from = rangeOf(request);
      const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
      const more = modified === undefined ? {} : { 'Last-Modified': modified };
      response.writeHead(206, { 'Content-Range': range, 'Content-Length': bytes.length - from, ...more });
      response.end(bytes.subarray(from));
    });
    const [got] = await Promise.allSettled([rig.get('/a')]);
    expect(got.status === 'fulfilled' && got.value.body === text).toBe(isWhole);
    expect(rig.origin.asked[1]?.headers['if-range']).toBe(head['Last-Modified']);
  });

  test('and cannot say which file it was is not asked again', async () => {
    const rig = await startRig((_, response) =>
      halfThen(response, () => response.destroy(), { 'Cache-Control': 'max-age=60', 'Content-Length': bytes.length }),
    );
    await expect(rig.get('/a')).rejects.toThrow();
    expect(rig.origin.asked).toHaveLength(1);
    expect(await rig.store.get(`http:http://${HOST}/a`)).toEqual([]);
  });

  test('in the middle of chunks never looks as if it were at its end', async () => {
    const rig = await startRig((_, response) =>
      halfThen(response, () => response.destroy(), { 'Cache-Control': 'max-age=60' }),
    );
    await expect(rig.get('/a')).rejects.toThrow();
    expect(await rig.store.get(`http:http://${HOST}/a`)).toEqual([]);
  });

  test('in an answer that is not kept breaks the connection too', async () => {
    const rig = await startRig((_, response) =>
      halfThen(response, () => response.destroy(), { 'Cache-Control': 'no-store', 'Content-Length': bytes.length }),
    );
    await expect(rig.get('/a')).rejects.toThrow();
  });
});

async function isRefused(url: URL): Promise<boolean> {
  try {
    await fetch(url, { method: 'HEAD' });
    return false;
  } catch {
    return true;
  }
}
