/**
 * The way out: requests to other servers (registries, origins, issuers) through the site's proxy, with its CA, and
 * never to an inner address unless that is allowed. A name is resolved once, and what was looked at is connected to.
 */

import { lookup } from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import net, { isIP, type LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import tls, { type ConnectionOptions, checkServerIdentity, rootCertificates } from 'node:tls';
import { Agent, buildConnector, type Dispatcher, Pool, ProxyAgent, request } from 'undici';
import { type GatheredAnswer, GatheredCalls, type GatheredRequest } from './gathered-calls.ts';
import { type Network, reachableAddresses } from './inner-addresses.ts';
import { KnownAddresses, type LookupAll } from './known-addresses.ts';
import type { Dial } from './outbound.ts';

const CONNECT_MS = 10_000;
const CONNECT_PARTS = 10;
/** A proxy looks a name up itself, and says something of its own when it has failed. */
const PROXY_MORE_MS = 2000;
const HEAD_MS = 60_000;
const SILENT_MS = 120_000;
/** How much of a large body may lie here until it is wanted. */
const AHEAD_BYTES = 1024 * 1024;

export interface WayOutOptions {
  /** `http://` or `https://`; null for none. */
  readonly proxy: string | null;
  /** Hosts that are reached without it, and domains that begin with a dot. */
  readonly noProxy: readonly string[];
  /** PEM: trusted in addition to those of the machine. */
  readonly ca: readonly string[];
  readonly allowPrivate: readonly Network[];
}

export interface Destination {
  /** PEM: the only ones that are trusted for it. Absent: those of the machine and of the site. */
  readonly ca?: readonly string[];
  /** The origin that an administrator has named: it may have an inner address. */
  readonly named?: URL;
  /** Where `named` is an address: the name that its certificate may be for instead. */
  readonly certifiedAs?: string;
  /** Also what is named is reached through the site's proxy, but for hosts that are reached without it. */
  readonly proxied?: boolean;
  /** How long a connection may take to come about. */
  readonly connectMs?: number;
}

/** `timeout`: no connection came about; `slow`: there is one, and no answer. */
export type OutFaultReason = 'inner-address' | 'unknown-host' | 'unreachable' | 'tls' | 'timeout' | 'slow' | 'broken';

/** Why there was no answer. The message names the host and no address: what lies inside is nobody's business. */
export class OutFault extends Error {
  readonly reason: OutFaultReason;

  constructor(reason: OutFaultReason, message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

export type OutRequest = Omit<Dispatcher.RequestOptions, 'origin' | 'path'>;

/** One kind of destination, with connections of its own. */
export interface Out {
  /** Follows no redirect. @throws OutFault */
  send(url: URL, request: OutRequest): Promise<Dispatcher.ResponseData>;
  /** GET of what may be large. Follows no redirect. @throws OutFault */
  get(url: URL, request: GatheredRequest): Promise<Dispatcher.ResponseData | GatheredAnswer>;
}

export class WayOut {
  private readonly options: WayOutOptions;
  private readonly resolve: LookupAll;
  private readonly known: KnownAddresses;
  private readonly reachable: (address: string) => boolean;
  private readonly tunnelMs: number;
  private readonly opened: { close(): Promise<void> }[] = [];

  /** @param resolve the machine's own resolver @param tunnelMs how long the proxy may take to reach a server */
  constructor(options: WayOutOptions, resolve: LookupAll = lookup, tunnelMs = CONNECT_MS) {
    this.options = options;
    this.resolve = resolve;
    this.known = new KnownAddresses(resolve);
    this.tunnelMs = tunnelMs;
    this.reachable = reachableAddresses(options.allowPrivate);
  }

  to(destination: Destination = {}): Out {
    const { ca = [...rootCertificates, ...this.options.ca] } = destination;
    const { named } = destination;
    const throughProxy = destination.proxied === true;
    const limits = { headersTimeout: HEAD_MS, bodyTimeout: SILENT_MS, connections: 64 };
    const connect = this.connector([...ca], destination);
    const direct = new Agent({ ...limits, connect });
    this.opened.push(direct);
    const { proxy } = this.options;
    let proxied: Dispatcher | null = null;
    if (proxy !== null) {
      const { connectMs } = destination;
      const tunnels = { headersTimeout: connectMs === undefined ? this.tunnelMs : connectMs + PROXY_MORE_MS };
      proxied = new ProxyAgent({
        ...limits,
        uri: proxy,
        requestTls: { ca: [...ca] },
        proxyTls: { ca: [...ca] },
        clientFactory: (origin, how) => new Pool(origin, { ...how, ...tunnels }),
      });
      this.opened.push(proxied);
    }
    const large = new GatheredCalls({
      dial: (url) => this.dialer(url, [...ca], destination),
      connectMs: destination.connectMs ?? CONNECT_MS,
      headMs: HEAD_MS,
      silentMs: SILENT_MS,
      asFault: asOutFault,
    });
    this.opened.push(large);
    const goesDirect = (url: URL): boolean =>
      proxied === null || (isNamed(url, named) && !throughProxy) || this.isWithoutProxy(url.hostname);
    const send: Out['send'] = async (url, options) => {
      const isDirect = goesDirect(url);
      if (!isDirect) await this.refuseInner(url, named);
      try {
        return await request(url, { ...options, dispatcher: isDirect ? direct : (proxied as Dispatcher) });
      } catch (fault) {
        // Of a proxy nobody knows whether it has reached the server.
        if (isDirect && isSlow(fault)) throw new OutFault('slow', `${url.host} does not answer`, fault);
        throw asOutFault(url, fault);
      }
    };
    return {
      send,
      get: (url, options) => {
        if (!goesDirect(url) || large.isBusy(url)) {
          return send(url, { method: 'GET', highWaterMark: AHEAD_BYTES, ...options });
        }
        return large.ask(url, options);
      },
    };
  }

  /** Bytes to and from a server, untouched. @throws OutFault */
  async tunnel(host: string, port: number): Promise<Duplex> {
    const url = new URL(`https://${host}:${port}`);
    const { proxy } = this.options;
    if (proxy === null || this.isWithoutProxy(host)) {
      if (isIP(host) !== 0 && !this.reachable(host)) throw new OutFault('inner-address', inner(host));
      return connected(net.connect({ host, port, lookup: this.lookup, allowHalfOpen: true, noDelay: true }), url);
    }
    await this.refuseInner(url, undefined);
    return throughProxy(new URL(proxy), url, [...rootCertificates, ...this.options.ca]);
  }

  /** Takes no more requests, and resolves when those that run have ended. */
  async close(): Promise<void> {
    await Promise.all(this.opened.splice(0).map((one) => one.close()));
  }

  private connector(ca: string[], destination: Destination): buildConnector.connector {
    const { named, certifiedAs, connectMs: timeout = CONNECT_MS } = destination;
    const checked = inTime(buildConnector({ ca, timeout, lookup: this.lookup }), timeout);
    const free = inTime(buildConnector({ ca, timeout, ...identityOf(named, certifiedAs) }), timeout);
    return (said, callback) => {
      // A certificate is for whom we ask, whatever the `Host` field calls them.
      const { servername: _, ...options } = said;
      const host = bare(options.hostname);
      const port = options.port === '' ? (options.protocol === 'https:' ? '443' : '80') : options.port;
      if (named !== undefined && host === bare(named.hostname) && port === portOf(named))
        return free(options, callback);
      // An address is not looked up, so it is looked at here.
      if (isIP(host) !== 0 && !this.reachable(host)) return callback(new OutFault('inner-address', inner(host)), null);
      return checked(options, callback);
    };
  }

  /** As `connector`. */
  private dialer(url: URL, ca: string[], { named, certifiedAs }: Destination): Dial {
    const host = bare(url.hostname);
    const port = Number(portOf(url));
    const isFree = isNamed(url, named);
    const isRefused = !isFree && isIP(host) !== 0 && !this.reachable(host);
    const secureContext = url.protocol === 'https:' ? tls.createSecureContext({ ca }) : null;
    return (onread) => {
      // What fails to connect is what is told; an exception is not.
      if (isRefused) return new net.Socket(onread).destroy(new OutFault('inner-address', inner(host)));
      const options = { ...onread, host, port, ...(isFree ? {} : { lookup: this.lookup }) };
      if (secureContext === null) return net.connect(options);
      // RFC 6066 §3: an address is not a server name.
      const identity = { servername: isIP(host) === 0 ? host : '', ...(isFree ? identityOf(named, certifiedAs) : {}) };
      const socket = tls.connect({ ...options, ...identity, secureContext, ALPNProtocols: ['http/1.1'] });
      return socket.setNoDelay(true);
    };
  }

  private readonly lookup: LookupFunction = (hostname, options, callback) => {
    this.resolve(hostname, { ...options, all: true }, (fault, found) => {
      if (fault !== null) return callback(fault, '', 0);
      const outer = found.filter(({ address }) => this.reachable(address));
      const [first] = outer;
      if (first === undefined) return callback(new OutFault('inner-address', inner(hostname)), '', 0);
      return options.all === true ? callback(null, outer) : callback(null, first.address, first.family);
    });
  };

  /** What the proxy will find is its own affair; what we know to be inside is not asked of it. */
  private async refuseInner(url: URL, named: URL | undefined): Promise<void> {
    const host = bare(url.hostname);
    if (isNamed(url, named)) return;
    const found = isIP(host) === 0 ? await this.known.of(host) : [host];
    if (found.some((address) => !this.reachable(address))) throw new OutFault('inner-address', inner(host));
  }

  private isWithoutProxy(hostname: string): boolean {
    const host = bare(hostname).toLowerCase();
    return this.options.noProxy.some((one) => {
      const name = one.toLowerCase();
      return name.startsWith('.') ? host.endsWith(name) || host === name.slice(1) : host === name;
    });
  }
}

/**
 * undici looks at its clock twice a second only. The time is counted in parts: of a process that was held up itself by more
 * than one of them no more has passed, since it has not yet heard of what has come about meanwhile.
 */
function inTime(connect: buildConnector.connector, ms: number): buildConnector.connector {
  return (options, callback) => {
    let left = CONNECT_PARTS;
    const timer = setInterval(() => {
      left--;
      if (left > 0) return;
      clearInterval(timer);
      callback(Object.assign(new Error('connect'), { code: 'ETIMEDOUT' }), null);
    }, ms / CONNECT_PARTS);
    connect(options, (...result) => {
      clearInterval(timer);
      if (left === 0) result[1]?.destroy();
      else callback(...result);
    });
  };
}

function connected(socket: net.Socket, url: URL): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const failed = (fault: Error): void => reject(asOutFault(url, fault));
    const late = (): void => {
      socket.destroy(Object.assign(new Error('connect'), { code: 'ETIMEDOUT' }));
    };
    socket.setTimeout(CONNECT_MS, late);
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('timeout', late);
      socket.off('error', failed);
      resolve(socket);
    });
  });
}

function throughProxy(proxy: URL, url: URL, ca: string[]): Promise<Duplex> {
  const authority = `${url.hostname}:${portOf(url)}`;
  const { username, password } = proxy;
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  const options: https.RequestOptions = {
    host: bare(proxy.hostname),
    port: portOf(proxy),
    method: 'CONNECT',
    path: authority,
    headers: { host: authority, ...(username === '' ? {} : { 'proxy-authorization': `Basic ${credentials}` }) },
    agent: false,
    timeout: CONNECT_MS,
  };
  return new Promise((resolve, reject) => {
    const asked = proxy.protocol === 'https:' ? https.request({ ...options, ca }) : http.request(options);
    asked.once('timeout', () => asked.destroy(Object.assign(new Error('connect'), { code: 'ETIMEDOUT' })));
    asked.once('error', (fault) => reject(asOutFault(url, fault)));
    asked.once('connect', ({ statusCode }, socket, head) => {
      socket.setTimeout(0);
      if (statusCode === 200) {
        if (head.length > 0) socket.unshift(head);
        return resolve(socket);
      }
      socket.destroy();
      reject(new OutFault('unreachable', `${url.host} cannot be reached: the proxy answered ${statusCode}`));
    });
    asked.once('response', (answer) => {
      answer.destroy();
      reject(new OutFault('unreachable', `${url.host} cannot be reached: the proxy answered ${answer.statusCode}`));
    });
    asked.end();
  });
}

type Identity = Pick<ConnectionOptions, 'servername' | 'checkServerIdentity'>;

/** What an address is certified as, where it is not by the address itself. */
function identityOf(named: URL | undefined, certifiedAs: string | undefined): Identity {
  if (named === undefined || certifiedAs === undefined || isIP(bare(named.hostname)) === 0) return {};
  const address = bare(named.hostname);
  return {
    servername: certifiedAs,
    checkServerIdentity: (_, certificate) =>
      checkServerIdentity(address, certificate) && checkServerIdentity(certifiedAs, certificate),
  };
}

function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

function portOf({ port, protocol }: URL): string {
  return port === '' ? (protocol === 'https:' ? '443' : '80') : port;
}

function isNamed(url: URL, named: URL | undefined): boolean {
  return named !== undefined && url.origin === named.origin;
}

function inner(host: string): string {
  return `${host} is not on the open internet, and not among the inner servers that may be used`;
}

function isSlow(fault: unknown): boolean {
  return (fault as NodeJS.ErrnoException).code === 'UND_ERR_HEADERS_TIMEOUT';
}

function asOutFault({ host }: URL, fault: unknown): unknown {
  const known = faultWithin(fault);
  if (known !== null) return known;
  const { code = '', name, message } = fault as NodeJS.ErrnoException;
  if (name === 'AbortError') return fault;
  if (/TIMEOUT|ETIMEDOUT/.test(code)) return new OutFault('timeout', `${host} does not answer`, fault);
  if (/ENOTFOUND|EAI_AGAIN/.test(code)) return new OutFault('unknown-host', `there is no host ${host}`, fault);
  if (/CERT|TLS|SSL|ISSUER|SIGNED|EPROTO/i.test(code)) {
    return new OutFault('tls', `the certificate of ${host} is not trusted, or TLS failed: ${message}`, fault);
  }
  if (/ECONNREFUSED|EHOSTUNREACH|ENETUNREACH/.test(code)) {
    return new OutFault('unreachable', `${host} cannot be reached`, fault);
  }
  return new OutFault('broken', `${host} ended the connection, or answered what is not HTTP`, fault);
}

function faultWithin(fault: unknown): OutFault | null {
  if (fault instanceof OutFault) return fault;
  const { cause, errors } = fault as { readonly cause?: unknown; readonly errors?: readonly unknown[] };
  for (const one of errors ?? []) if (one instanceof OutFault) return one;
  return cause === undefined || cause === null ? null : faultWithin(cause);
}
