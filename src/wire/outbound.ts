/** Calls to one engine over a pool of its connections: the last one used is taken first, so that few stay warm. */
import type net from 'node:net';
import type { DialOptions } from './channel.ts';
import { EngineCall } from './engine-call.ts';
import { EngineConnection } from './engine-connection.ts';
import { KnownHeads } from './known-heads.ts';
import type { AnswerHead } from './message.ts';
import type { AnswerEvents, OutboundCall, OutboundLimits, OutboundRequest } from './outbound-call.ts';
import { OutboundFault } from './outbound-fault.ts';
import type { ReadBuffers } from './read-buffers.ts';

export type { AnswerEvents, OutboundCall, OutboundLimits, OutboundRequest } from './outbound-call.ts';
export { OutboundFault } from './outbound-fault.ts';

export type Dial = (options: DialOptions) => net.Socket;

export class EnginePool {
  readonly limits: OutboundLimits;
  readonly buffers: ReadBuffers;
  readonly heads = new KnownHeads<AnswerHead>();
  readonly #dial: Dial;
  readonly #idle: EngineConnection[] = [];
  #busy = 0;
  #closed = false;

  constructor(dial: Dial, limits: OutboundLimits, buffers: ReadBuffers) {
    this.#dial = dial;
    this.limits = limits;
    this.buffers = buffers;
  }

  get idleConnections(): number {
    return this.#idle.length;
  }

  /** Connections that carry a call or connect; tunnels are not counted. */
  get busyConnections(): number {
    return this.#busy;
  }

  /** Events come in a later turn, never before this has returned. */
  send(request: OutboundRequest, events: AnswerEvents): OutboundCall {
    const call = new EngineCall(request, events);
    if (this.#closed) {
      process.nextTick(() => call.fail(new OutboundFault('refused', 'the pool of connections is closed')));
      return call;
    }
    this.#busy++;
    (this.#idle.pop() ?? new EngineConnection(this.#dial, this)).begin(call);
    return call;
  }

  /** Idle connections close now, the others after their call; later calls fault. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  /** For the connections: one carries nothing any more. True when it is kept. */
  release(connection: EngineConnection, usable: boolean): boolean {
    this.#busy--;
    if (!usable || this.#closed || this.#idle.length >= this.limits.idleConnections) return false;
    this.#idle.push(connection);
    return true;
  }

  /** For the connections: the call goes out once more, on a connection that cannot be stale. */
  repeat(call: EngineCall): void {
    this.#busy++;
    new EngineConnection(this.#dial, this).begin(call);
  }

  /** For the connections: an idle one is gone. */
  drop(connection: EngineConnection): void {
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }
}
