/** The admin server on the sockets of the configuration. */

import type net from 'node:net';
import { type OpenSocket, openSockets } from '../../front/listeners/index.ts';
import { type AdminSources, makeAdminServer } from '../../operate/admin/admin-server.ts';
import type { AnswerApi } from '../../operate/admin/api.ts';
import { type AdminConfig, formatAddress, type TcpAddress, type UnixAddress } from '../../operate/config/index.ts';
import type { Log } from '../../operate/signals/index.ts';
import type { HandedConnections } from '../../wire/handed-connections.ts';

type AdminAddress = UnixAddress | TcpAddress;

export class Admin {
  /** For `metrics`, which whoever is on the machine can reach. */
  private readonly forAll: HandedConnections;
  /** For `url`, which the operating system lets its owner alone open. */
  private readonly forOwner: HandedConnections;
  private readonly log: Log;
  private open: ReadonlyMap<string, readonly OpenSocket[]> = new Map();

  constructor(sources: AdminSources, apis: readonly AnswerApi[], log: Log) {
    this.forAll = makeAdminServer(sources, []);
    this.forOwner = makeAdminServer(sources, apis);
    this.log = log;
  }

  /** By key, as in the hand-over. */
  get sockets(): ReadonlyMap<string, readonly OpenSocket[]> {
    return this.open;
  }

  async prepare(
    { metrics, url }: AdminConfig,
    ready: (key: string) => readonly number[],
  ): Promise<{ readonly commit: () => void; readonly discard: () => void }> {
    const next = new Map<string, readonly OpenSocket[]>();
    const fresh: OpenSocket[] = [];
    // What is to come over TCP needs TLS and authentication, and is not there yet.
    const addresses: readonly (AdminAddress | null)[] = [metrics, url?.kind === 'unix' ? url : null];
    const discard = (): void => {
      for (const socket of fresh) socket.discard();
    };
    try {
      for (const address of addresses) {
        if (address === null) continue;
        const key = `admin ${formatAddress(address)}`;
        const before = this.open.get(key);
        const opened = before ?? (await this.listen(address, ready(key)));
        if (before === undefined) fresh.push(...opened);
        next.set(key, opened);
      }
    } catch (fault) {
      discard();
      throw fault;
    }
    return {
      discard,
      commit: () => {
        const before = this.open;
        this.open = next;
        for (const [key, sockets] of before) if (!next.has(key)) for (const socket of sockets) socket.remove();
      },
    };
  }

  close(keepFiles: boolean): void {
    for (const sockets of this.open.values()) {
      for (const socket of sockets) keepFiles ? socket.close() : socket.remove();
    }
    this.open = new Map();
    this.forAll.close();
    this.forOwner.close();
  }

  private listen(address: AdminAddress, ready: readonly number[]): Promise<readonly OpenSocket[]> {
    return openSockets(address, {
      access: { mode: 0o600 },
      ready,
      server: { allowHalfOpen: true },
      onConnection: (socket: net.Socket) => (address.kind === 'unix' ? this.forOwner : this.forAll).accept(socket),
      onFault: (fault) => this.log.warn({ admin: formatAddress(address), reason: fault.message }, 'admin socket'),
    });
  }
}
