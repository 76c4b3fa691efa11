// What the fake engine can do wrong, on demand.
import { type FakeRequest, headBytes } from './http-connection.ts';

export type Fault =
  /** The connection breaks before there is an answer. */
  | 'reset-before-head'
  /** The connection ends, politely, before there is an answer; also in the place of a 101. */
  | 'end-before-head'
  /** A head that promises 100 bytes, ten of them, and then the connection breaks. */
  | 'reset-after-head'
  /** A head that promises 100 bytes, ten of them, and a polite end. */
  | 'truncated'
  /** A chunk, and a polite end without the last one. */
  | 'truncated-chunks'
  /** A chunk, and something that is no chunk. */
  | 'garbage-chunk'
  /** Something that is no HTTP. */
  | 'garbage-head'
  /** An answer that could be read in two ways. */
  | 'doubled-length'
  | 'length-and-chunks'
  | 'bare-line-feeds'
  /** The head is cut in its middle. */
  | 'half-head'
  /** Never answers. */
  | 'silence'
  /** The answer comes byte by byte. */
  | 'byte-by-byte'
  /** Answers before the body has come, and breaks the connection. */
  | 'early-answer-then-reset'
  /** Answers before the body has come, and reads on. */
  | 'early-answer'
  /** A good answer, with bytes behind it that look like a second one. */
  | 'bytes-behind'
  /** An informational head before the answer. */
  | 'informational'
  /** Changes the protocol although nobody asked for it. */
  | 'unasked-upgrade';

export const GOOD_ANSWER = '{"message":"as it should be"}\n';
export const EARLY_MESSAGE = 'refused before the body was read';

const JSON_TYPE = ['Content-Type', 'application/json'] as const;
const good = Buffer.concat([
  headBytes({ status: 200, headers: [JSON_TYPE, ['Content-Length', String(GOOD_ANSWER.length)]] }),
  Buffer.from(GOOD_ANSWER),
]);
const promised = headBytes({ status: 200, headers: [JSON_TYPE, ['Content-Length', '100']] });
const chunked = headBytes({ status: 200, headers: [JSON_TYPE, ['Transfer-Encoding', 'chunked']] });
const early = `${JSON.stringify({ message: EARLY_MESSAGE })}\n`;

export function commit(fault: Fault, request: FakeRequest): void {
  const { socket } = request;
  const end = (...bytes: readonly (Uint8Array | string)[]): void => {
    for (const piece of bytes) socket.write(piece);
    socket.end();
  };
  switch (fault) {
    case 'reset-before-head':
      socket.destroy();
      return;
    case 'end-before-head':
      socket.end();
      return;
    case 'reset-after-head':
      // The bytes have to be on their way before the connection breaks.
      socket.write(promised);
      socket.write('0123456789', () => socket.destroy());
      return;
    case 'truncated':
      end(promised, '0123456789');
      return;
    case 'truncated-chunks':
      end(chunked, 'a\r\n0123456789\r\n');
      return;
    case 'garbage-chunk':
      end(chunked, 'a\r\n0123456789\r\n', 'zz\r\n');
      return;
    case 'garbage-head':
      end('SSH-2.0-OpenSSH_9.2\r\n\r\n');
      return;
    case 'doubled-length':
      end(
        headBytes({
          status: 200,
          headers: [
            ['Content-Length', '5'],
            ['Content-Length', '6'],
          ],
        }),
        'abcdef',
      );
      return;
    case 'length-and-chunks':
      end(
        headBytes({
          status: 200,
          headers: [
            ['Content-Length', '5'],
            ['Transfer-Encoding', 'chunked'],
          ],
        }),
        '0\r\n\r\n',
      );
      return;
    case 'bare-line-feeds':
      end('HTTP/1.1 200 OK\nContent-Length: 2\n\nok');
      return;
    case 'half-head':
      end('HTTP/1.1 200 OK\r\nContent-Le');
      return;
    case 'silence':
      return;
    case 'byte-by-byte': {
      let at = 0;
      const next = (): void => {
        if (at < good.length && socket.writable) socket.write(good.subarray(at, ++at), () => setImmediate(next));
        else request.finish();
      };
      next();
      return;
    }
    case 'early-answer-then-reset':
      socket.write(headBytes({ status: 500, headers: [JSON_TYPE, ['Content-Length', String(early.length)]] }));
      socket.write(early, () => socket.destroy());
      return;
    case 'early-answer':
      request.answer({ status: 500, headers: [JSON_TYPE] }, early);
      return;
    case 'bytes-behind':
      end(good, 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsmuggled!');
      return;
    case 'informational':
      end(headBytes({ status: 103, headers: [['Link', '</x>']] }), good);
      return;
    case 'unasked-upgrade':
      end(
        headBytes({
          status: 101,
          headers: [
            ['Connection', 'Upgrade'],
            ['Upgrade', 'tcp'],
          ],
        }),
        'tunnel!',
      );
  }
}
