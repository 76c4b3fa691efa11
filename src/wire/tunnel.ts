/** A connection that has become a stream of bytes both ways: attach, exec, session (docker's hijack, RFC 9110 §7.8). */
import type { Channel, ChannelUser } from './channel.ts';

export interface TunnelEnd {
  /** Paused until the tunnel is joined. */
  readonly channel: Channel;
  /** What was read behind the head already. */
  readonly bytes: Buffer;
}

export interface TunnelHooks {
  /** Bytes that were passed on, from the client or from the engine. */
  readonly onBytes?: (from: 'client' | 'engine', bytes: number) => void;
  /** Both directions are closed. `clean` when each side said its end; then nothing was lost. */
  readonly onEnd: (clean: boolean) => void;
}

/** Joins the ends: bytes, half-closes and abrupt ends pass, each direction by itself. */
export function joinTunnel(client: TunnelEnd, engine: TunnelEnd, hooks: TunnelHooks): void {
  const tunnel = { closed: 0, clean: true, hooks };
  const fromClient = new TunnelHalf('client', client.channel, engine.channel, tunnel);
  const fromEngine = new TunnelHalf('engine', engine.channel, client.channel, tunnel);
  client.channel.user = fromClient;
  engine.channel.user = fromEngine;
  fromEngine.begin(engine.bytes);
  fromClient.begin(client.bytes);
}

interface Tunnel {
  closed: number;
  clean: boolean;
  readonly hooks: TunnelHooks;
}

/** Reads one channel and writes the other. */
class TunnelHalf implements ChannelUser {
  readonly #from: 'client' | 'engine';
  readonly #source: Channel;
  readonly #target: Channel;
  readonly #tunnel: Tunnel;
  readonly #onBytes: ((from: 'client' | 'engine', bytes: number) => void) | undefined;

  constructor(from: 'client' | 'engine', source: Channel, target: Channel, tunnel: Tunnel) {
    this.#from = from;
    this.#source = source;
    this.#target = target;
    this.#tunnel = tunnel;
    this.#onBytes = tunnel.hooks.onBytes;
  }

  begin(bytes: Buffer): void {
    if (this.#source.closed) {
      // It closed before it was joined: nobody else will hear of it.
      this.#abandon();
      process.nextTick(() => this.#close());
      return;
    }
    if (bytes.length > 0) {
      this.#onBytes?.(this.#from, bytes.length);
      // The target's half resumes this source when the bytes are through.
      if (!this.#target.write(bytes)) {
        if (this.#source.ended) this.#target.end();
        return;
      }
    }
    if (this.#source.ended) this.#target.end();
    else this.#source.resume();
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    this.#onBytes?.(this.#from, end - start);
    if (this.#target.socket.destroyed) return;
    const chunk = start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end);
    if (!this.#target.write(chunk)) this.#source.pause();
  }

  onEof(): void {
    this.#target.end();
  }

  /** What was written to this half's source is through: its target may be read again. */
  onFlushed(): void {
    this.#target.resume();
  }

  onClosed(error: Error | null): void {
    if (error !== null || !this.#source.ended) this.#abandon();
    this.#close();
  }

  #abandon(): void {
    this.#tunnel.clean = false;
    this.#target.reset();
  }

  #close(): void {
    this.#tunnel.closed++;
    if (this.#tunnel.closed === 2) this.#tunnel.hooks.onEnd(this.#tunnel.clean);
  }
}
