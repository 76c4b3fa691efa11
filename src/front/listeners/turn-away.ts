/** Tells a client that it is not served, before it has said anything. */

import type net from 'node:net';
import { refusalHeaders, renderRefusal } from '../../exchange/answer-refusal.ts';
import type { Refusal } from '../../ground/refusal.ts';
import { printFields, printStatusLine } from '../../wire/print-head.ts';

/** How long the client has to read it. A close with unread bytes of the client in hand would be a reset. */
const LINGER_MS = 1000;

/** `onClosed` is called once, when the socket is gone. */
export function turnAway(socket: net.Socket, refusal: Refusal, onClosed: () => void): void {
  const body = renderRefusal(refusal);
  const fields = printFields(refusalHeaders(refusal));
  const head = `${printStatusLine(refusal.status, '')}${fields}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n`;
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    clearTimeout(timer);
    onClosed();
  });
  socket.resume();
  socket.end(head + body);
}
