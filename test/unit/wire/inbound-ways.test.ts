// What holds of a connection however its bytes are read.
import { describe, expect, it } from 'vitest';
import type { Exchange } from '../../../src/wire/inbound.ts';
import { dial, echoTarget, get, Kept, ok, pause, post, serve, until } from './talk.ts';

for (const [way, pauseOnConnect] of [
  ['that reads into its own buffers', true],
  ['that falls back to data events', false],
] as const) {
  describe(`a connection ${way}`, () => {
    const start = (handler: (exchange: Exchange) => void, limits = {}) => serve(handler, limits, pauseOnConnect);

    it('answers one request after the other', async () => {
      const talk = await dial((await start(echoTarget)).port);
      talk.say(get('/a'));
      await talk.hears(/\/a$/);
      talk.say(get('/b'));
      expect(await talk.hears(/\/b$/)).toBe(
        'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n/aHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n/b',
      );
    });

    it('ends a connection of which nothing is taken any more, in the middle of an answer, where it is told to', async () => {
      const chunk = Buffer.alloc(64 * 1024, 'x');
      const gone: string[] = [];
      const served = await start(
        (exchange) => {
          let left = exchange.head.target === '/endless' ? Number.POSITIVE_INFINITY : 100;
          const sink = exchange.startAnswer(ok());
          exchange.onGone = () => gone.push(exchange.head.target);
          const go = (): void => {
            while (left-- > 0) if (!sink.write(chunk)) return;
            sink.end();
          };
          sink.onReady = go;
          go();
        },
        { stalledTimeoutMs: 500 },
      );
      const taking = await dial(served.port);
      taking.say(get('/whole'));
      const holding = await dial(served.port);
      holding.socket.pause();
      holding.say(get('/endless'));
      await until(
        () => gone.length > 0,
        15_000,
        () => 'nothing was ended',
      );
      expect(gone).toEqual(['/endless']);
      // The control: who takes what there is has all of it.
      expect((await taking.hears(/0\r\n\r\n$/)).split('x').length - 1).toBe(100 * chunk.length);
    });

    it('answers pipelined requests in their order, though the later ones are done sooner', async () => {
      let running = 0;
      const served = await start((exchange) => {
        expect(++running).toBe(1);
        const delay = exchange.head.target === '/slow' ? 40 : 0;
        setTimeout(() => {
          running--;
          exchange.answer(ok(), exchange.head.target);
        }, delay);
      });
      const talk = await dial(served.port);
      talk.say(`${get('/slow')}${post('/b', 'Content-Length: 3\r\n', 'abc')}${get('/c')}`);
      const heard = await talk.hears(/\/c$/);
      expect(heard.match(/\/(slow|b|c)/g)).toEqual(['/slow', '/b', '/c']);
    });

    it('reads no more requests of a client that does not take what it has asked for', async () => {
      const body = 'x'.repeat(32 * 1024);
      let most = 0;
      const served = await start((exchange) => {
        exchange.answer(ok(), body);
        most = Math.max(most, exchange.connection.channel.socket.writableLength);
      });
      const talk = await dial(served.port);
      talk.say(get('/').repeat(500)).end();
      const heard = await talk.hearsEnd();
      expect(most).toBeLessThan(2 * 1024 * 1024);
      expect(heard.split('200 OK').length - 1).toBe(500);
      expect(heard.split(body).length - 1).toBe(500);
    });

    it('reads a request that comes byte by byte', async () => {
      const served = await start(async (exchange) => {
        const body = await exchange.readBody(100);
        exchange.answer(ok(), body);
      });
      const talk = await dial(served.port);
      for (const letter of post('/a', 'Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n') +
        get('/b')) {
        talk.say(letter);
        await pause(0);
      }
      await talk.hears(/\r\n\r\nabcdeHTTP\/1\.1 200 OK\r\nContent-Length: 0\r\n\r\n$/);
    });

    it('gives whole bodies of both framings', async () => {
      const bodies: string[] = [];
      const served = await start(async (exchange) => {
        bodies.push((await exchange.readBody(1e6)).toString());
        exchange.answer(ok(), null);
      });
      const talk = await dial(served.port);
      const large = 'x'.repeat(300_000);
      talk.say(
        post('/', 'Content-Length: 300000\r\n', large) +
          post('/', 'Transfer-Encoding: chunked\r\n', `493e0\r\n${large}\r\n0\r\nA: b\r\n\r\n`) +
          get('/'),
      );
      await until(() => bodies.length === 3);
      expect(bodies).toEqual([large, large, '']);
    });

    it('gives a body that is there already without a promise', async () => {
      const seen: (string | undefined)[] = [];
      const served = await start((exchange) => {
        seen.push(exchange.takeBody()?.toString());
        exchange.answer(ok(), null);
      });
      const talk = await dial(served.port);
      talk.say(`${post('/', 'Content-Length: 3\r\n', 'abc')}${get('/')}`);
      await until(() => seen.length === 2);
      expect(seen).toEqual(['abc', '']);
      talk.say(post('/', 'Content-Length: 3\r\n', 'ab'));
      await until(() => seen.length === 3);
      expect(seen[2]).toBeUndefined();
      talk.say(`c${get('/')}`);
      await until(() => seen.length === 4);
    });

    it('stops reading a streamed body while the sink is full, and holds the rest of the client back', async () => {
      const sink = new Kept();
      sink.full = true;
      const served = await start((exchange) => {
        exchange.streamBody(sink);
        exchange.onGone = () => {};
      });
      const talk = await dial(served.port);
      const large = 'x'.repeat(20_000_000);
      talk.say(post('/', `Content-Length: ${large.length}\r\n`, large));
      await until(() => sink.text.length > 0);
      await pause(50);
      expect(sink.text.length).toBeLessThan(2_000_000);
      sink.full = false;
      sink.onReady?.();
      await until(() => sink.ended, 10_000);
      expect(sink.text.length).toBe(large.length);
    });

    it('tells that the client is gone at once when it resets', async () => {
      let gone = 0;
      const served = await start((exchange) => {
        exchange.onGone = () => gone++;
      });
      const talk = await dial(served.port);
      talk.say(get('/events'));
      await until(() => served.connections.length === 1);
      await pause(20);
      talk.socket.resetAndDestroy();
      await until(() => gone === 1, 200);
      await until(() => served.closed.length === 1);
      expect(gone).toBe(1);
    });

    it('tells that the client is gone shortly after its FIN', async () => {
      let gone = 0;
      const served = await start((exchange) => {
        exchange.onGone = () => gone++;
        exchange.startAnswer(ok());
      });
      const talk = await dial(served.port);
      talk.say(get('/events'));
      await talk.hears('\r\n\r\n');
      talk.socket.end();
      await until(() => gone === 1, 1000);
      await talk.isClosed();
    });

    it('still answers a client that half-closes behind its requests', async () => {
      const served = await start((exchange) => {
        setTimeout(() => exchange.answer(ok(), exchange.head.target), 30);
      });
      const talk = await dial(served.port);
      talk.say(get('/a') + get('/b')).end();
      const heard = await talk.hearsEnd();
      expect(heard).toMatch(/\/a.*\/b$/s);
      expect(heard).toMatch(/Connection: close\r\n\r\n\/b$/);
    });

    it('gives up the bytes behind an upgrade to the tunnel', async () => {
      const served = await start((exchange) => {
        setTimeout(() => {
          const end = exchange.upgrade({ status: 101, reason: 'UPGRADED', headers: ['Content-Type', 'raw'] }, 'tcp');
          end.channel.user = {
            onBytes: (buffer, from, to) => void end.channel.write(Buffer.from(buffer.subarray(from, to))),
            onEof: () => end.channel.end(),
            onFlushed: () => {},
            onClosed: () => {},
          };
          end.channel.write(Buffer.from(`<${end.bytes.toString()}>`));
          end.channel.resume();
        }, 30);
      });
      const talk = await dial(served.port);
      talk.say(`${post('/attach', 'Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n', '')}early`);
      await talk.hears('<early>');
      expect(talk.heard).toBe(
        'HTTP/1.1 101 UPGRADED\r\nContent-Type: raw\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n<early>',
      );
      talk.say('GET / HTTP/1.1\r\n\r\n');
      await talk.hears('<early>GET / HTTP/1.1\r\n\r\n');
      talk.end();
      await talk.hearsEnd();
      await until(() => served.closed.length === 1);
    });

    it('reads the body of an upgrade request by its framing before the tunnel begins', async () => {
      let tunnelled = '';
      const served = await start(async (exchange) => {
        const body = await exchange.readBody(100);
        tunnelled = `${body} ${exchange.upgrade({ status: 101, reason: 'UPGRADED', headers: [] }, 'tcp').bytes}`;
      });
      const talk = await dial(served.port);
      talk.say(
        post(
          '/exec/x/start',
          'Connection: Upgrade\r\nUpgrade: tcp\r\nTransfer-Encoding: chunked\r\n',
          '2\r\n{}\r\n0\r\n\r\nstdin',
        ),
      );
      await until(() => tunnelled !== '');
      expect(tunnelled).toBe('{} stdin');
    });
  });
}
