import net from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Deadline, relayLines } from '../../../src/exchange/relay-lines.ts';
import type { Exchange } from '../../../src/wire/inbound.ts';
import { EnginePool } from '../../../src/wire/outbound.ts';
import type { OutboundFault } from '../../../src/wire/outbound-fault.ts';
import { ReadBuffers } from '../../../src/wire/read-buffers.ts';
import type { RelayRequest } from '../../../src/wire/relay.ts';
import { dial, listen, post, serve, Talk, until } from '../wire/talk.ts';

interface Relayed {
  readonly client: Talk;
  readonly engine: () => Promise<Talk>;
  readonly done: (OutboundFault | null)[];
  readonly stopped: unknown[];
}

/** Lines in capitals; the body passes through `through`. */
async function relayed(through?: RelayRequest['through'], deadline: Deadline | null = null): Promise<Relayed> {
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
  const done: (OutboundFault | null)[] = [];
  const stopped: unknown[] = [];
  const { port } = await serve((exchange: Exchange) => {
    const { method, target, headers, upgrade } = exchange.head;
    const request: RelayRequest = { method, target, headers, body: 'chunked', upgrade, stream: true };
    relayLines(
      exchange,
      pool,
      through === undefined ? request : { ...request, through },
      (line) => {
        if (line.includes('broken')) throw new Error('broken');
        return Buffer.from(line.toString().trim().toUpperCase());
      },
      {
        deadline,
        onHead: (head) => head,
        onDone: (fault) => done.push(fault),
        onStopped: (fault) => {
          stopped.push(fault);
          const forbid = (): void =>
            void (exchange.started || exchange.answer({ status: 403, reason: 'Forbidden', headers: [] }, 'no'));
          // As a way does, which has waited for it.
          void Promise.resolve().then(forbid);
        },
      },
    );
  });
  const client = await dial(port);
  return {
    client,
    done,
    stopped,
    async engine() {
      await until(() => engines.length > 0);
      return engines[0] as Talk;
    },
  };
}

const CHUNKED = 'Transfer-Encoding: chunked\r\n';

const deadline = (ms: number): Deadline => ({ ms, fault: 'too long', lastLine: Buffer.from('it was too long\n') });

describe('an answer of lines that lasts too long', () => {
  it('ends with a last line where it has begun, and the engine is left', async () => {
    const { client, engine: engineOf, stopped } = await relayed(undefined, deadline(2000));
    client.say(post('/build', CHUNKED, '0\r\n\r\n'));
    const engine = await engineOf();
    engine.say('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nstep one\n\r\n');
    await client.hears(/it was too long\n\r\n0\r\n\r\n$/);
    expect(stopped).toEqual(['too long']);
    await until(() => engine.ended || engine.closed);
  });

  it('is refused where it has not begun', async () => {
    const { client, engine: engineOf, stopped } = await relayed(undefined, deadline(50));
    client.say(post('/build', CHUNKED, '0\r\n\r\n'));
    await engineOf();
    await client.hears(/^HTTP\/1\.1 403 /);
    expect(stopped).toEqual(['too long']);
  });
});

describe('an answer of lines', () => {
  it('is told line by line while the body of the request still comes', async () => {
    const { client, engine: engineOf, done } = await relayed();
    client.say(post('/build', CHUNKED, '3\r\nabc\r\n'));
    const engine = await engineOf();
    await engine.hears('abc');
    engine.say('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nstep one\n\r\n');
    await client.hears('STEP ONE\n');
    client.say('3\r\ndef\r\n0\r\n\r\n');
    await engine.hears(/def\r\n0\r\n\r\n$/);
    engine.say('5\r\nstep \r\n4\r\ntwo\n\r\n0\r\n\r\n');
    await client.hears(/STEP TWO\n\r\n0\r\n\r\n$/);
    expect(done).toEqual([null]);
  });

  it('has the body pass through what the call wants', async () => {
    const { client, engine: engineOf } = await relayed((onward) => ({
      onReady: null,
      write: (chunk) => onward.write(Buffer.from(chunk.toString().toUpperCase())),
      end: () => {
        onward.write(Buffer.from('!'));
        onward.end();
      },
      abort: (cause) => onward.abort(cause),
    }));
    client.say(post('/build', CHUNKED, '3\r\nabc\r\n0\r\n\r\n'));
    const engine = await engineOf();
    await engine.hears(/3\r\nABC\r\n1\r\n!\r\n0\r\n\r\n$/);
    engine.say('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n');
    await client.hears(/OK\n/);
  });

  it('is the refusal of what the body passes through, and the engine sees a broken upload', async () => {
    const refused = new Error('refused');
    const {
      client,
      engine: engineOf,
      done,
      stopped,
    } = await relayed((onward, stop) => ({
      onReady: null,
      write(chunk) {
        onward.write(chunk);
        if (chunk.includes('x')) stop(refused);
        return true;
      },
      end: () => onward.end(),
      abort: (cause) => onward.abort(cause),
    }));
    client.say(post('/build', CHUNKED, '3\r\nabc\r\n'));
    const engine = await engineOf();
    await engine.hears('abc');
    client.say('1\r\nx\r\n0\r\n\r\n');
    await client.hears(/ 403 .*no$/s);
    await engine.hearsEnd();
    expect(engine.heard).not.toMatch(/0\r\n\r\n$/);
    expect([done, stopped]).toEqual([[], [refused]]);
  });

  it.each([
    ['in one piece', 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nbroken\n', /^HTTP\/1\.1 403 .*no$/s],
    ['before it has begun', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nbroken\n\r\n', / 403 .*no$/s],
    [
      'in the middle',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok\n\r\n7\r\nbroken\n\r\n0\r\n\r\n',
      /^(?!.*0\r\n\r\n$)/s,
    ],
    [
      'at its end',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok\n\r\n6\r\nbroken\r\n0\r\n\r\n',
      /^(?!.*0\r\n\r\n$)/s,
    ],
  ])('that cannot be told ends by itself, and with nothing else: %s', async (where, answer, heard) => {
    const { client, engine: engineOf, done, stopped } = await relayed();
    client.say(post('/build', CHUNKED, '0\r\n\r\n'));
    const engine = await engineOf();
    await engine.hears(/0\r\n\r\n$/);
    const begins = where.startsWith('in the') || where.startsWith('at');
    const at = begins ? answer.indexOf('ok\n\r\n') + 5 : 0;
    engine.say(answer.slice(0, at));
    if (begins) await client.hears('OK\n');
    engine.say(answer.slice(at));
    if (begins) await client.isClosed();
    await client.hears(heard);
    expect([done, stopped]).toEqual([[], [new Error('broken')]]);
  });

  it('ends when the client goes away in the middle of its body', async () => {
    const { client, engine: engineOf, done } = await relayed();
    client.say(post('/build', CHUNKED, '3\r\nabc\r\n'));
    const engine = await engineOf();
    await engine.hears('abc');
    client.socket.destroy();
    await engine.hearsEnd();
    expect(done).toEqual([null]);
  });
});
