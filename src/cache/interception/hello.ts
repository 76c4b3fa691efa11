/** Waits for the first bytes of a client of TLS, which say whom it wants. */

import type { Duplex } from 'node:stream';
import { readClientHello } from './client-hello.ts';

const HELLO_MS = 10_000;
/** A fatal alert: there is no such name here. */
const UNRECOGNIZED_NAME = Buffer.from([21, 3, 3, 0, 2, 2, 112]);

/** `onName` has the socket paused, with all that has come still to be read; who ends before is not told of. Null: nobody was named. */
export function awaitHello(socket: Duplex, onName: (name: string | null) => void): void {
  let bytes: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), HELLO_MS);
  const done = (): void => {
    clearTimeout(timer);
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.pause();
  };
  const onEnd = (): void => {
    done();
    socket.destroy();
  };
  const onData = (chunk: Buffer): void => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    const hello = readClientHello(bytes);
    if (hello.kind === 'more') return;
    done();
    socket.unshift(bytes);
    onName(hello.kind === 'hello' ? hello.name : null);
  };
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', () => clearTimeout(timer));
  socket.resume();
}

export function refuseName(socket: Duplex): void {
  socket.end(UNRECOGNIZED_NAME);
}
