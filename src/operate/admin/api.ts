/** How the administrator's calls are answered: a JSON value, or lines of JSON as they come. */

import { once } from 'node:events';
import type http from 'node:http';

/** Whether it is answered here. Never throws. */
export type AnswerApi = (request: http.IncomingMessage, response: http.ServerResponse) => boolean;

export function sendJson(
  response: http.ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
    ...headers,
  });
  response.end(`${JSON.stringify(value)}\n`);
}

/** At the pace of whoever reads them; who goes away ends `lines`, through its signal. */
export async function sendLines(
  response: http.ServerResponse,
  lines: (signal: AbortSignal) => AsyncIterable<unknown>,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  response.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' });
  response.flushHeaders();
  for await (const line of lines(gone.signal)) {
    if (gone.signal.aborted) return;
    if (!response.write(`${JSON.stringify(line)}\n`)) await once(response, 'drain', { signal: gone.signal });
  }
  response.end();
}
