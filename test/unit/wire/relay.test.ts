import net from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Exchange } from '../../../src/wire/inbound.ts';
import { EnginePool } from '../../../src/wire/outbound.ts';
import { ReadBuffers } from '../../../src/wire/read-buffers.ts';
import { type RelayHooks, type RelayOutcome, relay } from '../../../src/wire/relay.ts';
import { dial, get, listen, pause, post, serve, Talk, until } from './talk.ts';

interface Relayed {
  readonly port: number;
  readonly engines: Talk[];
  readonly outcomes: RelayOutcome[];
  readonly pool: EnginePool;
}

async function relayed(hooks: Partial<RelayHooks> = {}): Promise<Relayed> {
  const engines: Talk[] = [];
  const enginePort = await listen(
    net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => engines.push(new Talk(socket))),
  );
  const pool = new EnginePool(
    (options) => net.connect({ port: enginePort, host: '127.0.0.1', ...options }),
    { headBytes: 16_384, headers: 100, connectTimeoutMs: 2000, idleConnections: 100 },
    new ReadBuffers(),
  );
  onTestFinished(() => pool.close());
  const outcomes: RelayOutcome[] = [];
  const { port } = await serve((exchange: Exchange) => {
    const { method, target, headers, framing, upgrade } = exchange.head;
    const stream = framing.kind !== 'none';
    const body =
      framing.kind === 'length' ? { length: framing.bytes } : framing.kind === 'chunked' ? ('chunked' as const) : null;
    relay(
      exchange,
      pool,
      { method, target, headers, body, upgrade, stream },
      {
        onHead: (head) => head,
        onFault: (fault) => void exchange.answer({ status: 502, reason: 'Bad Gateway', headers: [] }, fault.kind),
        onDone: (outcome) => outcomes.push(outcome),
        ...hooks,
      },
    );
  });
  return { port, engines, outcomes, pool };
}

async function engineOf({ engines }: Relayed, n = 0): Promise<Talk> {
  await until(() => engines.length > n);
  return engines[n] as Talk;
}

describe('a relayed call', () => {
  it('passes the end-to-end fields both ways, repeated and in order, and no others', async () => {
    const all = await relayed();
    const client = await dial(all.port);
    client.say(
      get(
        '/x?y',
        'A: 1\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nA: 2\r\nProxy-Authorization: x\r\n',
      ),
    );
    const engine = await engineOf(all);
    await engine.hears('\r\n\r\n');
    expect(engine.heard).toMatch(/^GET \/x\?y HTTP\/1\.1\r\nHost: x\r\nA: 1\r\nA: 2\r\n\r\n$/);
    engine.say(
      'HTTP/1.1 404 Not Found\r\nB: 1\r\nKeep-Alive: x\r\nB: 2\r\nConnection: B-Hop\r\nB-Hop: 1\r\nContent-Length: 4\r\n\r\nnone',
    );
    await client.hears(/none$/);
    expect(client.heard).toBe('HTTP/1.1 404 Not Found\r\nB: 1\r\nB: 2\r\nContent-Length: 4\r\n\r\nnone');
    await until(() => all.outcomes.length === 1);
    expect(all.outcomes[0]).toEqual({ kind: 'answered' });
  });

  // docker-py reads JSON line by line from chunked answers only.
  it('leaves a small answer chunked that came so, and in one write', async () => {
    const all = await relayed();
    const client = await dial(all.port);
    client.say(get('/'));
    (await engineOf(all)).say('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n');
    expect(await client.hears(/0\r\n\r\n$/)).toBe(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n',
    );
    client.say(get('/empty'));
    (await engineOf(all)).say('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
    await client.hears(/chunked\r\n\r\n0\r\n\r\n$/);
  });

  it('passes a streamed answer as it comes', async () => {
    const all = await relayed();
    const client = await dial(all.port);
    client.say(get('/events'));
    const engine = await engineOf(all);
    await engine.hears('\r\n\r\n');
    engine.say('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    await client.hears(/\r\n\r\n$/);
    for (const line of ['one\n', 'two\n']) {
      engine.say(`4\r\n${line}\r\n`);
      await client.hears(new RegExp(`4\r\n${line}\r\n$`));
    }
    engine.say('0\r\n\r\n');
    await client.hears(/\r\n0\r\n\r\n$/);
    client.say(get('/next'));
    await engine.hears('/next');
  });

  it('passes large bodies both ways unchanged, with readers that stop now and then', async () => {
    const all = await relayed();
    const client = await dial(all.port);
    const large = Buffer.from(Array.from({ length: 9_000_000 }, (_, i) => (i * 31) & 255)).toString('latin1');
    let chunked = '';
    for (let at = 0; at < large.length; ) {
      const size = Math.min(1 + ((at * 7) % 70_000), large.length - at);
      chunked += `${size.toString(16)}\r\n${large.slice(at, at + size)}\r\n`;
      at += size;
    }
    client.say(post('/load', 'Transfer-Encoding: chunked\r\n', `${chunked}0\r\n\r\n`));
    const engine = await engineOf(all);
    engine.socket.pause();
    setTimeout(() => engine.socket.resume(), 100);
    await engine.hears(/\r\n0\r\n\r\n$/, 20_000);
    expect(dechunk(engine.heard.slice(engine.heard.indexOf('\r\n\r\n') + 4)) === large).toBe(true);
    client.socket.pause();
    setTimeout(() => client.socket.resume(), 100);
    engine.say(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}0\r\n\r\n`);
    await client.hears(/\r\n0\r\n\r\n$/, 20_000);
    expect(dechunk(client.heard.slice(client.heard.indexOf('\r\n\r\n') + 4)) === large).toBe(true);
    client.heard = '';
    client.say(post('/length', `Content-Length: ${large.length}\r\n`, large));
    await until(() => engine.heard.endsWith(large), 20_000);
    engine.say(`HTTP/1.1 200 OK\r\nContent-Length: ${large.length}\r\n\r\n${large}`);
    await until(() => client.heard.endsWith(large), 20_000);
    await until(() => all.outcomes.length === 2);
    expect(all.pool.idleConnections).toBe(1);
  });

  it('never mixes answers when slow clients hold small ones', async () => {
    const all = await relayed();
    const slow = await Promise.all(Array.from({ length: 8 }, () => dial(all.port)));
    const body = (n: number) => `${n}`.repeat(60_000);
    for (const client of slow) {
      client.socket.pause();
      for (let n = 0; n < 40; n++) client.say(get(`/${n % 10}`));
    }
    const answered = new Map<Talk, number>();
    const stop = setInterval(() => {
      for (const engine of all.engines) {
        const targets = [...engine.heard.matchAll(/GET \/(\d) /g)].map((match) => Number(match[1]));
        for (let i = answered.get(engine) ?? 0; i < targets.length; i++) {
          const text = body(targets[i] as number);
          engine.say(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
          answered.set(engine, i + 1);
        }
      }
    }, 1);
    onTestFinished(() => clearInterval(stop));
    await pause(300);
    for (const client of slow) client.socket.resume();
    const expected = Array.from(
      { length: 40 },
      (_, n) => `HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n${body(n % 10)}`,
    ).join('');
    for (const client of slow) {
      await until(() => client.heard.length >= expected.length, 10_000);
      expect(client.heard === expected).toBe(true);
    }
  });

  it('ends the call to the engine when the client goes away', async () => {
    const all = await relayed();
    const client = await dial(all.port);
    client.say(get('/events'));
    const engine = await engineOf(all);
    await engine.hears('\r\n\r\n');
    client.socket.destroy();
    await engine.hearsEnd(1000);
    await until(() => all.outcomes.length === 1);
    expect(all.outcomes[0]).toEqual({ kind: 'gone' });
    expect(all.pool.idleConnections).toBe(0);
  });

  it('ends the call to the engine when the client goes away in the middle of its body', async () => {
    const all = await relayed();
    const client = await dial(all.port);
    client.say(post('/build', 'Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n'));
    const engine = await engineOf(all);
    await engine.hears('abc');
    client.socket.destroy();
    await engine.hearsEnd(1000);
    expect(engine.heard).not.toContain('0\r\n\r\n');
    await until(() => all.outcomes.length === 1);
  });

  it('refuses a malformed body, and the engine never sees it end', async () => {
    const all = await relayed();
    const client = await dial(all.port);
    client.say(post('/build', 'Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n'));
    const engine = await engineOf(all);
    await engine.hears('abc');
    client.say('-1\r\n');
    expect(await client.hearsEnd()).toMatch(/400 .*bad-chunk$/s);
    await engine.hearsEnd();
    expect(engine.heard).not.toContain('0\r\n\r\n');
    expect(all.outcomes).toEqual([{ kind: 'client-fault' }]);
  });

  it('lets the owner answer where the engine gave no head', async () => {
    const all = await relayed();
    const client = await dial(all.port);
    client.say(get('/'));
    const engine = await engineOf(all);
    await engine.hears('\r\n\r\n');
    engine.end();
    await client.hears(/502 .*reset$/s);
    expect(all.outcomes[0]).toMatchObject({ kind: 'engine-fault', answered: true });
    client.say(get('/again'));
    (await engineOf(all, 1)).say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK');
    await client.hears(/OK$/);
  });

  it('cuts the client off where the answer breaks, never ends it cleanly', async () => {
    for (const answer of ['Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', 'Content-Length: 5\r\n\r\nabc']) {
      const all = await relayed();
      const client = await dial(all.port);
      client.say(get('/'));
      const engine = await engineOf(all);
      await engine.hears('\r\n\r\n');
      engine.say(`HTTP/1.1 200 OK\r\n${answer}`);
      await client.hears('abc');
      engine.end();
      await client.isClosed();
      expect(client.failed).toMatchObject({ code: 'ECONNRESET' });
      expect(client.heard).not.toContain('0\r\n\r\n');
      expect(all.outcomes[0]).toMatchObject({ kind: 'engine-fault', answered: false });
    }
  });

  it('delivers an answer that comes before the upload is through', async () => {
    const all = await relayed();
    const client = await dial(all.port);
    client.say(post('/build', 'Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n'));
    const engine = await engineOf(all);
    await engine.hears('abc');
    engine.say('HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno');
    await client.hears(/400 .*Connection: close.*no$/s);
    client.say('3\r\ndef\r\n0\r\n\r\n');
    await client.hearsEnd();
    expect(client.failed).toBeNull();
  });

  it('goes on behind an upload that was answered before its last bytes had left', async () => {
    const all = await relayed();
    const client = await dial(all.port);
    const large = 'x'.repeat(64_000_000);
    client.say(post('/load', `Content-Length: ${large.length}\r\n`, large));
    const engine = await engineOf(all);
    await engine.hears('\r\n\r\n');
    engine.socket.pause();
    await pause(100);
    engine.say('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly');
    await client.hears(/early$/);
    const again = await dial(all.port);
    again.say(get('/again'));
    (await engineOf(all, 1)).say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK');
    await again.hears(/OK$/);
    // Small enough to be in the kernel's buffers in part: the last bytes wait in ours when the answer comes.
    for (let n = 2; n < 12; n++) {
      const one = await dial(all.port);
      const body = 'y'.repeat(100_000 + n * 300_000);
      one.say(post(`/load/${n}`, `Content-Length: ${body.length}\r\n`, body));
      await until(() => all.engines.some(({ heard }) => heard.includes(`/load/${n} `)));
      const taker = all.engines.find(({ heard }) => heard.includes(`/load/${n} `)) as Talk;
      taker.socket.pause();
      await pause(20);
      taker.say('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly');
      await one.hears(/early$/);
      taker.socket.resume();
      if (/Connection: close/.test(one.heard)) continue;
      one.say(get(`/next/${n}`));
      await until(() => all.engines.some(({ heard }) => heard.includes(`/next/${n} `)));
    }
  });

  it('lets the answer change on its way', async () => {
    const all = await relayed({
      onHead: (head) => ({ status: head.status, reason: head.reason, headers: ['C', 'd'] }),
    });
    const client = await dial(all.port);
    client.say(get('/'));
    (await engineOf(all)).say('HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nOK');
    expect(await client.hears(/OK$/)).toBe('HTTP/1.1 200 OK\r\nC: d\r\nContent-Length: 2\r\n\r\nOK');
  });
});

function dechunk(text: string): string {
  const parts: string[] = [];
  for (let at = 0; ; ) {
    const line = text.indexOf('\r\n', at);
    const size = Number.parseInt(text.slice(at, line), 16);
    if (size === 0) return parts.join('');
    parts.push(text.slice(line + 2, line + 2 + size));
    at = line + 4 + size;
  }
}
