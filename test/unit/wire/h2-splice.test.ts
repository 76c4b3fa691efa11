// Two connections of HTTP/2 that are joined frame by frame: Node's own on both sides, with pieces that are cut anywhere.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http2 from 'node:http2';
import { type Duplex, duplexPair, Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { Http2Splice, type Verdict, type Watch } from '../../../src/wire/h2/splice.ts';
import { StreamEnd } from '../../../src/wire/h2/stream-end.ts';
import type { RawHeaders } from '../../../src/wire/message.ts';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** Bytes in pieces of this length. */
function cut(length: number): Transform {
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      for (let at = 0; at < piece.length; at += length) this.push(piece.subarray(at, at + length));
      done();
    },
  });
}

/** The two sides of a connection of which one is read in pieces. */
function pair(pieceBytes: number): readonly [Duplex, Duplex] {
  const [outer, far] = duplexPair();
  const [near, inner] = duplexPair();
  far.pipe(cut(pieceBytes)).pipe(near);
  near.pipe(far);
  return [outer, inner];
}

const opened = (stream: Duplex) => ({ channel: new StreamEnd(stream), bytes: Buffer.alloc(0) });

interface Joined {
  readonly asker: http2.ClientHttp2Session;
  readonly server: http2.ServerHttp2Session;
  readonly splice: Http2Splice;
  readonly judged: RawHeaders[];
}

async function join(
  verdict: (path: string) => Verdict = () => 'pass',
  { pieceBytes = 1000, room = 1 << 20 }: { pieceBytes?: number; room?: number } = {},
): Promise<Joined> {
  const [askerEnd, fromAsker] = pair(pieceBytes);
  const [serverEnd, fromServer] = pair(pieceBytes);
  const judged: RawHeaders[] = [];
  const splice = new Http2Splice(opened(fromAsker), opened(fromServer), (fields) => {
    judged.push(fields);
    return verdict(fields[fields.indexOf(':path') + 1] ?? '');
  });
  const server = http2.performServerHandshake(serverEnd);
  const asker = http2.connect('http://localhost', { createConnection: () => askerEnd });
  for (const session of [asker, server]) session.on('error', () => {});
  ends.push(() => {
    asker.destroy();
    server.destroy();
  });
  if (room > 0) server.setLocalWindowSize(room);
  await once(asker, 'remoteSettings');
  return { asker, server, splice, judged };
}

const echo = (server: http2.ServerHttp2Session): void => {
  server.on('stream', (stream: http2.ServerHttp2Stream) => {
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  });
};

async function echoed(asker: http2.ClientHttp2Session, path: string, bytes: Buffer): Promise<Buffer> {
  const stream = asker.request({ ':method': 'POST', ':path': path });
  stream.end(bytes);
  return buffer(stream);
}

const OWN: RawHeaders = [':method', 'POST', ':scheme', 'http', ':path', '/own', ':authority', 'here'];

describe('a call', () => {
  test('is judged by its fields as they were said, and passes', async () => {
    const { asker, server, judged } = await join();
    server.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
      stream.respond({ ':status': 200, 'x-said': headers['x-said'] });
      stream.end();
    });
    const octets = [...Array(0x7f - 0x20).keys()]
      .map((i) => i + 0x20)
      .concat([...Array(0x80).keys()].map((i) => i + 0x80));
    const values = fc
      .array(fc.constantFrom(...octets), { maxLength: 300 })
      .map((all) => Buffer.from(all).toString('latin1').trim());
    await fc.assert(
      fc.asyncProperty(values, async (value) => {
        const stream = asker.request({ ':path': '/said', 'x-said': value }, { endStream: true });
        const [answer] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
        stream.resume();
        expect(answer['x-said']).toBe(value);
        const fields = judged.at(-1) ?? [];
        expect(fields[fields.indexOf('x-said') + 1]).toBe(value);
        expect(fields[fields.indexOf(':path') + 1]).toBe('/said');
      }),
      { numRuns: 50 },
    );
  });

  test('may be refused, whatever it goes on to say', async () => {
    const refusedBy = [':status', '403', 'x-why', 'not here'];
    const { asker, server } = await join((path) => (path === '/refused' ? { refusedBy } : 'pass'));
    const asked: string[] = [];
    server.on('stream', (_, headers: http2.IncomingHttpHeaders) => asked.push(String(headers[':path'])));
    echo(server);
    for (let i = 0; i < 5; i++) {
      const stream = asker.request({ ':method': 'POST', ':path': '/refused' }, { endStream: false });
      // Together more than a connection has room for, if nobody gave it back.
      stream.end(randomBytes(40_000));
      const [answer] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
      expect(answer).toMatchObject({ ':status': 403, 'x-why': 'not here' });
      stream.resume();
    }
    const bytes = randomBytes(200_000);
    expect(await echoed(asker, '/after', bytes)).toEqual(bytes);
    expect(asked).toEqual(['/after']);
  });

  test('of ours is answered while others pass, and is heard by nobody else', async () => {
    for (const pieceBytes of [7, 500, 100_000]) {
      const { asker, server, splice, judged } = await join(() => 'pass', { pieceBytes });
      const large = pieceBytes < 100 ? 20_000 : 1_000_000;
      echo(server);
      await echoed(asker, '/first', Buffer.from('x'));
      const bytes = [randomBytes(large), randomBytes(large), randomBytes(10)];
      const passing = bytes.map((one, i) => echoed(asker, `/${i}`, one));
      const own: Buffer[] = [];
      for (let i = 0; i < 10; i++) {
        own.push((await splice.ask(OWN, Buffer.from(`own ${i}`), 60_000)) ?? Buffer.alloc(0));
        if (i % 5 === 0) passing.push(echoed(asker, '/more', bytes[2] as Buffer));
      }
      expect(own.map(String)).toEqual(own.map((_, i) => `own ${i}`));
      const all = await Promise.all(passing);
      for (const [i, one] of all.entries()) expect(one.equals(bytes[Math.min(i, 2)] as Buffer)).toBe(true);
      expect(judged.flat()).not.toContain('/own');
    }
  });

  test('of ours is not made where there is no room for it, nobody answers, or the other side has said goodbye', async () => {
    const narrow = await join(() => 'pass', { room: 0 });
    echo(narrow.server);
    await echoed(narrow.asker, '/first', Buffer.from('x'));
    expect(await narrow.splice.ask(OWN, Buffer.from('own'), 60_000)).toBeNull();

    const { asker, server, splice } = await join();
    server.once('stream', (stream: http2.ServerHttp2Stream) => {
      stream.respond({ ':status': 200 });
      stream.end();
    });
    await echoed(asker, '/first', Buffer.from('x'));
    const silent = once(server, 'stream') as Promise<[http2.ServerHttp2Stream]>;
    expect(await splice.ask(OWN, Buffer.from('own'), 50)).toBeNull();
    const [own] = await silent;
    own.on('error', () => {});
    if (!own.closed) await once(own, 'close');
    const goodbye = once(asker, 'goaway');
    server.goaway(0);
    await goodbye;
    expect(await splice.ask(OWN, Buffer.from('own'), 60_000)).toBeNull();
  });
});

describe('an answer that is watched', () => {
  const watch = (): Watch => {
    let seen = '';
    return (payload) => {
      seen += payload.toString('latin1');
      if (seen.includes('bad')) return { endedBy: ['x-why', 'bad'] };
      return seen.endsWith('.') ? 'pass' : 'hold';
    };
  };

  test('passes when it has been seen, and what was held with it', async () => {
    const { asker, server } = await join(() => ({ watch: watch() }));
    server.on('stream', async (stream: http2.ServerHttp2Stream) => {
      stream.respond({ ':status': 200 });
      for (const piece of ['one', ' two.', ' three', '.']) {
        await new Promise((resolve) => stream.write(piece, resolve));
      }
      stream.end();
    });
    expect(String(await echoed(asker, '/', Buffer.from('x')))).toBe('one two. three.');
  });

  test('ends in our words, and nothing of what was held passes', async () => {
    const { asker, server } = await join((path) => (path === '/watched' ? { watch: watch() } : 'pass'));
    server.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
      stream.on('error', () => {});
      stream.respond({ ':status': 200 });
      if (headers[':path'] === '/watched') stream.end(`ba${'d '.repeat(30_000)}`);
      else stream.pipe(stream);
    });
    for (let i = 0; i < 5; i++) {
      const stream = asker.request({ ':method': 'POST', ':path': '/watched' });
      const trailers = once(stream, 'trailers') as Promise<[http2.IncomingHttpHeaders]>;
      expect(String(await buffer(stream))).toBe('');
      expect((await trailers)[0]['x-why']).toBe('bad');
    }
    // What did not pass takes no room from what does.
    const bytes = randomBytes(200_000);
    expect(await echoed(asker, '/after', bytes)).toEqual(bytes);
  });
});

test('who does not speak HTTP/2 is not listened to', async () => {
  const [askerEnd, fromAsker] = duplexPair();
  const [serverEnd, fromServer] = duplexPair();
  const splice = new Http2Splice(opened(fromAsker), opened(fromServer), () => 'pass');
  askerEnd.write('GET / HTTP/1.1\r\n\r\n');
  askerEnd.resume();
  serverEnd.resume();
  await splice.ended;
  expect(serverEnd.destroyed || serverEnd.readableEnded || fromServer.destroyed).toBe(true);
});
