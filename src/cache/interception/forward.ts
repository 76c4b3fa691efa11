/** A request carried to its origin as it is, and the answer back: without a cache. */

import type http from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { endToEnd } from '../../wire/end-to-end.ts';
import { type Out, OutFault } from '../../wire/way-out.ts';

/** Never throws: whatever happens, the client is told, or its connection ends. */
export type Forward = (request: http.IncomingMessage, response: http.ServerResponse, url: URL) => Promise<void>;

export function forwarder(out: Out): Forward {
  return async (request, response, url) => {
    try {
      await forward(out, request, response, url);
    } catch (fault) {
      if (response.headersSent) {
        response.destroy();
        return;
      }
      const text = fault instanceof OutFault ? fault.message : `${url.host} could not be asked`;
      const body = `berthgate: ${text}\n`;
      response.writeHead(502, { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(body) });
      response.end(body);
    }
  };
}

async function forward(
  out: Out,
  request: http.IncomingMessage,
  response: http.ServerResponse,
  url: URL,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
  const answer = await out.send(url, {
    method: request.method as 'GET',
    headers: carried(withoutHost(request.rawHeaders)),
    body: hasBody ? (request as Readable) : null,
    signal: gone.signal,
    responseHeaders: 'raw',
  });
  response.writeHead(answer.statusCode, carried(answer.headers as unknown as readonly string[]));
  await pipeline(answer.body, response);
}

/** Whom it is for says the address (RFC 9112, 3.2.2): the field may name somebody else. */
function withoutHost(raw: readonly string[]): string[] {
  return raw.filter((_, i) => raw[i - (i % 2)]?.toLowerCase() !== 'host');
}

/** Names and values in turn; with the length, by which a client sees that a body is whole. */
function carried(raw: readonly (string | Buffer)[]): string[] {
  const texts = raw.map((one) => (typeof one === 'string' ? one : one.toString('latin1')));
  const at = texts.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-length');
  const kept = endToEnd(texts);
  return at < 0 ? [...kept] : [...kept, 'Content-Length', texts[at + 1] as string];
}
