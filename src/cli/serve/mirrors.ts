/** Where the registry cache of a running server is reached: the mirror, the proxy, and the listener for names of DNS. */

import type net from 'node:net';
import { checkLogin, Mirror, MirrorLogin } from '../../cache/registry/index.ts';
import { type OpenSocket, openSockets } from '../../front/listeners/index.ts';
import { formatAddress, type LoadedConfig, type TcpAddress } from '../../operate/config/index.ts';
import type { Log } from '../../operate/signals/index.ts';
import type { RegistryCache } from './registry-cache.ts';
import type { RegistryNames } from './registry-names.ts';
import { type PreparedSockets, SocketSet } from './socket-set.ts';

export class Mirrors {
  private readonly log: Log;
  private readonly mirror: Mirror;
  private readonly login: Mirror;
  private readonly names: RegistryNames;
  private readonly open = new SocketSet();

  constructor(cache: RegistryCache, names: RegistryNames, log: Log) {
    this.log = log;
    this.names = names;
    const parts = { upstream: () => cache.upstream, tally: cache.tally, onFault: cache.onFault };
    this.mirror = new Mirror({ ...parts, login: null });
    const login = new MirrorLogin((registry, credentials) => checkLogin(cache.registries, registry, credentials));
    this.login = new Mirror({ ...parts, login });
  }

  /** By key, as in the hand-over. */
  sockets(): ReadonlyMap<string, readonly net.Server[]> {
    return this.open.servers();
  }

  /** @throws Error where it cannot be listened on. Nothing changes before `commit`. */
  prepare({ config }: LoadedConfig, ready: (key: string) => readonly number[]): Promise<PreparedSockets> {
    const { mirror, login, proxy, impersonate } = config.registry;
    const all = [
      ['mirror', mirror, (socket: net.Socket) => this.mirror.accept(socket)],
      ['mirror with login', login, (socket: net.Socket) => this.login.accept(socket)],
      ['registry proxy', proxy, (socket: net.Socket) => this.names.proxy.accept(socket)],
      ['registry names', impersonate, (socket: net.Socket) => this.names.proxy.acceptTls(socket)],
    ] as const;
    const wanted = all.flatMap(([what, address, accept]) => {
      if (address === null) return [];
      const key = `${what} ${formatAddress(address)}`;
      return [{ key, open: (descriptors: readonly number[]) => this.listen(key, address, descriptors, accept) }];
    });
    return this.open.prepare(wanted, ready);
  }

  /** Another process goes on with the sockets; whoever is connected stays. */
  stopAccepting(): void {
    this.open.stopAccepting();
  }

  close(): void {
    this.open.remove();
    this.mirror.close();
    this.login.close();
  }

  private listen(
    key: string,
    address: TcpAddress,
    ready: readonly number[],
    accept: (socket: net.Socket) => void,
  ): Promise<readonly OpenSocket[]> {
    return openSockets(address, {
      access: { mode: 0o600 },
      ready,
      // TLS has no half of a connection.
      server: { allowHalfOpen: !key.startsWith('registry names'), noDelay: true },
      onConnection: accept,
      onFault: (fault) => this.log.warn({ listening: key, reason: fault.message }, 'registry socket'),
    });
  }
}
