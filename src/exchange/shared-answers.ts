/**
 * One answer of the engine for all who ask the same at the same time. A waiter only ever gets the answer to a call that
 * was sent after it had arrived, so everybody still reads their own writes.
 */

import type { AnswerHead } from '../wire/message.ts';
import { type EnginePool, type OutboundCall, OutboundFault, type OutboundRequest } from '../wire/outbound.ts';

export interface Waiter {
  /**
   * False while the bytes are still in use: nobody changes them then. What `once` makes for a key is made once for all
   * who get this answer.
   */
  onAnswer(head: AnswerHead, body: Buffer, once: Once): boolean;
  /** The answer is too large to be kept for several: the waiter asks alone. */
  onTooLarge(): void;
  onFault(fault: OutboundFault): void;
}

export type Once = (key: object, make: () => Buffer) => Buffer;

const NO_BODY = Buffer.alloc(0);

interface Round {
  readonly request: OutboundRequest;
  readonly waiters: Waiter[];
  call: OutboundCall | null;
}

/** One question. It stays when nobody asks it: a map that is added to and deleted from with every call keeps the dead alive. */
interface Slot {
  flying: Round | null;
  next: Round | null;
}

const MOST_SLOTS = 512;

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
    let slot = this.slots.get(key);
    if (slot === undefined) {
      if (this.slots.size >= MOST_SLOTS) this.forgetQuietOnes();
      slot = { flying: null, next: null };
      this.slots.set(key, slot);
    }
    let round: Round;
    if (slot.flying === null) {
      round = { request, waiters: [waiter], call: null };
      this.send(slot, round);
    } else {
      slot.next ??= { request, waiters: [], call: null };
      round = slot.next;
      round.waiters.push(waiter);
    }
    const asked = slot;
    return () => this.leave(asked, round, waiter);
  }

  private leave(slot: Slot, round: Round, waiter: Waiter): void {
    const at = round.waiters.indexOf(waiter);
    if (at < 0) return;
    round.waiters.splice(at, 1);
    if (round.waiters.length > 0) return;
    if (slot.next === round) {
      slot.next = null;
    } else if (slot.flying === round && round.call !== null) {
      round.call.abort();
      this.finish(slot, round);
    }
  }

  private forgetQuietOnes(): void {
    for (const [key, { flying }] of this.slots) if (flying === null) this.slots.delete(key);
  }

  private send(slot: Slot, round: Round): void {
    slot.flying = round;
    let head: AnswerHead | null = null;
    let pieces: Buffer[] = [];
    let bytes = 0;
    const keep = (chunk: Buffer): void => {
      bytes += chunk.length;
      // The wire reuses its read buffers: what is kept must be a copy.
      if (bytes <= this.maxBytes) pieces.push(Buffer.from(chunk));
    };
    const answer = (body: Buffer): boolean => {
      let free = true;
      const once = makesOnce();
      for (const waiter of this.finish(slot, round)) free = waiter.onAnswer(head as AnswerHead, body, once) && free;
      return free;
    };
    const tooLarge = (): void => {
      pieces = [];
      round.call?.abort();
      for (const waiter of this.finish(slot, round)) waiter.onTooLarge();
    };
    round.call = this.pool.send(round.request, {
      onHead: (given, body, complete) => {
        head = given;
        // The usual small answer: told from where it was read.
        if (complete) return answer(body ?? NO_BODY);
        if (body !== null) keep(body);
        if (bytes > this.maxBytes) tooLarge();
        return true;
      },
      onData: (chunk) => {
        keep(chunk);
        if (bytes > this.maxBytes) tooLarge();
        return true;
      },
      onEnd: () => void answer(pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces)),
      onUpgrade: (_head, end) => {
        end.channel.reset();
        for (const waiter of this.finish(slot, round))
          waiter.onFault(new OutboundFault('garbage', 'an upgrade nobody asked for'));
      },
      onFault: (fault) => {
        for (const waiter of this.finish(slot, round)) waiter.onFault(fault);
      },
    });
  }

  /** Takes the round off; who came meanwhile gets a call of its own, sent now. */
  private finish(slot: Slot, round: Round): readonly Waiter[] {
    if (slot.flying !== round) return [];
    slot.flying = null;
    const waiters = round.waiters.splice(0);
    const { next } = slot;
    slot.next = null;
    if (next !== null) this.send(slot, next);
    return waiters;
  }
}

function makesOnce(): Once {
  let lastKey: object | null = null;
  let last: Buffer = NO_BODY;
  return (key, make) => {
    if (key !== lastKey) {
      last = make();
      lastKey = key;
    }
    return last;
  };
}
