/** Requests that change something at the origin: passed on as they come, and what they change is forgotten. */

import { PassThrough, type Readable } from 'node:stream';
import type { Exchange } from '../../wire/exchange.ts';
import type { BodySink, RawHeaders } from '../../wire/message.ts';
import type { Asked } from './asked.ts';
import { linesOf } from './fields.ts';
import { marksOf } from './marks.ts';
import type { Origins } from './origin.ts';
import { relay } from './relay.ts';

const SAFE = new Set(['OPTIONS', 'TRACE', 'PROPFIND', 'REPORT', 'SEARCH']);

/** Gives the bytes of the answer's body. */
export async function passOn(
  asked: Asked,
  origins: Origins,
  onward: RawHeaders,
  forget: (url: URL) => Promise<void>,
): Promise<number> {
  const { exchange, method, url, arrival } = asked;
  const { framing } = exchange.head;
  const body = framing.kind === 'none' ? null : bodyOf(exchange);
  const length = framing.kind === 'length' ? ['Content-Length', String(framing.bytes)] : [];
  const answer = await origins.ask(url, { method, client: arrival.client, headers: [...onward, ...length], body });
  if (!SAFE.has(method) && answer.status < 400) {
    for (const at of [url, ...changedWith(asked, answer.headers)]) await forget(at);
  }
  return relay(asked, answer, marksOf({ hit: false, fwd: 'method', fwdStatus: answer.status }));
}

/** Of the same host only: nobody else's pages are to be forgotten for it (RFC 9111 §4.4). */
function changedWith({ url }: Asked, headers: RawHeaders): readonly URL[] {
  return ['location', 'content-location'].flatMap((name) => {
    const [value = ''] = linesOf(headers, name);
    if (value === '' || !URL.canParse(value, url.href)) return [];
    const at = new URL(value, url);
    at.hash = '';
    return at.origin === url.origin ? [at] : [];
  });
}

function bodyOf(exchange: Exchange): Readable {
  const through = new PassThrough();
  // It may break off while nobody listens: before the origin is asked, and when that has answered early.
  through.on('error', () => {});
  const sink: BodySink = {
    onReady: null,
    write: (chunk) => {
      // The bytes are the wire's again when this returns true.
      if (through.write(Buffer.from(chunk))) return true;
      through.once('drain', () => sink.onReady?.());
      return false;
    },
    end: () => void through.end(),
    abort: (cause) => void through.destroy(cause),
  };
  exchange.streamBody(sink);
  return through;
}
