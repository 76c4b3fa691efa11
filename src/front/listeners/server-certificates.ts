/** The TLS of a listener: handshakes on sockets that were accepted, with certificates that are read anew on change. */

import type net from 'node:net';
import tls from 'node:tls';
import { FreshFiles } from '../../ground/fresh-files.ts';
import type { ServerTls } from '../../operate/config/index.ts';

/** How often the files are looked at. */
const LOOK_MS = 5000;
const HANDSHAKE_MS = 10_000;

export interface TlsEvents {
  readonly onSecure: (socket: tls.TLSSocket) => void;
  /** The handshake did not come about; the socket is gone or will be. */
  readonly onFailed: (fault: Error, socket: tls.TLSSocket) => void;
  readonly onReloaded: () => void;
  /** New files cannot be used; the old ones are used on. */
  readonly onFault: (fault: Error) => void;
}

export class ServerCertificates {
  private readonly files: FreshFiles;
  private readonly events: TlsEvents;
  private readonly server: tls.Server;
  private readonly timer: NodeJS.Timeout;

  /** Throws where the files cannot be used. */
  constructor(config: ServerTls, events: TlsEvents) {
    this.events = events;
    const { cert, key, clientCa } = config;
    this.files = new FreshFiles(clientCa === undefined ? [cert, key] : [cert, key, clientCa]);
    this.server = tls.createServer({
      ...this.material(),
      handshakeTimeout: HANDSHAKE_MS,
      requestCert: config.clientCert !== 'none',
      rejectUnauthorized: config.clientCert === 'require',
      ALPNProtocols: ['http/1.1'],
    });
    this.server.on('secureConnection', events.onSecure);
    this.server.on('tlsClientError', events.onFailed);
    this.timer = setInterval(() => this.reload(false), LOOK_MS);
    this.timer.unref();
  }

  /** `onSecure` follows when the client has shown itself. */
  handshake(socket: net.Socket): void {
    // What a listening tls.Server does with what it accepts.
    this.server.emit('connection', socket);
  }

  /** Connections that are there keep what they were made with. */
  reload(always: boolean): void {
    try {
      if (!always && !this.files.changed()) return;
      this.server.setSecureContext(this.material());
      this.events.onReloaded();
    } catch (fault) {
      this.events.onFault(fault as Error);
    }
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private material(): tls.SecureContextOptions {
    const [cert, key, ca] = this.files.read();
    return { minVersion: 'TLSv1.2', cert, key, ...(ca === undefined ? {} : { ca }) };
  }
}
