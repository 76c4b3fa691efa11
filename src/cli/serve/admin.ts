/** The admin server on the sockets of the configuration. */

import type net from 'node:net';
import { type OpenSocket, openSockets } from '../../front/listeners/index.ts';
import { type AdminSources, makeAdminServer } from '../../operate/admin/admin-server.ts';
import type { AnswerApi } from '../../operate/admin/api.ts';
import { type AdminConfig, formatAddress, type TcpAddress, type UnixAddress } from '../../operate/config/index.ts';
import type { Log } from '../../operate/signals/index.ts';
import type { HandedConnections } from '../../wire/handed-connections.ts';
import { type PreparedSockets, SocketSet } from './socket-set.ts';

type AdminAddress = UnixAddress | TcpAddress;

export class Admin {
  /** For `metrics`, which whoever is on the machine can reach. */
  private readonly forAll: HandedConnections;
  /** For `url`, which the operating system lets its owner alone open. */
  private readonly forOwner: HandedConnections;
  private readonly log: Log;
  private readonly sockets = new SocketSet();

  constructor(sources: AdminSources, apis: readonly AnswerApi[], log: Log) {
    this.forAll = makeAdminServer(sources, []);
    this.forOwner = makeAdminServer(sources, apis);
    this.log = log;
  }

  /** By key, as in the hand-over. */
  servers(): ReadonlyMap<string, readonly net.Server[]> {
    return this.sockets.servers();
  }

  /** @throws Error where it cannot be listened on. Nothing changes before `commit`. */
  prepare({ metrics, url }: AdminConfig, ready: (key: string) => readonly number[]): Promise<PreparedSockets> {
    // What is to come over TCP needs TLS and authentication, and is not there yet.
    const addresses: readonly (AdminAddress | null)[] = [metrics, url?.kind === 'unix' ? url : null];
    const wanted = addresses.flatMap((address) =>
      address === null
        ? []
        : [
            {
              key: `admin ${formatAddress(address)}`,
              open: (descriptors: readonly number[]) => this.listen(address, descriptors),
            },
          ],
    );
    return this.sockets.prepare(wanted, ready);
  }

  close(keepFiles: boolean): void {
    if (keepFiles) this.sockets.stopAccepting();
    else this.sockets.remove();
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
