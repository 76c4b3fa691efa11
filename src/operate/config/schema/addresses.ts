/** Where things listen and where they are: sockets, host:port, URLs, networks. */

import { isIP, isIPv4, isIPv6 } from 'node:net';
import { Objection, textOf } from './field.ts';

export interface UnixAddress {
  readonly kind: 'unix';
  readonly path: string;
}

export interface TcpAddress {
  readonly kind: 'tcp';
  /** A name or an address; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** A socket that the service manager opened and named. */
export interface InheritedSocket {
  readonly kind: 'fd';
  readonly name: string;
}

export type ListenAddress = UnixAddress | TcpAddress | InheritedSocket;
export type EngineAddress = UnixAddress | TcpAddress;

/** As it is written in the configuration. */
export function formatAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix://${address.path}`;
  if (address.kind === 'fd') return `fd://${address.name}`;
  return `tcp://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

const hostName =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$/;

/** A name or an IP address. What only looks like an address (`256.1.1.1`, `10.1`) is neither: resolvers read it in several ways. */
function readsAsHost(text: string): boolean {
  return isIP(text) !== 0 ? !text.includes('%') : hostName.test(text) && !/^(.*\.)?(0[xX])?[0-9]+$/.test(text);
}

function readHostPort(text: string, leastPort: number): TcpAddress | Objection {
  const found = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]/@?#]+)):(\d{1,5})$/.exec(text);
  if (found === null) {
    return new Objection(`${JSON.stringify(text)} is not HOST:PORT (an IPv6 address stands in brackets)`);
  }
  const host = found[1] ?? (found[2] as string);
  if (found[1] === undefined ? !readsAsHost(host) : !isIPv6(host)) {
    return new Objection(`${JSON.stringify(host)} is neither a host name nor an address`);
  }
  const port = Number(found[3]);
  if (port < leastPort || port > 65_535) return new Objection(`the port must be from ${leastPort} to 65535`);
  return { kind: 'tcp', host, port };
}

function readSocketPath(path: string): UnixAddress | Objection {
  if (!path.startsWith('/') || path.endsWith('/'))
    return new Objection('unix:// needs an absolute path: unix:///run/…');
  if (path.includes('\0')) return new Objection('a path holds no zero byte');
  // sockaddr_un has 108 bytes, the last one a zero; what is longer would be cut off silently.
  if (Buffer.byteLength(path) > 107) return new Objection('the path of a socket has at most 107 bytes');
  return { kind: 'unix', path };
}

export function listenUrl() {
  const reading = {
    kind: 'URL',
    what: 'unix:///PATH, tcp://HOST:PORT or fd://NAME',
    pattern: '^(unix:///|tcp://|fd://).+$',
  };
  return textOf(reading, (text): ListenAddress | Objection | undefined => {
    if (text.startsWith('unix://')) return readSocketPath(text.slice(7));
    if (text.startsWith('tcp://')) return readHostPort(text.slice(6), 0);
    if (!text.startsWith('fd://')) return undefined;
    const name = text.slice(5);
    return /^[A-Za-z0-9._-]{1,255}$/.test(name)
      ? { kind: 'fd', name }
      : new Objection('fd:// needs a name of letters and digits');
  });
}

export function engineUrl() {
  const reading = { kind: 'URL', what: 'unix:///PATH or tcp://HOST:PORT', pattern: '^(unix:///|tcp://).+$' };
  return textOf(reading, (text): EngineAddress | Objection | undefined => {
    if (text.startsWith('unix://')) return readSocketPath(text.slice(7));
    return text.startsWith('tcp://') ? readHostPort(text.slice(6), 1) : undefined;
  });
}

/** A socket, or TCP: for what people reach with a browser. */
export function adminUrl() {
  const reading = { kind: 'URL', what: 'unix:///PATH or tcp://HOST:PORT', pattern: '^(unix:///|tcp://).+$' };
  return textOf(reading, (text): UnixAddress | TcpAddress | Objection | undefined => {
    if (text.startsWith('unix://')) return readSocketPath(text.slice(7));
    return text.startsWith('tcp://') ? readHostPort(text.slice(6), 0) : undefined;
  });
}

/** `HOST:PORT` of something that we listen on. */
export function hostPort(leastPort = 0) {
  const reading = { kind: 'HOST:PORT', what: 'HOST:PORT, such as 127.0.0.1:5350' };
  return textOf(reading, (text) => readHostPort(text, leastPort));
}

/** `HOST:PORT` of something that we listen on, as it stands in names of images. */
export function registryAddress() {
  const reading = { kind: 'HOST:PORT', what: 'HOST:PORT, such as 127.0.0.1:5350' };
  return textOf(reading, (text): TcpAddress | Objection => {
    const read = readHostPort(text, 1);
    if (read instanceof Objection) return read;
    if (isIPv6(read.host)) return new Objection('names of images have no IPv6 address: write an IPv4 address');
    if (read.host === '0.0.0.0')
      return new Objection('0.0.0.0 is every address: write the one that the engine reaches');
    // Builds are at the port that follows.
    return read.port === 65_535 && !read.host.startsWith('127.') ? new Objection('the port must be below 65535') : read;
  });
}

/** `ADDRESS:PORT`: what is compared with packets has no name. */
export function addressPort() {
  const reading = { kind: 'ADDRESS:PORT', what: 'ADDRESS:PORT, such as 10.0.0.5:3142' };
  return textOf(reading, (text): TcpAddress | Objection => {
    const read = readHostPort(text, 1);
    return read instanceof Objection || isIP(read.host) !== 0
      ? read
      : new Objection(`${JSON.stringify(read.host)} is a name: write the address`);
  });
}

/** `http://HOST:PORT` of something that we listen on, without a path. */
export function httpListenUrl() {
  const reading = { kind: 'URL', what: 'http://HOST:PORT', pattern: '^http://[^/]+/?$' };
  return textOf(reading, (text) =>
    text.startsWith('http://') ? readHostPort(text.slice(7).replace(/\/$/, ''), 0) : undefined,
  );
}

/** `http://` or `https://` of a server that we talk to; as text, since the path belongs to it. */
export function httpUrl() {
  const reading = { kind: 'URL', what: 'an http:// or https:// URL', pattern: '^https?://.+$' };
  return textOf(reading, (text): string | Objection | undefined => {
    if (!/^https?:\/\/[^\s\\]+$/.test(text) || !URL.canParse(text)) return undefined;
    const url = new URL(text);
    if (url.username !== '' || url.password !== '') return new Objection('holds credentials: put them into a file');
    if (url.search !== '' || url.hash !== '') return new Objection('must have neither a query nor a fragment');
    return text;
  });
}

/** The host of a registry as it stands in image names: `r.example.org:5000`. */
export function registryHost() {
  const reading = { kind: 'host', what: 'the host of a registry, such as r.example.org:5000' };
  return textOf(reading, (text) => {
    const read = /:\d+$/.test(text) ? readHostPort(text, 1) : readsAsHost(text);
    return read === false || read instanceof Objection ? undefined : text.toLowerCase();
  });
}

/** A host name, or `*.NAME` for all below it. */
export function hostPattern() {
  const reading = { kind: 'host', what: 'a host name, or *.example.org for all below it' };
  return textOf(reading, (text) => {
    const host = text.startsWith('*.') ? text.slice(2) : text;
    // Below an address there is nothing.
    if (host !== text && isIP(host) !== 0) return undefined;
    return readsAsHost(host) ? text.toLowerCase() : undefined;
  });
}

/** The same, also with a port. */
export function hostPortPattern() {
  const reading = { kind: 'host', what: 'a host name, *.example.org for all below it, or either with a port' };
  return textOf(reading, (text) => {
    const [, below, host = '', port] = /^(\*\.)?(.*?)(?::([0-9]{1,5}))?$/.exec(text) ?? [];
    if (below !== undefined && isIP(host) !== 0) return undefined;
    return readsAsHost(host) && !host.includes(':') && Number(port ?? 1) <= 65_535 ? text.toLowerCase() : undefined;
  });
}

export function ipAddress() {
  const reading = { kind: 'IP address', what: 'an IP address' };
  return textOf(reading, (text) => (isIP(text) !== 0 && !text.includes('%') ? text : undefined));
}

/** As `net.BlockList.addSubnet(address, prefix, family)` takes it. */
export interface Cidr {
  readonly family: 'ipv4' | 'ipv6';
  readonly address: string;
  readonly prefix: number;
}

function bitsOf(address: string): bigint {
  if (isIPv4(address)) return address.split('.').reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n);
  // The URL parser writes every form of an IPv6 address (also ::ffff:1.2.3.4) as groups of hexadecimal digits.
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return groups.reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n);
}

export function cidr() {
  const reading = { kind: 'network', what: 'a network such as 10.128.0.0/9', pattern: '^[0-9A-Fa-f:.]+/[0-9]{1,3}$' };
  return textOf(reading, (text): Cidr | Objection | undefined => {
    const found = /^([0-9A-Fa-f:.]+)\/(\d{1,3})$/.exec(text);
    const address = found?.[1] ?? '';
    const version = isIP(address);
    const prefix = Number(found?.[2]);
    const width = version === 4 ? 32 : 128;
    if (version === 0 || prefix > width) return undefined;
    // 10.0.0.5/8 may mean one host or sixteen million: the reader cannot know which.
    if ((bitsOf(address) & ((1n << BigInt(width - prefix)) - 1n)) !== 0n) {
      return new Objection(`${text} is an address inside a network: write the network, or /${width} for one address`);
    }
    return { family: version === 4 ? 'ipv4' : 'ipv6', address, prefix };
  });
}
