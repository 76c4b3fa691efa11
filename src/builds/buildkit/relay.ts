/** One call of gRPC, from the client to the engine and back. */

import http2 from 'node:http2';
import type { Readable } from 'node:stream';
import type { Refusal } from '../../ground/refusal.ts';
import { AnswerMessages, type Tell } from './answer-messages.ts';
import { fail, failed, isGone, RESOURCE_EXHAUSTED, toldError, UNAVAILABLE } from './grpc.ts';

export interface Relayed {
  readonly headers: http2.OutgoingHttpHeaders;
  readonly request: Buffer | Readable;
  /** Null where the messages of the answer pass unread. */
  readonly tell: Tell | null;
  /** What the client is told of an error. */
  readonly tellText: (text: string) => string;
  /** How long it may last, and what the client is told then; null where it takes what it takes. */
  readonly within?: { readonly ms: number; readonly fault: Refusal } | null;
}

/** Resolves with the status when the answer is out. */
export function relay(
  client: http2.ServerHttp2Stream,
  session: http2.ClientHttp2Session,
  { headers, request, tell, tellText, within = null }: Relayed,
): Promise<number> {
  return new Promise((resolve, reject) => {
    // One that has said goodbye takes no more calls, and may have some that run.
    if (session.destroyed || session.closed) {
      fail(client, UNAVAILABLE, 'berthgate: the other side has ended the connection');
      resolve(502);
      return;
    }
    const engine = session.request(headers);
    let trailers: http2.OutgoingHttpHeaders = {};
    let status = 502;
    client.on('close', () => engine.close(http2.constants.NGHTTP2_CANCEL));
    let expired = false;
    let unread = false;
    const expire = (fault: Refusal): void => {
      expired = true;
      // The client is told why by whoever asked.
      reject(fault);
      engine.close(http2.constants.NGHTTP2_CANCEL);
    };
    const timer = within === null ? undefined : setTimeout(expire, within.ms, within.fault);
    engine.on('error', () => {});
    engine.on('close', () => {
      clearTimeout(timer);
      if (expired) return;
      fail(client, UNAVAILABLE, 'berthgate: the engine has ended the call');
      if (engine.rstCode !== 0 && !unread && !client.destroyed) client.close(engine.rstCode);
      resolve(status);
    });
    engine.on('response', (answer, flags) => {
      status = Number(answer[':status']);
      if (isGone(client)) return;
      const last = (flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      client.respond(toldError(plain(answer), tellText), last ? { endStream: true } : { waitForTrailers: true });
      if (last) return;
      client.on('wantTrailers', () => client.sendTrailers(trailers));
      engine.on('trailers', (fields) => {
        if (!unread) trailers = toldError(plain(fields), tellText);
      });
      if (tell === null) {
        engine.pipe(client);
        return;
      }
      const messages = new AnswerMessages(tell);
      messages.on('error', (fault) => {
        unread = true;
        trailers = failed(RESOURCE_EXHAUSTED, `berthgate: what the engine answers is not told: ${fault.message}`);
        engine.close(http2.constants.NGHTTP2_CANCEL);
        client.end();
      });
      engine.pipe(messages).pipe(client);
    });
    if (Buffer.isBuffer(request)) engine.end(request);
    else request.pipe(engine);
  });
}

/** What Node reads in an answer and throws for where it is to write it: who answers may be a client. */
const NOT_CARRIED: ReadonlySet<string> = new Set(['te', 'http2-settings']);

function plain(fields: http2.IncomingHttpHeaders): http2.OutgoingHttpHeaders {
  const carried = (name: string): boolean => (name === ':status' || !name.startsWith(':')) && !NOT_CARRIED.has(name);
  return Object.fromEntries(Object.entries(fields).filter(([name]) => carried(name)));
}
