/** Where the registry cache of a running server is reached: the mirror. */

import type net from 'node:net';
import { Mirror } from '../../cache/registry/index.ts';
import { type OpenSocket, openSockets } from '../../front/listeners/index.ts';
import { formatAddress, type LoadedConfig, type TcpAddress } from '../../operate/config/index.ts';
import type { Log } from '../../operate/signals/index.ts';
import type { RegistryCache } from './registry-cache.ts';

export class Mirrors {
  private readonly log: Log;
  private readonly mirror: Mirror;
  private open: ReadonlyMap<string, readonly OpenSocket[]> = new Map();

  constructor(cache: RegistryCache, log: Log) {
    this.log = log;
    this.mirror = new Mirror({ upstream: () => cache.upstream, tally: cache.tally, onFault: cache.onFault });
  }

  /** By key, as in the hand-over. */
  sockets(): ReadonlyMap<string, readonly net.Server[]> {
    return new Map([...this.open].map(([key, sockets]) => [key, sockets.map(({ server }) => server)]));
  }

  /** @throws Error where it cannot be listened on. Nothing changes before `commit`. */
  async prepare(
    { config }: LoadedConfig,
    ready: (key: string) => readonly number[],
  ): Promise<{ readonly commit: () => void; readonly discard: () => void }> {
    const next = new Map<string, readonly OpenSocket[]>();
    const fresh: OpenSocket[] = [];
    const { mirror } = config.registry;
    if (mirror !== null) {
      const key = `mirror ${formatAddress(mirror)}`;
      const before = this.open.get(key);
      const opened = before ?? (await this.listen(mirror, ready(key)));
      if (before === undefined) fresh.push(...opened);
      next.set(key, opened);
    }
    return {
      discard: () => {
        for (const socket of fresh) socket.discard();
      },
      commit: () => {
        const before = this.open;
        this.open = next;
        for (const [key, sockets] of before) if (!next.has(key)) for (const socket of sockets) socket.remove();
      },
    };
  }

  /** Another process goes on with the sockets; whoever is connected stays. */
  stopAccepting(): void {
    for (const sockets of this.open.values()) for (const socket of sockets) socket.close();
  }

  close(): void {
    for (const sockets of this.open.values()) for (const socket of sockets) socket.remove();
    this.open = new Map();
    this.mirror.close();
  }

  private listen(address: TcpAddress, ready: readonly number[]): Promise<readonly OpenSocket[]> {
    return openSockets(address, {
      access: { mode: 0o600 },
      ready,
      server: { allowHalfOpen: true, noDelay: true },
      onConnection: (socket) => this.mirror.accept(socket),
      onFault: (fault) => this.log.warn({ mirror: formatAddress(address), reason: fault.message }, 'mirror socket'),
    });
  }
}
