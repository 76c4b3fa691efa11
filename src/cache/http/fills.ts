/** What is on its way into the store. */

import type { Fill } from '../store.ts';
import type { Asked } from './asked.ts';
import { directivesOfAnswer } from './directives.ts';
import { discard, fetchBody } from './fetching.ts';
import { linesOf } from './fields.ts';
import type { Coming, Landing } from './flights.ts';
import type { OriginAnswer } from './origin.ts';
import type { HttpCacheParts } from './parts.ts';
import { isForLateComers, judge } from './reuse.ts';
import { storableFields } from './storable.ts';
import { selectingNames, selection, selects, variantOf } from './vary.ts';

type Parts = Pick<HttpCacheParts, 'store' | 'tally' | 'onFault'>;

interface Filling {
  readonly answer: Coming;
  readonly fill: Fill;
  /** What others must not be given any more. */
  spoiled: boolean;
  /** All bytes are there. */
  settling: boolean;
  readonly origin: OriginAnswer;
  ended: Promise<void>;
}

export class Fills {
  private readonly parts: Parts;
  /** How many have come to their end. */
  ended = 0;
  private closed = false;
  private readonly running = new Map<string, Set<Filling>>();

  constructor(parts: Parts) {
    this.parts = parts;
  }

  /** @param again asks for the same with more fields */
  begin(asked: Asked, answer: OriginAnswer, again: (headers: readonly string[]) => Promise<OriginAnswer>): Landing {
    const names = selectingNames(answer.headers, asked.rule);
    if (names === null) return { kind: 'alone', answer, reason: 'vary' };
    const fill = this.parts.store().begin(answer.length === null ? {} : { size: answer.length });
    const coming: Coming = {
      status: answer.status,
      reason: answer.reason,
      headers: storableFields(answer.headers, directivesOfAnswer(answer.headers)),
      requestedMs: answer.requestedMs,
      answeredMs: answer.answeredMs,
      selectedBy: selection(names, asked.fields.shared),
      length: answer.length,
    };
    const cookies = ['Set-Cookie', 'Set-Cookie2'].flatMap((name) =>
      linesOf(answer.headers, name.toLowerCase()).flatMap((value) => [name, value]),
    );
    const filling: Filling = {
      answer: coming,
      fill,
      spoiled: false,
      settling: false,
      origin: answer,
      ended: Promise.resolve(),
    };
    filling.ended = this.run(asked, answer, filling, again);
    const isFresh = isForLateComers({ ...coming, length: 0 }, asked.rule);
    return { kind: 'kept', answer: coming, fill, cookies, isFresh, ended: filling.ended };
  }

  /** Gives up what is not whole; resolves when nothing is written any more. */
  async close(): Promise<void> {
    this.closed = true;
    const all = [...this.running.values()].flatMap((fillings) => [...fillings]);
    for (const one of all) if (!one.settling) discard(one.origin);
    await Promise.all(all.map(({ ended }) => ended));
  }

  /** What is on its way, and is what this one would be given; the latest first. */
  find(asked: Asked): Pick<Filling, 'answer' | 'fill'> | null {
    const { directives, rule, fields } = asked;
    let found: Filling | null = null;
    for (const one of this.running.get(asked.key) ?? []) {
      const { answer } = one;
      if (one.spoiled || !selects(answer, fields.shared)) continue;
      if (judge({ ...answer, length: answer.length ?? 0 }, directives, rule, Date.now()).use === 'fresh') found = one;
    }
    return found;
  }

  /** Where something is whole and in a moment kept: then. Null where there is nothing to wait for. */
  settled(asked: Asked): Promise<void> | null {
    for (const one of this.running.get(asked.key) ?? []) if (one.settling) return one.ended;
    return null;
  }

  /** What is kept under the key may be from before it was changed. */
  isSpoiled(key: string): boolean {
    for (const one of this.running.get(key) ?? []) if (one.spoiled) return true;
    return false;
  }

  /** What is on its way under this key was asked for before it was changed. */
  spoil(key: string): void {
    for (const one of this.running.get(key) ?? []) one.spoiled = true;
  }

  private async run(
    asked: Asked,
    answer: OriginAnswer,
    filling: Filling,
    ask: (headers: readonly string[]) => Promise<OriginAnswer>,
  ): Promise<void> {
    const { tally, onFault } = this.parts;
    const { key } = asked;
    const { answer: coming, fill } = filling;
    const running = this.running.get(key) ?? new Set();
    this.running.set(key, running.add(filling));
    try {
      await fetchBody(answer, fill, {
        ask,
        isOver: () => this.closed,
        onBytes: (bytes) => {
          tally.bytesFromOrigins += bytes;
        },
        onResume: () => {
          tally.resumed++;
        },
      });
      filling.settling = true;
      const variant = variantOf(coming.selectedBy);
      const committed = await fill.commit([{ key, variant, meta: { ...coming, length: fill.written } }]);
      if (filling.spoiled) await this.parts.store().delete(key, variant);
      if (!committed.kept) {
        tally.failed(committed.reason);
        onFault(asked, 'not kept', new Error(committed.reason));
      }
    } catch (fault) {
      discard(answer);
      await fill.abort('the origin broke off');
      tally.failed('origin');
      onFault(asked, 'the origin broke off', fault);
    } finally {
      this.ended++;
      running.delete(filling);
      if (running.size === 0) this.running.delete(key);
    }
  }
}
