// One call to an engine, or through a proxy, for what a benchmark sets up and checks; not for what it measures.

import { request } from 'node:http';

/** Connections whose resets between two calls, as of an engine that is killed, are nobody's. */
const heard = new WeakSet();

/** `to`: the path of a unix socket, or `http://ADDRESS:PORT`. Gives `{status, text}`. */
export function callEngine(to, method, path, body, timeoutMs = 60_000) {
  const where = to.startsWith('http://') ? { host: new URL(to).hostname, port: new URL(to).port } : { socketPath: to };
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const call = request({ ...where, method, path, headers, signal: AbortSignal.timeout(timeoutMs) }, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode, text: Buffer.concat(chunks).toString() }));
    });
    call.on('error', reject);
    call.on('socket', (socket) => {
      if (!heard.has(socket)) socket.on('error', () => {});
      heard.add(socket);
    });
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
