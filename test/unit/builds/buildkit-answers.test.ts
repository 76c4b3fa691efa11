import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerMessages } from '../../../src/builds/buildkit/answer-messages.ts';
import { fail, framed, isGone, toldError, UNAVAILABLE } from '../../../src/builds/buildkit/grpc.ts';
import { Requests } from '../../../src/builds/buildkit/requests.ts';
import { printMessage, readMessage } from '../../../src/docker/protobuf.ts';
import { rpcStatus } from '../../../src/docker/shapes/buildkit.ts';
import {
  DATA,
  END_HEADERS,
  HEADERS,
  PREFACE,
  printFrame,
  printNumber,
  RST_STREAM,
  SETTINGS,
} from '../../../src/wire/h2/frames.ts';
import { printFieldBlock } from '../../../src/wire/h2/hpack.ts';

const tell = (text: string): string => text.replace('alice.', '');

describe('the messages of an answer', () => {
  it('are told one by one, wherever the pieces of the stream are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 50 }),
        async (messages, cut) => {
          const whole = Buffer.concat(messages.map(framed));
          const pieces = Array.from({ length: Math.ceil(whole.length / cut) }, (_, i) =>
            whole.subarray(i * cut, (i + 1) * cut),
          );
          const heard: Uint8Array[] = [];
          const told = new AnswerMessages((message) => {
            heard.push(Uint8Array.from(message));
            return message.length % 2 === 0 ? message : null;
          });
          const out: Buffer[] = [];
          for await (const piece of Readable.from(pieces).pipe(told)) out.push(piece as Buffer);
          expect(heard).toEqual(messages);
          expect(Buffer.concat(out)).toEqual(
            Buffer.concat(messages.filter(({ length }) => length % 2 === 0).map(framed)),
          );
        },
      ),
    );
  });

  it('end with a fault where one is compressed', async () => {
    const told = Readable.from([Buffer.from([1, 0, 0, 0, 0])]).pipe(new AnswerMessages((message) => message));
    await expect(told.toArray()).rejects.toThrow('compressed');
  });

  it('are of 16 MiB at most, and pass as they come however small the pieces are', async () => {
    const large = framed(Buffer.alloc(16 * 1024 * 1024, 'x'));
    const pieces = Array.from({ length: Math.ceil(large.length / 1000) }, (_, i) =>
      large.subarray(i * 1000, (i + 1) * 1000),
    );
    const passed = Buffer.concat(
      await Readable.from(pieces)
        .pipe(new AnswerMessages((message) => message))
        .toArray(),
    );
    expect(passed.equals(large)).toBe(true);
    const larger = Buffer.from([0, 1, 0, 0, 1]);
    const told = Readable.from([larger]).pipe(new AnswerMessages((message) => message));
    await expect(told.toArray()).rejects.toThrow('16 MiB');
  });
});

describe('a request', () => {
  it.each([
    ['is empty', Buffer.alloc(0), 'one message'],
    ['is compressed', Buffer.from([1, 0, 0, 0, 0]), 'compressed'],
    ['holds two messages', Buffer.concat([framed(Buffer.from('a')), framed(Buffer.from('b'))]), 'one message'],
    ['breaks off', framed(Buffer.from('abc')).subarray(0, 7), 'one message'],
  ])('is refused where it %s', async (_, bytes, words) => {
    await expect(new Requests(60_000).read(Readable.from([bytes]))).rejects.toThrow(words);
  });
});

describe('an error of the engine', () => {
  it('is told in the words of the client, in its message and in its details', () => {
    const said = '100% of "alice.web" – not found';
    const details = Buffer.from(printMessage(rpcStatus, { Code: 5, Message: said })).toString('base64');
    const fields = toldError(
      { 'grpc-status': '5', 'grpc-message': encodeURIComponent(said), 'grpc-status-details-bin': details },
      tell,
    );
    expect(decodeURIComponent(String(fields['grpc-message']))).toBe('100% of "web" – not found');
    const status = readMessage(rpcStatus, Buffer.from(String(fields['grpc-status-details-bin']), 'base64')).value;
    expect({ ...status }).toEqual({ Code: 5, Message: '100% of "web" – not found' });
  });

  it('is told without details that cannot be read', () => {
    const said = { 'grpc-status': '5', 'grpc-message': '"alice.web"' };
    for (const details of ['/////w', 'CAU, CAU']) {
      expect(toldError({ ...said, 'grpc-status-details-bin': details }, tell)).toEqual({
        'grpc-status': '5',
        'grpc-message': '"web"',
      });
    }
  });

  it('is told without details, and no longer than Node sends it', () => {
    const said = `"alice.web" ${'x'.repeat(40_000)}`;
    const details = Buffer.from(printMessage(rpcStatus, { Code: 5, Message: said })).toString('base64');
    const fields = { 'grpc-status': '5', 'grpc-message': said, 'grpc-status-details-bin': details };
    expect(toldError(fields, tell)).toEqual({
      'grpc-status': '5',
      'grpc-message': said.replace('alice.', '').slice(0, 24 * 1024),
    });
  });

  it('stays as it is where nothing in it is a name', () => {
    const fields = { 'grpc-status': '5', 'grpc-message': 'not%20found' };
    expect(toldError(fields, tell)).toBe(fields);
  });
});

/** A call that its client has closed without a fault, of which not all has been read: Node keeps it, and takes no answer. */
async function closedCall(): Promise<{ stream: http2.ServerHttp2Stream; end(): void }> {
  const server = http2.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1').resume();
  const head = printFieldBlock([':method', 'POST', ':scheme', 'http', ':path', '/', ':authority', 'localhost']);
  client.write(Buffer.concat([PREFACE, printFrame(SETTINGS, 0, 0, Buffer.alloc(0))]));
  client.write(printFrame(HEADERS, END_HEADERS, 1, head));
  const [stream] = (await once(server, 'stream')) as [http2.ServerHttp2Stream];
  // As an engine does that has no room for it.
  stream.pause();
  const aborted = once(stream, 'aborted');
  client.write(printFrame(DATA, 0, 1, Buffer.alloc(100)));
  client.write(printFrame(RST_STREAM, 0, 1, printNumber(0)));
  await aborted;
  return {
    stream,
    end() {
      client.destroy();
      server.close();
    },
  };
}

it('is not told to a client that has closed its call before', async () => {
  const { stream, end } = await closedCall();
  // The control: an answer would be a fault that nobody takes.
  expect(stream.destroyed).toBe(false);
  expect(() => stream.respond({ ':status': 200 })).toThrow('destroyed');
  expect(isGone(stream)).toBe(true);
  fail(stream, UNAVAILABLE, 'too late');
  end();
});
