/** Two streams of bytes made one: each direction ends by itself, and a fault of one is the end of both. */

import net from 'node:net';
import type { Duplex } from 'node:stream';

const SILENT_MS = 600_000;

export function splice(one: Duplex, other: Duplex): void {
  join(one, other);
  join(other, one);
}

function join(from: Duplex, to: Duplex): void {
  from.on('error', () => to.destroy());
  from.on('close', () => {
    if (!from.readableEnded) to.destroy();
    // What ended as it should is written to its end; what still comes the other way is nobody's.
    else to.resume();
  });
  if (from instanceof net.Socket) {
    from.setTimeout(SILENT_MS);
    from.on('timeout', () => from.destroy());
  }
  from.pipe(to);
}
