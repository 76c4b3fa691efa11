/** Takes down what is told of a call. */
import type { AnswerHead, RawHeaders } from '../../../src/wire/message.ts';
import type { AnswerEvents, OutboundCall, OutboundFault } from '../../../src/wire/outbound.ts';
import type { TunnelEnd } from '../../../src/wire/tunnel.ts';
import { until } from './talk.ts';

export class Heard implements AnswerEvents {
  call: OutboundCall | null = null;
  status = 0;
  head: AnswerHead | null = null;
  body = '';
  complete = false;
  cleanEnd = false;
  trailers: RawHeaders | null = null;
  fault: OutboundFault | null = null;
  tunnel: TunnelEnd | null = null;
  informed: number[] = [];
  over = false;
  /** Says that it still holds what it is given. */
  full = false;
  /** Keeps the very buffers. */
  keep = false;
  kept: Buffer[] = [];

  onInform(head: AnswerHead): void {
    this.informed.push(head.status);
  }

  onHead(head: AnswerHead, body: Buffer | null, complete: boolean): boolean {
    this.status = head.status;
    this.head = head;
    this.complete = complete;
    this.cleanEnd = complete;
    this.over = complete;
    return body === null || this.onData(body);
  }

  onData(chunk: Buffer): boolean {
    if (this.keep) this.kept.push(chunk);
    this.body += chunk.toString('latin1');
    return !this.full;
  }

  onEnd(trailers: RawHeaders): void {
    this.trailers = trailers;
    this.cleanEnd = true;
    this.over = true;
  }

  onUpgrade(head: AnswerHead, end: TunnelEnd): void {
    this.status = head.status;
    this.tunnel = end;
    this.over = true;
  }

  onFault(fault: OutboundFault): void {
    this.fault = fault;
    this.over = true;
  }

  async ends(withinMs = 3000): Promise<this> {
    await until(
      () => this.over,
      withinMs,
      () => `the call did not end: status ${this.status}, ${this.body.length} bytes`,
    );
    return this;
  }
}
