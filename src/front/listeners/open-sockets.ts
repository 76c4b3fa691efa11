/** Opens what a URL of the configuration says to listen on, or takes the sockets that somebody opened before us. */

import net from 'node:net';
import { formatAddress, type ListenAddress } from '../../operate/config/index.ts';
import { adoptUnix, BACKLOG, bindUnix, listenOn, prepareUnixAccess, type SocketAccess } from './unix-socket.ts';

export interface OpenSocket {
  readonly server: net.Server;
  readonly kind: 'unix' | 'tcp';
  /** What a client on this machine puts into DOCKER_HOST. */
  readonly dockerHost: string;
  /** Stops accepting. Nothing is sent to who is connected. */
  close(): void;
  /** As `close`, and takes the file of a unix socket away. Not for sockets that another process goes on with. */
  remove(): void;
  /** Before it was ever needed: what we made is removed, what we were given is left to others. */
  discard(): void;
}

interface OpenHow {
  readonly access: SocketAccess;
  /** Descriptors that listen already: of the service manager, or of the process before us. */
  readonly ready: readonly number[];
  readonly server: net.ServerOpts;
  readonly onConnection: (socket: net.Socket, kind: OpenSocket['kind']) => void;
  readonly onFault: (fault: Error) => void;
}

/** One socket, or all of an `fd://` name. Throws with the URL and the reason; then none is open. */
export async function openSockets(address: ListenAddress, how: OpenHow): Promise<readonly OpenSocket[]> {
  const opened: OpenSocket[] = [];
  try {
    for (const fd of how.ready) opened.push(await adopt(address, fd, how));
    if (how.ready.length > 0) return opened;
    if (address.kind === 'fd') {
      throw new Error('the service manager passed no socket of this name (FileDescriptorName= of the .socket unit)');
    }
    opened.push(await open(address, how));
    return opened;
  } catch (fault) {
    for (const socket of opened) socket.discard();
    throw new Error(`cannot listen on ${formatAddress(address)}: ${(fault as Error).message}`, { cause: fault });
  }
}

/** For a socket that stays open while its configuration changes; what is given back makes the change. */
export async function prepareAccess(address: ListenAddress, access: SocketAccess): Promise<() => void> {
  return address.kind === 'unix' ? prepareUnixAccess(address.path, access) : nothing;
}

async function open(address: Exclude<ListenAddress, { kind: 'fd' }>, how: OpenHow): Promise<OpenSocket> {
  const server = net.createServer(how.server);
  if (address.kind === 'unix') {
    const unlink = await bindUnix(server, address.path, how.access);
    return served(server, 'unix', `unix://${address.path}`, { unlink, given: false }, how);
  }
  await listenOn(server, { host: address.host, port: address.port, backlog: BACKLOG });
  return served(server, 'tcp', tcpHost(server), { unlink: nothing, given: false }, how);
}

async function adopt(address: ListenAddress, fd: number, how: OpenHow): Promise<OpenSocket> {
  const server = net.createServer(how.server);
  await listenOn(server, { fd, backlog: BACKLOG });
  const bound = server.address();
  if (typeof bound !== 'string' && bound !== null)
    return served(server, 'tcp', tcpHost(server), { unlink: nothing, given: true }, how);
  if (address.kind !== 'unix')
    return served(server, 'unix', `unix://${bound ?? ''}`, { unlink: nothing, given: true }, how);
  try {
    const unlink = await adoptUnix(address.path, how.access);
    return served(server, 'unix', `unix://${address.path}`, { unlink, given: true }, how);
  } catch (fault) {
    server.close();
    throw fault;
  }
}

function served(
  server: net.Server,
  kind: OpenSocket['kind'],
  dockerHost: string,
  { unlink, given }: { readonly unlink: () => void; readonly given: boolean },
  { onConnection, onFault }: OpenHow,
): OpenSocket {
  server.on('connection', (socket) => onConnection(socket, kind));
  server.on('error', onFault);
  const close = (): void => {
    if (server.listening) server.close();
  };
  const remove = (): void => {
    unlink();
    close();
  };
  return { server, kind, dockerHost, close, remove, discard: given ? close : remove };
}

const nothing = (): void => {};

/** An address that can be connected to: who listens on all of them is reached by loopback. */
function tcpHost(server: net.Server): string {
  const { address, port, family } = server.address() as net.AddressInfo;
  if (address === '0.0.0.0') return `tcp://127.0.0.1:${port}`;
  if (address === '::') return `tcp://[::1]:${port}`;
  return family === 'IPv6' ? `tcp://[${address}]:${port}` : `tcp://${address}:${port}`;
}
