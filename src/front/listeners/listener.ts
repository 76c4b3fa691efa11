/** One listener: takes connections as long as there may be more, and gives the calls on them their way. */

import { statSync } from 'node:fs';
import type net from 'node:net';
import type tls from 'node:tls';
import type { Authenticator } from '../../exchange/authenticator.ts';
import type { Peer } from '../../exchange/identity.ts';
import { Refusal } from '../../ground/refusal.ts';
import type { ServerTls } from '../../operate/config/index.ts';
import type { Exchange } from '../../wire/exchange.ts';
import { InboundConnection, type InboundLimits, type InboundOptions } from '../../wire/inbound.ts';
import { KnownHeads } from '../../wire/known-heads.ts';
import type { RequestHead } from '../../wire/message.ts';
import type { ReadBuffers } from '../../wire/read-buffers.ts';
import type { OpenSocket } from './open-sockets.ts';
import { ServerCertificates } from './server-certificates.ts';
import { turnAway } from './turn-away.ts';

interface CallServer {
  serve(exchange: Exchange, peer: Peer): Promise<void>;
}

/** What holds for the connections of a listener; a reload gives it another one. */
export interface ListenerSetup {
  readonly name: string;
  readonly way: CallServer;
  readonly authenticators: readonly Authenticator[];
  readonly limits: InboundLimits;
  readonly connections: number;
  readonly tls: ServerTls | undefined;
  readonly renderFault: InboundOptions['renderFault'];
  /** A client was told that it is not served, before it had said anything. */
  readonly onTurnedAway: (refusal: Refusal) => void;
}

interface ListenerLog {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

/** So many more are told that there are too many; what comes beyond them is cut without a word. */
const TOLD_TOO_MANY = 64;
/** How long a client that was accepted may take to send its one call, when nothing more is accepted. */
const FIRST_CALL_MS = 5000;
/** How long a connection is left idle that its client may be about to use, when another process has taken over. */
const LEFT_IDLE_MS = 30_000;

interface Visitor {
  readonly peer: Peer;
  readonly connection: InboundConnection;
  used: boolean;
}

export class Listener {
  private setup: ListenerSetup;
  private readonly buffers: ReadBuffers;
  private readonly log: ListenerLog;
  /** What was read within the limits of `setup`. */
  private heads = new KnownHeads<RequestHead>();
  private certificates: ServerCertificates | null = null;
  private sockets: readonly OpenSocket[] = [];
  private readonly visitors = new Map<InboundConnection, Visitor>();
  /** Accepted sockets, those in their handshake and those that are turned away too. */
  private accepted = 0;
  private draining = false;
  private readonly leaving = new Set<NodeJS.Timeout>();
  private readonly onEmpty: (() => void)[] = [];

  /** Throws where the certificates cannot be used. */
  constructor(setup: ListenerSetup, buffers: ReadBuffers, log: ListenerLog) {
    this.setup = setup;
    this.buffers = buffers;
    this.log = log;
    this.certificates = this.makeCertificates(setup);
  }

  get name(): string {
    return this.setup.name;
  }

  get speaksTls(): boolean {
    return this.certificates !== null;
  }

  get connections(): number {
    return this.accepted;
  }

  get openSockets(): readonly OpenSocket[] {
    return this.sockets;
  }

  listensOn(sockets: readonly OpenSocket[]): void {
    this.sockets = sockets;
  }

  /**
   * For the calls to come, on the connections that are there too; limits count for new connections. Nothing changes
   * before what is given back is called. Throws as the constructor.
   */
  prepare(setup: ListenerSetup): { readonly commit: () => void; readonly discard: () => void } {
    const sameTls = JSON.stringify(setup.tls) === JSON.stringify(this.setup.tls);
    const certificates = sameTls ? this.certificates : this.makeCertificates(setup);
    return {
      discard: () => {
        if (!sameTls) certificates?.stop();
      },
      commit: () => {
        this.setup = setup;
        this.heads = new KnownHeads();
        // Authenticators that are new have not seen who is connected already.
        for (const { connection, peer } of this.visitors.values()) this.introduceAgain(connection, peer);
        if (sameTls) {
          certificates?.reload(true);
          return;
        }
        this.certificates?.stop();
        this.certificates = certificates;
        // They were let in by rules that hold no more.
        for (const connection of this.visitors.keys()) connection.drain();
      },
    };
  }

  /** For every socket that is accepted, paused, before a byte of it is read. */
  accept(socket: net.Socket, kind: OpenSocket['kind']): void {
    const { connections } = this.setup;
    if (this.accepted >= connections + TOLD_TOO_MANY) {
      socket.destroy();
      return;
    }
    this.accepted++;
    if (this.certificates !== null && kind === 'tcp') {
      socket.once('close', () => this.left());
      // Told to the TLS socket over it as well, which is the one that is listened to.
      socket.on('error', () => {});
      this.certificates.handshake(socket);
      return;
    }
    if (this.accepted > connections) {
      this.turnAway(socket, tooMany(connections), () => this.left());
      return;
    }
    this.welcome(socket, { transport: kind, address: addressOf(socket) }, () => this.left());
  }

  /** For a listener that is not to be, after all. */
  discard(): void {
    for (const socket of this.sockets) socket.discard();
    this.sockets = [];
    this.certificates?.stop();
    this.destroy();
  }

  /** Nobody is accepted any more. `keepFiles` where another process goes on with the sockets. */
  stopAccepting(keepFiles: boolean): void {
    for (const socket of this.sockets) keepFiles ? socket.close() : socket.remove();
    this.sockets = [];
    this.certificates?.stop();
  }

  /**
   * Lets the connections end: after their answer, and idle ones at once, or, where `patient`, a while later: their
   * clients may be about to send a call, and the process that comes after us has no part in it. Tunnels run on; who
   * ends one here is told.
   */
  drain(patient: boolean): void {
    this.draining = true;
    for (const visitor of this.visitors.values()) {
      if (visitor.used && !(patient && visitor.connection.idle)) visitor.connection.drain();
      else this.leave(visitor.connection, visitor.used ? LEFT_IDLE_MS : FIRST_CALL_MS);
      visitor.connection.channel.onLeave?.();
    }
  }

  /** Resolves when the last connection is gone. */
  empty(): Promise<void> {
    if (this.accepted === 0) return Promise.resolve();
    return new Promise((resolve) => void this.onEmpty.push(resolve));
  }

  /** Cuts what is left. */
  destroy(): void {
    for (const timer of this.leaving) clearTimeout(timer);
    for (const connection of this.visitors.keys()) connection.socket.destroy();
  }

  private makeCertificates({ name, tls }: ListenerSetup): ServerCertificates | null {
    if (tls === undefined) return null;
    if ((statSync(tls.key).mode & 0o007) !== 0) {
      this.log.warn(
        { listener: name, key: tls.key },
        'everybody on this machine may read the private key, or change it',
      );
    }
    return new ServerCertificates(tls, {
      onSecure: (socket) => this.secured(socket),
      onFailed: (fault, socket) => {
        this.log.debug({ listener: name, address: addressOf(socket), reason: fault.message }, 'no handshake');
        socket.destroy();
      },
      onReloaded: () => this.log.info({ listener: name }, 'certificates read anew'),
      onFault: (fault) => {
        this.log.warn({ listener: name, reason: fault.message }, 'new certificates cannot be used; the old ones stay');
      },
    });
  }

  private secured(socket: tls.TLSSocket): void {
    const { connections } = this.setup;
    // Counted when its raw socket was accepted, and off again when that closes.
    if (this.accepted > connections) {
      this.turnAway(socket, tooMany(connections), () => {});
      return;
    }
    // A certificate that was shown and is not good: never as if there were none.
    if (
      !socket.authorized &&
      Object.keys(socket.getPeerCertificate()).length > 0 &&
      this.setup.tls?.clientCert === 'optional'
    ) {
      const reason = `the client certificate is not accepted: ${String(socket.authorizationError)}`;
      this.turnAway(socket, new Refusal('not-identified', reason), () => {});
      return;
    }
    this.welcome(socket, { transport: 'tls', address: addressOf(socket) }, () => {});
  }

  private welcome(socket: net.Socket, peer: Peer, onClosed: () => void): void {
    const { authenticators, limits, renderFault } = this.setup;
    try {
      introduce(socket, peer, authenticators);
    } catch (cause) {
      this.turnAway(socket, new Refusal('own-fault', 'internal fault', { cause }), onClosed);
      return;
    }
    const connection: InboundConnection = new InboundConnection(socket, {
      limits,
      heads: this.heads,
      buffers: this.buffers,
      renderFault,
      handler: (exchange) => {
        visitor.used = true;
        if (this.draining) connection.drain();
        void this.setup.way.serve(exchange, peer);
      },
      onClosed: () => {
        this.visitors.delete(connection);
        onClosed();
      },
    });
    const visitor: Visitor = { connection, peer, used: false };
    this.visitors.set(connection, visitor);
    if (this.draining) this.leave(connection, FIRST_CALL_MS);
  }

  private turnAway(socket: net.Socket, refusal: Refusal, onClosed: () => void): void {
    this.setup.onTurnedAway(refusal);
    turnAway(socket, refusal, onClosed);
  }

  private introduceAgain({ socket }: InboundConnection, peer: Peer): void {
    try {
      introduce(socket, peer, this.setup.authenticators);
    } catch (fault) {
      this.log.warn({ listener: this.setup.name, reason: String(fault) }, 'an authenticator failed at a connection');
      socket.destroy();
    }
  }

  private leave(connection: InboundConnection, ms: number): void {
    const timer = setTimeout(() => {
      this.leaving.delete(timer);
      connection.drain();
    }, ms);
    this.leaving.add(timer);
  }

  private left(): void {
    this.accepted--;
    if (this.accepted > 0) return;
    // Nobody is left for whom they wait.
    for (const timer of this.leaving) clearTimeout(timer);
    this.leaving.clear();
    for (const tell of this.onEmpty.splice(0)) tell();
  }
}

function introduce(socket: net.Socket, peer: Peer, authenticators: readonly Authenticator[]): void {
  for (const authenticator of authenticators) authenticator.accepted?.(socket, peer);
}

function tooMany(connections: number): Refusal {
  return new Refusal('too-many-connections', `the listener has ${connections} connections already`);
}

/** A dual-stack socket shows IPv4 clients in IPv6. */
function addressOf(socket: net.Socket): string | null {
  const address = socket.remoteAddress;
  if (address === undefined) return null;
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
