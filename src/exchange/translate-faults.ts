/** Refusals of the engine in the client's names, also on calls whose answers otherwise pass as bytes. */

import type { EnginePool } from '../wire/outbound.ts';
import type { AnswerEvents, OutboundCall } from '../wire/outbound-call.ts';
import { OutboundFault } from '../wire/outbound-fault.ts';
import type { TranslateBack } from './translate-back.ts';

/** What an engine says in a refusal is some lines. */
const MAX_BYTES = 1024 * 1024;

/** A pool whose answers with a status of 400 and more are read whole and translated. */
export function translatingFaults(pool: Pick<EnginePool, 'send'>, translate: TranslateBack): Pick<EnginePool, 'send'> {
  return {
    send(request, events) {
      const read = new FaultReader(events, translate);
      const call = pool.send(request, read);
      read.call = call;
      return call;
    },
  };
}

class FaultReader implements AnswerEvents {
  call: OutboundCall | null = null;
  private readonly events: AnswerEvents;
  private readonly translate: TranslateBack;
  private head: Parameters<AnswerEvents['onHead']>[0] | null = null;
  private pieces: Buffer[] = [];
  private bytes = 0;

  constructor(events: AnswerEvents, translate: TranslateBack) {
    this.events = events;
    this.translate = translate;
  }

  onInform(head: Parameters<AnswerEvents['onHead']>[0]): void {
    this.events.onInform?.(head);
  }

  onHead(head: Parameters<AnswerEvents['onHead']>[0], body: Buffer | null, complete: boolean): boolean {
    if (head.status < 400) return this.events.onHead(head, body, complete);
    this.head = head;
    if (body !== null) this.keep(body);
    if (complete) this.tell();
    return true;
  }

  onData(chunk: Buffer, last: boolean): boolean {
    if (this.head === null) return this.events.onData(chunk, last);
    this.keep(chunk);
    return true;
  }

  onEnd(trailers: Parameters<AnswerEvents['onEnd']>[0]): void {
    if (this.head === null) this.events.onEnd(trailers);
    else this.tell();
  }

  onUpgrade(...upgrade: Parameters<AnswerEvents['onUpgrade']>): void {
    this.events.onUpgrade(...upgrade);
  }

  onFault(fault: OutboundFault): void {
    this.events.onFault(fault);
  }

  private keep(chunk: Buffer): void {
    this.bytes += chunk.length;
    // The wire reads over its buffers: what is kept must be a copy.
    if (this.bytes <= MAX_BYTES) this.pieces.push(Buffer.from(chunk));
  }

  private tell(): void {
    const { head } = this;
    if (head === null) return;
    if (this.bytes > MAX_BYTES) {
      this.events.onFault(new OutboundFault('garbage', 'a refusal that is too long to be read'));
      return;
    }
    const body = this.told(head.status);
    if (body instanceof OutboundFault) this.events.onFault(body);
    else this.events.onHead(head, body, true);
  }

  /** On the connection that tells it nobody would catch what goes wrong. */
  private told(status: number): Buffer | null | OutboundFault {
    if (this.bytes === 0) return null;
    try {
      return this.translate(Buffer.concat(this.pieces), status);
    } catch (fault) {
      return new OutboundFault('garbage', 'a refusal that cannot be told', fault);
    }
  }
}
