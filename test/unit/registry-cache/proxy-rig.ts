// The proxy of registries on loopback, with a CA of its own, and a client that trusts it.
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { onTestFinished } from 'vitest';
import { Authority } from '../../../src/cache/interception/index.ts';
import {
  CachedRegistries,
  MirrorTally,
  Registries,
  RegistryProxy,
  TagRules,
} from '../../../src/cache/registry/index.ts';
import { FolderStore } from '../../../src/cache/store/index.ts';
import { WayOut } from '../../../src/wire/way-out.ts';
import { loopback, settled } from './rig.ts';

export interface ProxyRig {
  readonly port: number;
  /** Where names of DNS lead. */
  readonly tlsPort: number;
  readonly roots: () => string;
  /** `KIND REGISTRY HOST`, where registries sent clients to. */
  readonly hosts: ReadonlySet<string>;
  /** Names that DNS has sent here for nothing. */
  readonly strayNames: readonly string[];
  /** Through the proxy, to `HOST:PORT`. @throws Error with the first line of the proxy's answer where it refuses */
  connect(target: string): Promise<net.Socket>;
  /** As a client that was told to trust our CA. */
  ask(target: string, path: string, options?: AskOptions): Promise<ProxyAnswer>;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string | Buffer;
  /** What the TLS of the client says; default: the host that it asks for. */
  readonly servername?: string;
  /** Without the proxy, to the listener for names of DNS. */
  readonly byDns?: boolean;
}

export interface ProxyAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

export async function startProxyRig(
  upstreams: readonly { readonly host: string; readonly url: string }[],
  tunnels: (host: string, port: number) => boolean = () => false,
): Promise<ProxyRig> {
  const folder = mkdtempSync(join(tmpdir(), 'berthgate-proxy-'));
  const store = await FolderStore.open({ folder: join(folder, 'store'), maxBytes: 2 ** 30 });
  const wayOut = new WayOut({ proxy: null, noProxy: [], ca: [], allowPrivate: loopback });
  const named = upstreams.map((one) => ({ ...one, private: false, realms: [] }));
  const registries = new Registries({ upstreams: named, allow: ['*'] }, wayOut);
  const tally = new MirrorTally(() => {});
  const onFault = (): void => {};
  const upstream = new CachedRegistries({
    store,
    registries,
    tagRules: new TagRules([]),
    staleMs: 86_400_000,
    tally,
    onFault,
  });
  const day = 86_400_000;
  const authority = new Authority(
    { folder: join(folder, 'ca'), lifeMs: 30 * day, rotateMs: 10 * day, hosts: registries.wireHosts() },
    onFault,
  );
  const roots = (): string => authority.roots.map(({ pem }) => pem).join('');
  const hosts = new Set<string>();
  const strayNames: string[] = [];
  const proxy = new RegistryProxy({
    upstream: () => upstream,
    onFault,
    onStrayName: (name) => strayNames.push(name),
    onHost: (registry, kind, host) => hosts.add(`${kind} ${registry} ${host}`),
    registryAt: (host, port) => registries.onWire(host, port),
    tunnels: (host, port) => registries.isRealm(host, port) || tunnels(host, port),
    tunnel: (host, port) => wayOut.tunnel(host, port),
    contextFor: (host) => authority.contextFor(host),
    roots,
    mirrorPort: () => 5351,
  });
  const servers = [
    net.createServer((socket) => proxy.accept(socket)),
    net.createServer((socket) => proxy.acceptTls(socket)),
  ] as const;
  for (const server of servers) await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const [port = 0, tlsPort = 0] = servers.map((server) => (server.address() as AddressInfo).port);
  onTestFinished(async () => {
    proxy.close();
    authority.end();
    for (const server of servers) server.close();
    await settled(store);
    await wayOut.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  });

  const connect = (target: string): Promise<net.Socket> =>
    new Promise((resolve, reject) => {
      const call = http.request({ port, host: '127.0.0.1', method: 'CONNECT', path: target, agent: false });
      call.on('connect', (answer, socket, head) => {
        if (head.length > 0) socket.unshift(head);
        if (answer.statusCode === 200) resolve(socket as net.Socket);
        else {
          socket.destroy();
          reject(new Error(`the proxy says ${answer.statusCode} ${answer.statusMessage}`));
        }
      });
      call.on('error', reject);
      call.end();
    });

  async function ask(target: string, path: string, options: AskOptions = {}): Promise<ProxyAnswer> {
    const { method = 'GET', headers, body, byDns = false } = options;
    const [host = ''] = target.split(':');
    const below = byDns ? net.connect(tlsPort, '127.0.0.1') : await connect(target);
    const secured = tls.connect({ socket: below, servername: options.servername ?? host, ca: roots() });
    return new Promise((resolve, reject) => {
      secured.on('error', reject);
      const authority = target.replace(/:443$/, '');
      const call = http.request({
        method,
        path,
        headers: { host: authority, ...headers },
        createConnection: () => secured,
      });
      call.on('error', reject);
      call.on('response', (answer) => {
        const pieces: Buffer[] = [];
        answer.on('data', (piece: Buffer) => pieces.push(piece));
        answer.on('error', reject);
        answer.on('end', () => {
          secured.destroy();
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(pieces) });
        });
      });
      call.end(body);
    });
  }
  return { port, tlsPort, roots, hosts, strayNames, connect, ask };
}
