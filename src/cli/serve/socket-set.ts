/** Listening sockets that a configuration says, by key: those that stay are kept over a reload, the others are opened or taken away. */

import type net from 'node:net';
import type { OpenSocket } from '../../front/listeners/index.ts';

interface WantedSockets {
  /** As in the hand-over. */
  readonly key: string;
  open(ready: readonly number[]): Promise<readonly OpenSocket[]>;
}

export interface PreparedSockets {
  readonly commit: () => void;
  readonly discard: () => void;
}

export class SocketSet {
  private held: ReadonlyMap<string, readonly OpenSocket[]> = new Map();

  /** By key, as in the hand-over. */
  servers(): ReadonlyMap<string, readonly net.Server[]> {
    return new Map([...this.held].map(([key, sockets]) => [key, sockets.map(({ server }) => server)]));
  }

  /** @param ready the descriptors that were handed over for a key @throws Error where it cannot be listened on. Nothing changes before `commit`. */
  async prepare(wanted: readonly WantedSockets[], ready: (key: string) => readonly number[]): Promise<PreparedSockets> {
    const next = new Map<string, readonly OpenSocket[]>();
    const fresh: OpenSocket[] = [];
    const discard = (): void => {
      for (const socket of fresh) socket.discard();
    };
    try {
      for (const { key, open } of wanted) {
        const before = this.held.get(key);
        const opened = before ?? (await open(ready(key)));
        if (before === undefined) fresh.push(...opened);
        next.set(key, opened);
      }
    } catch (fault) {
      discard();
      throw fault;
    }
    const commit = (): void => {
      const before = this.held;
      this.held = next;
      for (const [key, sockets] of before) if (!next.has(key)) for (const socket of sockets) socket.remove();
    };
    return { commit, discard };
  }

  /** Another process goes on with the sockets; whoever is connected stays. */
  stopAccepting(): void {
    for (const socket of [...this.held.values()].flat()) socket.close();
  }

  /** With their files. */
  remove(): void {
    for (const socket of [...this.held.values()].flat()) socket.remove();
    this.held = new Map();
  }
}
