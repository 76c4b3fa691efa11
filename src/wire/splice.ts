/**
 * Two streams of bytes made one: each direction ends by itself; a fault of one is the end of both, and so is a silence of
 * both, however long a protocol may think.
 */

import type { Duplex } from 'node:stream';

const SILENT_MS = 600_000;

export function splice(one: Duplex, other: Duplex, silentMs = SILENT_MS): void {
  const timer = setTimeout(() => {
    one.destroy();
    other.destroy();
  }, silentMs).unref();
  join(one, other, timer);
  join(other, one, timer);
}

function join(from: Duplex, to: Duplex, timer: NodeJS.Timeout): void {
  from.on('error', () => to.destroy());
  from.on('close', () => {
    if (!from.readableEnded) to.destroy();
    // What ended as it should is written to its end; what still comes the other way is nobody's.
    else to.resume();
    if (to.destroyed) clearTimeout(timer);
  });
  from.on('data', () => timer.refresh());
  from.pipe(to);
}
