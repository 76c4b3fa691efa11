/** Where the registry cache of a running server is reached: the mirror, the proxy, and the listener for names of DNS. */

import type net from 'node:net';
import { checkLogin, Mirror, MirrorLogin } from '../../cache/registry/index.ts';
import { type OpenSocket, openSockets } from '../../front/listeners/index.ts';
import { formatAddress, type LoadedConfig, type TcpAddress } from '../../operate/config/index.ts';
import type { Log } from '../../operate/signals/index.ts';
import type { RegistryCache } from './registry-cache.ts';
import type { RegistryNames } from './registry-names.ts';

export class Mirrors {
  private readonly log: Log;
  private readonly mirror: Mirror;
  private readonly login: Mirror;
  private readonly names: RegistryNames;
  private open: ReadonlyMap<string, readonly OpenSocket[]> = new Map();

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
    return new Map([...this.open].map(([key, sockets]) => [key, sockets.map(({ server }) => server)]));
  }

  /** @throws Error where it cannot be listened on. Nothing changes before `commit`. */
  async prepare(
    { config }: LoadedConfig,
    ready: (key: string) => readonly number[],
  ): Promise<{ readonly commit: () => void; readonly discard: () => void }> {
    const next = new Map<string, readonly OpenSocket[]>();
    const fresh: OpenSocket[] = [];
    const { mirror, login, proxy, impersonate } = config.registry;
    const wanted = [
      ['mirror', mirror, (socket: net.Socket) => this.mirror.accept(socket)],
      ['mirror with login', login, (socket: net.Socket) => this.login.accept(socket)],
      ['registry proxy', proxy, (socket: net.Socket) => this.names.proxy.accept(socket)],
      ['registry names', impersonate, (socket: net.Socket) => this.names.proxy.acceptTls(socket)],
    ] as const;
    const discard = (): void => {
      for (const socket of fresh) socket.discard();
    };
    try {
      for (const [what, address, accept] of wanted) {
        if (address === null) continue;
        const key = `${what} ${formatAddress(address)}`;
        const before = this.open.get(key);
        const opened = before ?? (await this.listen(key, address, ready(key), accept));
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

  /** Another process goes on with the sockets; whoever is connected stays. */
  stopAccepting(): void {
    for (const sockets of this.open.values()) for (const socket of sockets) socket.close();
  }

  close(): void {
    for (const sockets of this.open.values()) for (const socket of sockets) socket.remove();
    this.open = new Map();
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
