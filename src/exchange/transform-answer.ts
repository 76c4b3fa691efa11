/** Answers that travel as bytes and are rewritten on their way: what an engine refuses passes as it is. */

import type { AnswerHead, BodySink, RawHeaders } from '../wire/message.ts';
import type { EnginePool } from '../wire/outbound.ts';
import type { AnswerEvents, OutboundCall } from '../wire/outbound-call.ts';
import { OutboundFault } from '../wire/outbound-fault.ts';
import type { BodyStage } from './body-stage.ts';

/** A pool whose answers below 300 pass through the stage. */
export function transformingAnswers(pool: Pick<EnginePool, 'send'>, stage: BodyStage): Pick<EnginePool, 'send'> {
  return {
    send(request, events) {
      const changed = new ChangedAnswer(events, stage);
      const call = pool.send(request, changed);
      changed.call = call;
      return { body: call.body, abort: () => changed.abort(), resume: () => changed.resume() };
    },
  };
}

class ChangedAnswer implements AnswerEvents {
  call: OutboundCall | null = null;
  private readonly events: AnswerEvents;
  private readonly stage: BodyStage;
  /** What the engine's bytes go into; null where they pass. */
  private into: BodySink | null = null;
  private readonly onward: BodySink;
  private over = false;

  constructor(events: AnswerEvents, stage: BodyStage) {
    this.events = events;
    this.stage = stage;
    this.onward = {
      onReady: null,
      write: (chunk) => this.over || events.onData(chunk, false),
      end: () => this.finish(() => events.onEnd([])),
      abort: () => this.fail(),
    };
  }

  onInform(head: AnswerHead): void {
    this.events.onInform?.(head);
  }

  onHead(head: AnswerHead, body: Buffer | null, complete: boolean): boolean {
    if (head.status >= 300) return this.events.onHead(head, body, complete);
    const into = this.stage(this.onward, () => this.fail());
    this.into = into;
    into.onReady = () => this.call?.resume();
    // What comes of it has another length.
    const free = this.events.onHead({ ...head, framing: { kind: 'chunked' } }, null, false);
    const taken = body === null || body.length === 0 || into.write(body);
    if (complete) into.end();
    return free && taken;
  }

  onData(chunk: Buffer, last: boolean): boolean {
    return this.into === null ? this.events.onData(chunk, last) : this.into.write(chunk);
  }

  onEnd(trailers: RawHeaders): void {
    if (this.into === null) this.events.onEnd(trailers);
    else this.into.end();
  }

  onUpgrade(...upgrade: Parameters<AnswerEvents['onUpgrade']>): void {
    this.events.onUpgrade(...upgrade);
  }

  onFault(fault: OutboundFault): void {
    this.finish(() => this.events.onFault(fault));
  }

  resume(): void {
    if (this.into === null) this.call?.resume();
    else this.onward.onReady?.();
  }

  abort(): void {
    this.over = true;
    this.call?.abort();
  }

  /** The stage does not understand what the engine says: a part must not look like the whole. */
  private fail(): void {
    this.call?.abort();
    this.finish(() => this.events.onFault(new OutboundFault('garbage', 'an archive that cannot be read')));
  }

  private finish(tell: () => void): void {
    if (this.over) return;
    this.over = true;
    tell();
  }
}
