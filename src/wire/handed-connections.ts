/** Connections for a server of Node's that listens nowhere itself. */

import type http from 'node:http';
import type { Duplex } from 'node:stream';

/** So often Node looks for heads that take too long: the server's `connectionsCheckingInterval`. */
export const LOOK_EVERY_MS = 5000;

/**
 * A connection on which nothing moves for so long, in either direction, is ended, also in the middle of an answer: whoever
 * takes nothing would hold what it is made of for ever. What is silent by itself, an origin, is given up much earlier.
 */
export const STALLED_MS = 5 * 60_000;

export class HandedConnections {
  private readonly server: http.Server;
  private readonly most: number;
  private open = 0;

  /** @param most how many there may be at a time; `stalledMs` 0 = for ever */
  constructor(server: http.Server, most: number, stalledMs = STALLED_MS) {
    this.server = server;
    this.most = most;
    server.timeout = stalledMs;
    // From this event on Node watches times and knows what is open; `maxConnections` is for listeners alone.
    server.emit('listening');
  }

  accept(socket: Duplex): void {
    if (this.open >= this.most) {
      socket.destroy();
      return;
    }
    this.open++;
    socket.once('close', () => this.open--);
    this.server.emit('connection', socket);
  }

  /** Ends those that wait for a request; what runs is not cut. */
  close(): void {
    this.server.closeIdleConnections();
  }
}
