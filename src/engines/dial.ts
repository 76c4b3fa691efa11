/** Connections to an engine: a unix socket, TCP, or TLS with a client certificate that may change while we run. */

import net from 'node:net';
import tls from 'node:tls';
import { FreshFiles } from '../ground/fresh-files.ts';
import type { Dial } from '../wire/outbound.ts';
import type { EngineOptions, EngineTls } from './engine-options.ts';

/** Finds out that a host is gone while a stream is silent, which may be for hours. */
const KEEP_ALIVE_MS = 30_000;

/** `onFault` hears of certificate files that changed into something unusable; the old ones are used on. */
export function dialer({ url, tls: files }: EngineOptions, onFault: (fault: Error) => void): Dial {
  if (url.kind === 'unix') return (options) => net.connect({ ...options, path: url.path });
  const { host, port } = url;
  if (files === undefined) {
    return (options) => net.connect({ ...options, host, port, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
  }
  const certificates = new ClientCertificates(files, onFault);
  // RFC 6066 §3: an address is not a server name.
  const servername = net.isIP(host) === 0 ? host : '';
  return (options) => {
    const secureContext = certificates.context();
    // A connection that fails is what the pool knows how to answer for; an exception is not.
    if (secureContext instanceof Error) return new net.Socket(options).destroy(secureContext);
    const socket = tls.connect({ ...options, host, port, servername, secureContext, minVersion: 'TLSv1.2' });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    return socket;
  };
}

class ClientCertificates {
  private readonly files: FreshFiles;
  private readonly hasOwn: boolean;
  private readonly onFault: (fault: Error) => void;
  private current: tls.SecureContext | null = null;

  constructor({ ca, cert, key }: EngineTls, onFault: (fault: Error) => void) {
    this.hasOwn = cert !== undefined && key !== undefined;
    this.files = new FreshFiles(cert !== undefined && key !== undefined ? [ca, cert, key] : [ca]);
    this.onFault = onFault;
  }

  /** Connections are few: a look at the files for each of them costs nothing. An error where there never were good ones. */
  context(): tls.SecureContext | Error {
    if (this.current !== null && !this.files.changed()) return this.current;
    try {
      const [ca, cert, key] = this.files.read();
      this.current = tls.createSecureContext({
        minVersion: 'TLSv1.2',
        ca,
        ...(this.hasOwn ? { cert, key } : {}),
      });
    } catch (fault) {
      this.onFault(fault as Error);
      if (this.current === null) return fault as Error;
    }
    return this.current;
  }
}
