/**
 * One answer of the engine for all who ask the same at the same time. A waiter only ever gets the answer to a call that
 * was sent after it had arrived, so everybody still reads their own writes.
 */

import type { AnswerHead } from '../wire/message.ts';
import { type EnginePool, type OutboundCall, OutboundFault, type OutboundRequest } from '../wire/outbound.ts';

export interface Waiter {
  onAnswer(head: AnswerHead, body: Buffer): void;
  /** The answer is too large to be kept for several: the waiter asks alone. */
  onTooLarge(): void;
  onFault(fault: OutboundFault): void;
}

const NO_BODY = Buffer.alloc(0);

interface Round {
  readonly request: OutboundRequest;
  readonly waiters: Set<Waiter>;
  call: OutboundCall | null;
}

interface Slot {
  flying: Round;
  next: Round | null;
}

export class SharedAnswers {
  private readonly slots = new Map<string, Slot>();
  private readonly pool: EnginePool;
  private readonly maxBytes: number;

  constructor(pool: EnginePool, maxBytes: number) {
    this.pool = pool;
    this.maxBytes = maxBytes;
  }

  /** `key` tells which questions are the same. Gives back how to stop waiting. */
  ask(key: string, request: OutboundRequest, waiter: Waiter): () => void {
    const slot = this.slots.get(key);
    if (slot === undefined) {
      const flying: Round = { request, waiters: new Set([waiter]), call: null };
      this.slots.set(key, { flying, next: null });
      this.send(key, flying);
      return () => this.leave(key, flying, waiter);
    }
    slot.next ??= { request, waiters: new Set(), call: null };
    slot.next.waiters.add(waiter);
    const round = slot.next;
    return () => this.leave(key, round, waiter);
  }

  private leave(key: string, round: Round, waiter: Waiter): void {
    round.waiters.delete(waiter);
    if (round.waiters.size > 0) return;
    const slot = this.slots.get(key);
    if (slot === undefined) return;
    if (slot.next === round) {
      slot.next = null;
    } else if (slot.flying === round && round.call !== null) {
      round.call.abort();
      this.finish(key, round);
    }
  }

  private send(key: string, round: Round): void {
    let head: AnswerHead | null = null;
    let pieces: Buffer[] = [];
    let bytes = 0;
    const keep = (chunk: Buffer): void => {
      bytes += chunk.length;
      // The wire reuses its read buffers: what is kept must be a copy.
      if (bytes <= this.maxBytes) pieces.push(Buffer.from(chunk));
    };
    const answered = (): void => {
      const body = pieces.length === 1 ? (pieces[0] as Buffer) : pieces.length === 0 ? NO_BODY : Buffer.concat(pieces);
      const waiters = this.finish(key, round);
      for (const waiter of waiters) waiter.onAnswer(head as AnswerHead, body);
    };
    const tooLarge = (): void => {
      pieces = [];
      round.call?.abort();
      for (const waiter of this.finish(key, round)) waiter.onTooLarge();
    };
    round.call = this.pool.send(round.request, {
      onHead: (given, body, complete) => {
        head = given;
        if (body !== null) keep(body);
        if (complete) answered();
        else if (bytes > this.maxBytes) tooLarge();
        return true;
      },
      onData: (chunk) => {
        keep(chunk);
        if (bytes > this.maxBytes) tooLarge();
        return true;
      },
      onEnd: answered,
      onUpgrade: (_head, end) => {
        end.channel.reset();
        for (const waiter of this.finish(key, round))
          waiter.onFault(new OutboundFault('garbage', 'an upgrade nobody asked for'));
      },
      onFault: (fault) => {
        for (const waiter of this.finish(key, round)) waiter.onFault(fault);
      },
    });
  }

  /** Takes the round off; who came meanwhile gets a call of its own, sent now. */
  private finish(key: string, round: Round): readonly Waiter[] {
    const slot = this.slots.get(key);
    if (slot === undefined || slot.flying !== round) return [];
    const waiters = [...round.waiters];
    round.waiters.clear();
    if (slot.next === null) {
      this.slots.delete(key);
    } else {
      slot.flying = slot.next;
      slot.next = null;
      this.send(key, slot.flying);
    }
    return waiters;
  }
}
