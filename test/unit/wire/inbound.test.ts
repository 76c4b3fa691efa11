import { describe, expect, it } from 'vitest';
import type { AnswerSink, Exchange } from '../../../src/wire/inbound.ts';
import { WireFault } from '../../../src/wire/wire-fault.ts';
import { dial, echoTarget, get, Kept, ok, pause, post, serve, until } from './talk.ts';

describe('a connection', () => {
  it('closes where the client asks for it, or speaks 1.0', async () => {
    const { port } = await serve(echoTarget);
    const one = await dial(port);
    one.say(get('/a', 'Connection: close\r\n') + get('/b'));
    expect(await one.hearsEnd()).toBe('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n/a');
    const old = await dial(port);
    old.say('GET /a HTTP/1.0\r\n\r\n');
    expect(await old.hearsEnd()).toMatch(/Connection: close\r\n\r\n\/a$/);
    const kept = await dial(port);
    kept.say('GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    expect(await kept.hears(/\/a$/)).toMatch(/Connection: keep-alive/);
  });

  it('answers what it cannot read with the fault, and ends', async () => {
    const { port } = await serve(echoTarget);
    const talk = await dial(port);
    talk.say(`${get('/a')}GET / HTTP/1.1\r\nHost : x\r\n\r\n`);
    const heard = await talk.hearsEnd();
    expect(heard).toMatch(
      /\/aHTTP\/1\.1 400 Fault\r\nContent-Length: 18\r\nConnection: close\r\n\r\nspace-before-colon$/,
    );
  });

  it('refuses HTTP/2 with a message of its own', async () => {
    const talk = await dial((await serve(echoTarget)).port);
    talk.say('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    expect(await talk.hearsEnd()).toMatch(/^HTTP\/1\.1 505 .*http2-preface$/s);
  });

  it('cuts a head that comes too slowly, and leaves an idle connection alone', async () => {
    const served = await serve(echoTarget, { headTimeoutMs: 80 });
    const idle = await dial(served.port);
    const slow = await dial(served.port);
    slow.say('GET /');
    expect(await slow.hearsEnd()).toMatch(/408 .*slow-head$/s);
    expect(idle.ended).toBe(false);
    idle.say(get('/a'));
    await idle.hears(/\/a$/);
    await pause(120);
    expect(idle.ended).toBe(false);
    idle.say('GET /b');
    expect(await idle.hearsEnd()).toMatch(/408/);
  });

  it('closes an idle connection after the idle limit only', async () => {
    const served = await serve((exchange) => setTimeout(() => exchange.answer(ok(), null), 150), { idleTimeoutMs: 60 });
    const talk = await dial(served.port);
    talk.say(get('/a'));
    await talk.hears('200 OK');
    await talk.hearsEnd(1000);
    await until(() => served.closed.length === 1);
  });

  it('cuts a whole body that comes too slowly with 408, and never a streamed one', async () => {
    const sink = new Kept();
    const served = await serve(
      (exchange) => {
        if (exchange.head.target === '/stream') exchange.streamBody(sink);
        else exchange.readBody(100).catch((fault: WireFault) => exchange.refuse(fault));
      },
      { bodyTimeoutMs: 60 },
    );
    const stream = await dial(served.port);
    stream.say(post('/stream', 'Content-Length: 3\r\n', 'a'));
    const whole = await dial(served.port);
    whole.say(post('/whole', 'Content-Length: 3\r\n', 'a'));
    expect(await whole.hearsEnd()).toMatch(/408 .*slow-body$/s);
    await pause(100);
    stream.say('bc');
    await until(() => sink.ended);
    expect(sink.text).toBe('abc');
  });

  it('does not wait for ever for a body that nobody wants', async () => {
    const served = await serve((exchange) => exchange.answer(ok(), null), { bodyTimeoutMs: 60 });
    const talk = await dial(served.port);
    talk.say(post('/', 'Content-Length: 100\r\n', 'the beginning'));
    await talk.hears('200 OK');
    await until(() => served.closed.length === 1);
  });

  it('reads a whole body in pieces of any size, up to its last byte', async () => {
    const body = Array.from({ length: 3000 }, (_, i) => String(i)).join(' ');
    const { port } = await serve(async (exchange) => void exchange.answer(ok(), await exchange.readBody(body.length)));
    const talk = await dial(port);
    talk.say('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (let at = 0, length = 1; at < body.length; at += length++) {
      const piece = body.slice(at, at + length);
      talk.say(`${piece.length.toString(16)}\r\n${piece}\r\n`);
      await new Promise(setImmediate);
    }
    talk.say('0\r\n\r\n');
    expect((await talk.hears(body)).endsWith(body)).toBe(true);
  });

  it('refuses a body over the limit with 413, announced or not, and the client hears it', async () => {
    const served = await serve((exchange) => {
      exchange.readBody(1000).then(
        () => exchange.answer(ok(), null),
        (fault: WireFault) => exchange.refuse(fault),
      );
    });
    const announced = await dial(served.port);
    announced.say(post('/', 'Content-Length: 5000000\r\n', 'x'.repeat(2_000_000)));
    expect(await announced.hearsEnd()).toMatch(/413 .*body-too-large$/s);
    const chunked = await dial(served.port);
    chunked.say(post('/', 'Transfer-Encoding: chunked\r\n', `ffffff\r\n${'x'.repeat(2_000_000)}`));
    expect(await chunked.hearsEnd()).toMatch(/413 .*body-too-large$/s);
    const exact = await dial(served.port);
    exact.say(post('/', 'Content-Length: 1000\r\n', 'x'.repeat(1000)));
    await exact.hears('200 OK');
  });

  it('reads over a small body that nobody wants, and closes behind a large one', async () => {
    const served = await serve(echoTarget);
    const { port } = served;
    const small = await dial(port);
    small.say(post('/a', 'Content-Length: 1000\r\n', 'x'.repeat(500)));
    await small.hears(/\/a$/);
    small.say(`${'x'.repeat(500)}${get('/b')}`);
    await small.hears(/\/b$/);
    const large = await dial(port);
    large.say(post('/a', 'Content-Length: 10000000\r\n', 'x'));
    expect(await large.hearsEnd()).toMatch(/Connection: close\r\n\r\n\/a$/);
    const chunked = await dial(port);
    chunked.say(post('/a', 'Transfer-Encoding: chunked\r\n', `ffffff\r\n${'x'.repeat(400_000)}`));
    expect(await chunked.hearsEnd()).toMatch(/Connection: close\r\n\r\n\/a$/);
    await until(() => served.closed.length === 2);
  });

  it('says 100 Continue when the body is first wanted, and not otherwise', async () => {
    const served = await serve((exchange) => {
      if (exchange.head.target === '/no') exchange.answer(ok(), 'no');
      else setTimeout(() => exchange.readBody(100).then((body) => exchange.answer(ok(), body)), 20);
    });
    const wanted = await dial(served.port);
    wanted.say(post('/yes', 'Expect: 100-continue\r\nContent-Length: 3\r\n', ''));
    await wanted.hears(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    wanted.say('abc');
    await wanted.hears(/200 OK.*abc$/s);
    const unwanted = await dial(served.port);
    unwanted.say(post('/no', 'Expect: 100-continue\r\nContent-Length: 3\r\n', ''));
    expect(await unwanted.hearsEnd()).toMatch(/^HTTP\/1\.1 200 OK.*Connection: close/s);
    const hasty = await dial(served.port);
    hasty.say(post('/yes', 'Expect: 100-continue\r\nContent-Length: 3\r\n', 'abc'));
    await hasty.hears(/200 OK.*abc$/s);
    expect(hasty.heard).not.toContain('100 Continue');
  });

  it('tells the sink and the handler of a malformed body, and never reads on behind it', async () => {
    const sink = new Kept();
    const served = await serve((exchange) => exchange.streamBody(sink, (fault) => exchange.refuse(fault)));
    const talk = await dial(served.port);
    talk.say(post('/', 'Transfer-Encoding: chunked\r\n', `3\r\nabcd\r\n0\r\n\r\n${get('/b')}`));
    const heard = await talk.hearsEnd();
    expect(heard).toMatch(/400 .*bad-chunk$/s);
    expect(heard.match(/HTTP/g)).toHaveLength(1);
    expect(sink.cause).toBeInstanceOf(WireFault);
    expect(sink.ended).toBe(false);
  });

  it('tells the sink of a body that breaks off', async () => {
    const sink = new Kept();
    const served = await serve((exchange) => exchange.streamBody(sink));
    const talk = await dial(served.port);
    talk.say(post('/', 'Content-Length: 10\r\n', 'abc')).end();
    await until(() => sink.cause !== null);
    expect(sink.text).toBe('abc');
    expect(sink.ended).toBe(false);
  });

  it.each([
    ['a length', 'Content-Length: 10\r\n'],
    ['chunks', 'Transfer-Encoding: chunked\r\n'],
  ])(
    'never ends a body with %s as if it were whole where its client went before anybody asked for it',
    async (_, fields) => {
      const sink = new Kept();
      let begun: Exchange | null = null;
      const served = await serve((exchange) => {
        begun = exchange;
      });
      const talk = await dial(served.port);
      talk.say(post('/', fields, '3\r\nabc\r\n'));
      await until(() => begun !== null);
      talk.socket.resetAndDestroy();
      await until(() => served.closed.length === 1);
      const exchange = begun as unknown as Exchange;
      exchange.streamBody(sink);
      expect([sink.cause, sink.ended]).toEqual([expect.any(WireFault), false]);
      expect(exchange.takeBody()).toBeNull();
      await expect(exchange.readBody(1000)).rejects.toThrow('went away');
    },
  );

  it('prints a streamed answer in chunks, for 1.0 until the end of the connection, or with the length given', async () => {
    const served = await serve(async (exchange) => {
      const sink = exchange.startAnswer(ok(), exchange.head.target === '/length' ? 5 : null);
      await pause(5);
      sink.write(Buffer.from('he'));
      await pause(5);
      sink.write(Buffer.from('llo'), true);
      sink.end();
    });
    const talk = await dial(served.port);
    talk.say(get('/chunks') + get('/length'));
    await talk.hears(/Length: 5\r\n\r\nhello$/);
    expect(talk.heard).toBe(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    );
    const old = await dial(served.port);
    old.say('GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    expect(await old.hearsEnd()).toBe('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello');
  });

  it('flushes the head of a streamed answer at once', async () => {
    const served = await serve((exchange) => void exchange.startAnswer(ok()));
    const talk = await dial(served.port);
    talk.say(get('/wait'));
    await talk.hears(/\r\n\r\n$/);
  });

  it('gives no body to HEAD, 204 and 304', async () => {
    const served = await serve((exchange) => {
      const status = Number(exchange.head.target.slice(1));
      if (exchange.head.headers.includes('X-Stream')) {
        const sink = exchange.startAnswer({ status, reason: '', headers: [] }, 3);
        sink.write(Buffer.from('abc'));
        sink.end();
      } else exchange.answer({ status, reason: '', headers: [] }, 'abc');
    });
    for (const stream of ['', 'X-Stream: 1\r\n']) {
      const talk = await dial(served.port);
      talk.say(
        `HEAD /200 HTTP/1.1\r\nHost: x\r\n${stream}\r\n${get('/204', stream)}${get('/304', stream)}${get('/200', stream)}`,
      );
      await talk.hears(/abc$/);
      expect(talk.heard).toBe(
        'HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\nHTTP/1.1 204 \r\n\r\nHTTP/1.1 304 \r\n\r\nHTTP/1.1 200 \r\nContent-Length: 3\r\n\r\nabc',
      );
    }
  });

  it('cuts the client off where an answer is shorter than it said, and where it is aborted', async () => {
    const served = await serve((exchange) => {
      const sink = exchange.startAnswer(ok(), exchange.head.target === '/short' ? 5 : null);
      sink.write(Buffer.from('abc'));
      setTimeout(() => (exchange.head.target === '/short' ? sink.end() : sink.abort(new Error('broken'))), 20);
    });
    for (const target of ['/short', '/aborted']) {
      const talk = await dial(served.port);
      talk.say(get(target));
      await talk.isClosed();
      expect(talk.heard).not.toContain('0\r\n\r\n');
      expect(talk.failed).toMatchObject({ code: 'ECONNRESET' });
    }
  });

  it('holds a streamed answer back while the client does not read, and goes on when it does', async () => {
    let sink: AnswerSink | null = null;
    const served = await serve((exchange) => {
      sink = exchange.startAnswer(ok(), 48_000_000);
    });
    const talk = await dial(served.port);
    talk.socket.pause();
    talk.say(get('/'));
    await until(() => sink !== null);
    const answer = sink as unknown as AnswerSink;
    // More than a kernel keeps for a socket (tcp_wmem: 4 MiB).
    const chunk = Buffer.alloc(12_000_000, 'x');
    let left = 3;
    expect(answer.write(chunk)).toBe(false);
    answer.onReady = () => {
      while (left > 0) {
        left--;
        if (!answer.write(chunk, left === 0)) return;
      }
      answer.end();
    };
    await pause(50);
    expect(left).toBe(3);
    talk.socket.resume();
    await until(() => talk.heard.length > 48_000_000, 10_000);
  });

  it('lets a client go at once that was answered before its body was whole, and ends', async () => {
    const served = await serve((exchange) => exchange.answer(ok(), 'early'));
    for (const framing of ['Transfer-Encoding: chunked', 'Content-Length: 100']) {
      const talk = await dial(served.port);
      talk.say(`POST / HTTP/1.1\r\nHost: x\r\n${framing}\r\n\r\n4\r\n`);
      await talk.hears(/early$/);
      talk.socket.end();
      await talk.isClosed();
    }
    await until(() => served.closed.length === 2);
  });

  it('passes interim answers to 1.1 clients only', async () => {
    const served = await serve((exchange) => {
      exchange.inform(103, ['Link', 'x']);
      exchange.answer(ok(), null);
    });
    const talk = await dial(served.port);
    talk.say(get('/'));
    await talk.hears(/^HTTP\/1\.1 103 \r\nLink: x\r\n\r\nHTTP\/1\.1 200 OK/);
    const old = await dial(served.port);
    old.say('GET / HTTP/1.0\r\n\r\n');
    expect(await old.hearsEnd()).toMatch(/^HTTP\/1\.1 200/);
  });

  it('answers 500 in place of a head that would be read otherwise than meant', async () => {
    const served = await serve((exchange) => void exchange.answer(ok(['A', 'b\r\nC: d']), null));
    const talk = await dial(served.port);
    talk.say(get('/'));
    await talk.hears(/500 .*unprintable$/s);
    expect(talk.heard).not.toContain('C: d');
  });

  it('prints a changed copy of an answer anew', async () => {
    const first = ok(['A', 'secret']);
    const served = await serve((exchange) => {
      exchange.answer(exchange.head.target === '/copy' ? { ...first, headers: ['B', 'c'] } : first, null);
    });
    const talk = await dial(served.port);
    talk.say(get('/first') + get('/first') + get('/copy'));
    await talk.hears('B: c');
    expect(talk.heard.match(/A: secret/g)).toHaveLength(2);
  });

  it('prints an answer that comes again as it was, and never with a body that is another one', async () => {
    const start = { ...ok(), headers: ['Name', 'value'] };
    const bodies = ['one', 'two'].map((text) => Buffer.from(text));
    const served = await serve((exchange) => {
      exchange.answerSame(start, bodies[exchange.head.target.endsWith('2') ? 1 : 0] as Buffer);
    });
    const talk = await dial(served.port);
    const printed = 'HTTP/1.1 200 OK\r\nName: value\r\nContent-Length: 3\r\n\r\n';
    const targets = ['/1', '/1', '/1', '/2', '/2', '/1'];
    for (const target of targets) talk.say(get(target));
    talk.say('HEAD /1 HTTP/1.1\r\nHost: x\r\n\r\n');
    talk.say('GET /1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await talk.hearsEnd();
    const all = targets.map((target) => `${printed}${target === '/1' ? 'one' : 'two'}`).join('');
    const last = printed.replace(/\r\n$/, 'Connection: close\r\n\r\n');
    expect(talk.heard).toBe(`${all}${printed}${last}one`);
  });

  it('tells that the client is gone at its FIN where the owner says that an Upgrade means nothing here', async () => {
    let gone = false;
    const served = await serve((exchange) => {
      expect(exchange.keepsHalfOpen).toBe(true);
      exchange.keepsHalfOpen = false;
      exchange.onGone = () => {
        gone = true;
      };
    });
    const talk = await dial(served.port);
    talk.say(get('/events', 'Upgrade: tcp\r\n')).end();
    await until(() => gone, 1000);
  });

  it('counts the bytes of each exchange', async () => {
    const counts: number[][] = [];
    const served = await serve(async (exchange) => {
      await exchange.readBody(100);
      exchange.answer(ok(), 'abc');
      counts.push([exchange.bytesIn, exchange.bytesOut]);
    });
    const talk = await dial(served.port);
    const request = post('/', 'Content-Length: 3\r\n', 'abc');
    talk.say(request);
    await until(() => counts.length === 1);
    talk.say(request);
    await until(() => counts.length === 2);
    const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc';
    expect(counts).toEqual([
      [request.length, answer.length],
      [request.length, answer.length],
    ]);
  });

  it('drains: closes at once when idle, else after its answer', async () => {
    let answer: (() => void) | null = null;
    const served = await serve((exchange) => {
      answer = () => exchange.answer(ok(), 'late');
    });
    const idle = await dial(served.port);
    const busy = await dial(served.port);
    busy.say(get('/'));
    await until(() => answer !== null && served.connections.length === 2);
    for (const connection of served.connections) connection.drain();
    await idle.hearsEnd();
    expect(busy.ended).toBe(false);
    (answer as unknown as () => void)();
    expect(await busy.hearsEnd()).toMatch(/Connection: close\r\n\r\nlate$/);
  });

  it.each([
    ['at once', () => true],
    ['behind it', (begun: Exchange) => begun.connection.channel.ended],
  ])('does not count a FIN as gone where it belongs to the stream, which the owner says %s', async (_, isTime) => {
    let gone = false;
    let exchange: Exchange | null = null;
    const served = await serve(async (begun) => {
      exchange = begun;
      if (!isTime(begun)) await until(() => isTime(begun));
      begun.keepsHalfOpen = true;
      begun.onGone = () => {
        gone = true;
      };
    });
    const talk = await dial(served.port);
    talk.say(post('/attach', '', 'input')).end();
    await pause(400);
    expect(gone).toBe(false);
    const end = (exchange as unknown as Exchange).upgrade(ok(['Content-Type', 'raw']), null);
    expect(end.bytes.toString()).toBe('input');
    end.channel.write('output');
    end.channel.end();
    expect(await talk.hearsEnd()).toBe('HTTP/1.1 200 OK\r\nContent-Type: raw\r\n\r\noutput');
  });

  it('lets a slow client have the whole of its last answer', async () => {
    const body = Buffer.alloc(30_000_000, 'x');
    const served = await serve((exchange) => void exchange.answer(ok(), body));
    const talk = await dial(served.port);
    talk.socket.pause();
    talk.say(get('/', 'Connection: close\r\n'));
    await pause(1500);
    talk.socket.resume();
    await talk.hearsEnd(10_000);
    expect(talk.heard.length).toBeGreaterThan(body.length);
  });
});
