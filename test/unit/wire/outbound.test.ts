import net from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EnginePool } from '../../../src/wire/outbound.ts';
import { ReadBuffers } from '../../../src/wire/read-buffers.ts';
import { engine, LIMITS, OK, request } from './engine.ts';
import { Heard } from './heard.ts';
import { pause, until } from './talk.ts';

describe('a call to an engine', () => {
  it('is printed and answered, and the connection is used again', async () => {
    const { pool, send, hears, talks } = await engine();
    const first = send({ method: 'DELETE', target: '/a?b', headers: ['Host', 'docker', 'A', '1', 'A', '2'] });
    const talk = await hears(0, /\r\n\r\n$/);
    expect(talk.heard).toBe('DELETE /a?b HTTP/1.1\r\nHost: docker\r\nA: 1\r\nA: 2\r\n\r\n');
    talk.say(OK);
    expect(await first.ends()).toMatchObject({ status: 200, body: 'OK', complete: true, fault: null });
    expect(pool.idleConnections).toBe(1);
    const second = send({ method: 'POST', body: Buffer.from('{}') });
    await hears(0, /POST \/ HTTP\/1\.1\r\nHost: docker\r\nContent-Length: 2\r\n\r\n{}$/);
    talk.say(OK);
    await second.ends();
    send({ method: 'POST' });
    await hears(0, /POST \/ HTTP\/1\.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n$/);
    expect(talks.length).toBe(1);
    expect(pool.busyConnections).toBe(1);
  });

  it('is printed anew where it is a changed copy of one that was sent, and the same where it is the same', async () => {
    const { pool, hears } = await engine();
    const sent = request({ target: '/sent', headers: ['Host', 'docker', 'A', 'secret'] });
    const copies = [sent, sent, { ...sent, target: '/copy', headers: ['Host', 'docker'] }];
    for (const [n, copy] of copies.entries()) {
      const heard = new Heard();
      pool.send(copy, heard);
      (await hears(0, new RegExp(`(GET.*){${n + 1}}`, 's'))).say(OK);
      await heard.ends();
    }
    const first = 'GET /sent HTTP/1.1\r\nHost: docker\r\nA: secret\r\n\r\n';
    const talk = await hears(0, '/copy');
    expect(talk.heard).toBe(`${first}${first}GET /copy HTTP/1.1\r\nHost: docker\r\n\r\n`);
  });

  it('gives an answer as it comes, in every framing', async () => {
    const { send, hears, pool } = await engine();
    const length = send();
    const talk = await hears(0, '\r\n\r\n');
    talk.say('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nab');
    await until(() => length.body === 'ab');
    talk.say('cdef');
    expect(await length.ends()).toMatchObject({ body: 'abcdef', fault: null });
    const chunked = send();
    await talk.hears(/(GET.*){2}/s);
    for (const piece of [
      'HTTP/1.1 200 OK\r\nTransfer-Enco',
      'ding: chunked\r\n\r\n3\r',
      '\nab',
      'c\r\n0\r\n\r',
      '\n',
    ]) {
      talk.say(piece);
      await pause(5);
    }
    expect(await chunked.ends()).toMatchObject({ body: 'abc', fault: null, trailers: [] });
    expect(pool.idleConnections).toBe(1);
    const trailers = send();
    await talk.hears(/(GET.*){3}/s);
    talk.say('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n');
    expect(await trailers.ends()).toMatchObject({ body: 'abc', trailers: ['A', 'b'] });
    const close = send();
    await talk.hears(/(GET.*){4}/s);
    talk.say('HTTP/1.1 404 Not Found\r\n\r\nno such').end();
    expect(await close.ends()).toMatchObject({ status: 404, body: 'no such', fault: null });
    expect(pool.idleConnections).toBe(0);
  });

  it('reads no body behind HEAD, 204 and 304', async () => {
    const { send, hears, pool } = await engine();
    for (const [n, method, answer] of [
      [1, 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n'],
      [2, 'GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
      [3, 'GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n'],
    ] as const) {
      const call = send({ method });
      (await hears(0, new RegExp(`(HTTP.*){${n}}`, 's'))).say(answer);
      expect(await call.ends()).toMatchObject({ body: '', complete: true });
      expect(pool.idleConnections).toBe(1);
    }
  });

  it('tells interim answers but 100', async () => {
    const { send, hears } = await engine();
    const call = send();
    (await hears(0, '\r\n\r\n')).say(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\n${OK}`);
    expect(await call.ends()).toMatchObject({ informed: [103], body: 'OK' });
  });

  it('is a fault where the answer ends early, never a clean end', async () => {
    for (const answer of [
      'HTTP/1.1 200 OK\r\nContent-Le',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n',
    ]) {
      const { send, hears, pool } = await engine();
      const call = send();
      (await hears(0, '\r\n\r\n')).say(answer).end();
      expect((await call.ends()).fault?.kind).toBe('short');
      expect(call.cleanEnd).toBe(false);
      expect(pool.idleConnections).toBe(0);
      expect(pool.busyConnections).toBe(0);
    }
  });

  it('is a fault where the answer is garbage', async () => {
    for (const answer of [
      'SSH-2.0-x\r\n',
      'HTTP/1.1 200 OK\r\nA : b\r\n\r\n',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n',
      'HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n',
      `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(20_000)}`,
    ]) {
      const { send, hears, pool } = await engine();
      const call = send();
      (await hears(0, '\r\n\r\n')).say(answer);
      expect((await call.ends()).fault?.kind).toBe('garbage');
      expect(pool.idleConnections).toBe(0);
    }
  });

  it('is refused where nobody listens', async () => {
    const pool = new EnginePool(
      (options) => net.connect({ path: '/nonexistent/engine.sock', ...options }),
      LIMITS,
      new ReadBuffers(),
    );
    const heard = new Heard();
    pool.send(request(), heard);
    expect((await heard.ends()).fault?.kind).toBe('refused');
    expect(pool.busyConnections).toBe(0);
  });

  it('has a deadline to connect', async () => {
    const pool = new EnginePool(
      (options) => net.connect({ host: 'silent.invalid', port: 1, lookup: () => {}, ...options }),
      { ...LIMITS, connectTimeoutMs: 50 },
      new ReadBuffers(),
    );
    const heard = new Heard();
    pool.send(request(), heard);
    expect((await heard.ends()).fault?.kind).toBe('timeout');
  });

  it('has a deadline for the head where it was given one, and none for the body', async () => {
    const { send, hears, talks } = await engine();
    const silent = send({ headTimeoutMs: 60 });
    expect((await silent.ends()).fault?.kind).toBe('timeout');
    const patient = send();
    const talk = await hears(1, '\r\n\r\n');
    await pause(120);
    talk.say(OK);
    expect(await patient.ends()).toMatchObject({ body: 'OK' });
    const streamed = send({ headTimeoutMs: 60 });
    await hears(1, /(GET.*){2}/s);
    talk.say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n');
    await pause(120);
    talk.say('OK');
    expect(await streamed.ends()).toMatchObject({ body: 'OK', fault: null });
    const again = send({ headTimeoutMs: 60 });
    expect((await again.ends()).fault?.kind).toBe('timeout');
    expect(talks.length).toBe(2);
  });

  it('waits with the answer while the taker holds its bytes', async () => {
    const { send, hears } = await engine();
    const call = send();
    call.full = true;
    const body = 'x'.repeat(10_000_000);
    const talk = await hears(0, '\r\n\r\n');
    talk.say(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await until(() => call.status === 200);
    await pause(50);
    expect(call.body.length).toBeLessThan(2_000_000);
    call.full = false;
    call.call?.resume();
    expect((await call.ends()).body.length).toBe(body.length);
  });

  it('never reads over bytes that the taker still holds of an answer that is complete', async () => {
    const { send, hears } = await engine();
    const first = send();
    first.full = true;
    first.keep = true;
    const talk = await hears(0, '\r\n\r\n');
    talk.say('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst');
    await first.ends();
    const second = send();
    await talk.hears(/(GET.*){2}/s);
    talk.say(`HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n${'y'.repeat(500)}`);
    await second.ends();
    expect(first.kept.map((chunk) => chunk.toString())).toEqual(['first']);
  });

  it('uploads in chunks or in a given length, with back-pressure', async () => {
    const { send, hears, pool } = await engine();
    const chunked = send({ method: 'POST', body: 'chunked' });
    chunked.call?.body?.write(Buffer.from('abc'));
    chunked.call?.body?.write(Buffer.from('de'), true);
    chunked.call?.body?.end();
    const talk = await hears(0, /Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n$/);
    talk.say(OK);
    expect(await chunked.ends()).toMatchObject({ body: 'OK' });
    expect(pool.idleConnections).toBe(1);
    const length = send({ method: 'PUT', body: { length: 20_000_000 } });
    talk.socket.pause();
    const body = length.call?.body;
    if (body == null) throw new Error('no body');
    expect(body.write(Buffer.alloc(10_000_000, 'x'))).toBe(false);
    let ready = 0;
    body.onReady = () => ready++;
    await pause(30);
    expect(ready).toBe(0);
    talk.socket.resume();
    await until(() => ready === 1);
    body.write(Buffer.alloc(10_000_000, 'x'), true);
    body.end();
    await until(() => talk.heard.length > 20_000_000, 10_000);
    talk.say(OK);
    expect(await length.ends()).toMatchObject({ body: 'OK' });
    expect(pool.idleConnections).toBe(1);
  });

  it('delivers the answer of an engine that answers before the upload is through, and drops the connection', async () => {
    const { send, hears, pool } = await engine();
    const call = send({ method: 'POST', body: 'chunked' });
    call.call?.body?.write(Buffer.from('abc'));
    (await hears(0, 'abc')).say('HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno');
    expect(await call.ends()).toMatchObject({ status: 400, body: 'no', fault: null });
    expect(call.call?.body?.write(Buffer.from('more'))).toBe(true);
    call.call?.body?.end();
    expect(pool.idleConnections).toBe(0);
    await until(() => pool.busyConnections === 0);
  });

  it('delivers the answer of an engine that answers and closes in the middle of the upload', async () => {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.pause();
        socket.write('HTTP/1.1 500 Oops\r\nContent-Length: 3\r\n\r\nwhy', () => socket.destroy());
      });
    });
    const path = `\0berthgate-wire-${process.pid}`;
    server.listen(path);
    onTestFinished(() => void server.close());
    for (let round = 0; round < 20; round++) {
      const pool = new EnginePool((options) => net.connect({ path, ...options }), LIMITS, new ReadBuffers());
      const heard = new Heard();
      const call = pool.send(request({ method: 'POST', body: 'chunked' }), heard);
      heard.call = call;
      const chunk = Buffer.alloc(100_000, 'x');
      // All within one turn of the loop now and then, so that the write fails before the answer is read.
      const more = (): void => {
        while (!heard.over && call.body?.write(chunk) === true) if (Math.random() < 0.1) break;
        if (!heard.over) setImmediate(more);
      };
      more();
      expect(await heard.ends()).toMatchObject({ status: 500, body: 'why', fault: null });
    }
  });

  it('that is given up closes its connection and is silent', async () => {
    const { send, hears, pool } = await engine();
    const call = send();
    const talk = await hears(0, '\r\n\r\n');
    talk.say('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    await until(() => call.body === 'abc');
    call.call?.abort();
    await talk.hearsEnd();
    await pause(20);
    expect(call.over).toBe(false);
    expect(pool.busyConnections).toBe(0);
    expect(pool.idleConnections).toBe(0);
    const early = send();
    early.call?.abort();
    await pause(20);
    expect(early.over).toBe(false);
    expect(pool.busyConnections).toBe(0);
  });
});

describe('an upgrade', () => {
  const upgrade = { method: 'POST', upgrade: 'tcp', headers: ['Host', 'docker'] };

  it('becomes a tunnel after 101, with the bytes that came along', async () => {
    const { send, hears, pool } = await engine();
    const call = send({ ...upgrade, body: Buffer.from('{}') });
    const talk = await hears(0, /Content-Length: 2\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n{}$/);
    talk.say('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst');
    await call.ends();
    expect(call.tunnel?.bytes.toString()).toBe('first');
    expect(pool.busyConnections).toBe(0);
    expect(pool.idleConnections).toBe(0);
    call.tunnel?.channel.destroy();
    await talk.hearsEnd();
  });

  it('becomes a tunnel after the 200 without a length of older ways', async () => {
    const { send, hears } = await engine();
    const call = send({ method: 'POST', hijack: true });
    (await hears(0, '\r\n\r\n')).say('HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nfirst');
    await call.ends();
    expect(call.tunnel?.bytes.toString()).toBe('first');
  });

  it('that is refused is an ordinary answer, and no tunnel', async () => {
    const { send, hears, pool } = await engine();
    const call = send(upgrade);
    (await hears(0, '\r\n\r\n')).say('HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\nno');
    expect(await call.ends()).toMatchObject({ status: 409, body: 'no', tunnel: null });
    expect(pool.idleConnections).toBe(1);
    const raw = send(upgrade);
    (await hears(0, /(POST.*){2}/s)).say('HTTP/1.1 404 Not Found\r\n\r\nno such container').end();
    expect(await raw.ends()).toMatchObject({ status: 404, body: 'no such container', tunnel: null });
    expect(pool.idleConnections).toBe(0);
  });
});
