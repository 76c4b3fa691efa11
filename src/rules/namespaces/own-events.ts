/**
 * Events of a namespace: what happens comes from the one stream of the engine; what has happened is asked for once, with
 * an end, and the two are joined by what they say, so that nothing is missing and nothing told twice.
 */

import { createHash } from 'node:crypto';
import { fitsFilters, readMoment, spellMoment } from '../../docker/events.ts';
import { noticeOf } from '../../docker/noticed-events.ts';
import type { FilterValues } from '../../docker/query.ts';
import type { Call } from '../../exchange/call.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import type { EventFeed } from '../../exchange/event-feed.ts';
import type { OwnStream, Telling } from '../../exchange/namespacing.ts';
import { isObject, type Json, type JsonObject, printJson } from '../../ground/json.ts';
import { Refusal } from '../../ground/refusal.ts';
import { clientName, isNamespace } from './names.ts';
import { ownerOf } from './ownership.ts';

/** How much longer than until now the past is asked for: what happens meanwhile is told twice, and joined. */
const OVERLAP_MS = 2000;
/** An engine's clock is read from its answers, to the second. */
const CLOCK_MS = 1000;
/** An engine whose clock is behind would hold the answer back for so long. */
const MOST_OVERLAP_MS = 10_000;
const MOST_TRIES = 3;
/** For so long the one stream may be behind an answer about the past. */
const LATE_MS = 60_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export interface EventSources {
  readonly feed: EventFeed;
  readonly desk: EngineDesk;
  /** Whose events are the client's. */
  readonly shows: (namespace: string) => boolean;
  /** Whether it tells of an image of the client's. */
  readonly showsImage: (event: Json) => boolean;
  /** In the client's names; undefined where it is not to be told. `namespace`: null for an image. */
  readonly told: (event: Json, namespace: string | null) => Json | undefined;
}

/** @throws Refusal for times that dockerd would not read */
export function ownEvents(call: Call, { feed, desk, shows, showsImage, told }: EventSources): OwnStream {
  const filters = (call.query.filters ?? {}) as FilterValues;
  const since = momentIn(call, 'since');
  const until = momentIn(call, 'until');
  if (since !== null && until !== null && until < since) {
    throw new Refusal('unreadable-query', 'the time of `since` cannot be after that of `until`', { place: 'query' });
  }
  const begin = async (out: Telling): Promise<() => void> => {
    const show = (event: Json): void => {
      const shown = told(event, ownerOfEvent(event));
      if (shown !== undefined && fitsFilters(shown, filters)) out.tell(shown);
    };
    const isOwn = (event: Json): boolean => {
      const owner = ownerOfEvent(event);
      return owner === null ? showsImage(event) : shows(owner);
    };
    const past = { since: String(call.query.since ?? '') || '0' };
    if (until !== null && until <= Date.now() + OVERLAP_MS) {
      // It ends by itself, and soon; the engine's own clock says when.
      const query = { ...past, until: String(call.query.until) };
      return new Promise((resolve, reject) => {
        let begun = false;
        const stop = desk.follow(
          'SystemEvents',
          { query },
          {
            onBegin() {
              begun = true;
              resolve(stop);
            },
            onDocument: (event) => isOwn(event) && show(event),
            onEnd: (fault) => (begun || fault === null ? out.end(fault) : reject(fault)),
          },
        );
      });
    }
    const join = since === null && until === null ? null : new Join(show);
    const left = await feed.listen({
      onEvent(event) {
        if (!isOwn(event)) return;
        if (join === null) show(event);
        else join.now(event);
      },
      onEnd: (fault) => out.end(fault),
    });
    const leaves = [left];
    if (join !== null) leaves.push(replay(desk, past, isOwn, join, (fault) => out.end(fault)));
    if (until !== null) leaves.push(atMoment(until, () => out.end(null)));
    return () => {
      for (const leave of leaves) leave();
    };
  };
  return { begin };
}

/** What comes from two sides, told in order and once. */
class Join {
  private readonly show: (event: Json) => void;
  private readonly seen = new Set<string>();
  private held: Json[] | null = [];
  private joinedAtMs = 0;

  constructor(show: (event: Json) => void) {
    this.show = show;
  }

  before(event: Json): void {
    this.seen.add(keyOf(event));
    this.show(event);
  }

  now(event: Json): void {
    if (this.held !== null) this.held.push(event);
    else this.once(event);
  }

  /** The past has been told. */
  done(): void {
    const held = this.held ?? [];
    this.held = null;
    this.joinedAtMs = Date.now();
    for (const event of held) this.once(event);
  }

  private once(event: Json): void {
    if (this.seen.size > 0 && this.joinedAtMs + LATE_MS < Date.now()) this.seen.clear();
    if (this.seen.size === 0 || !this.seen.delete(keyOf(event))) this.show(event);
  }
}

/** Asks for what has happened up to now by the engine's clock. Gives how to end it. */
function replay(
  desk: EngineDesk,
  past: { readonly since: string },
  isOwn: (event: Json) => boolean,
  join: Join,
  failed: (fault: Error) => void,
): () => void {
  let stop = (): void => {};
  const ask = (untilMs: number, tries: number): void => {
    stop = desk.follow(
      'SystemEvents',
      { query: { ...past, until: spellMoment(untilMs) } },
      {
        onBegin(clockMs) {
          if (clockMs === null || tries === 0) return;
          // Whoever asked for less than until now has a gap before what the one stream tells.
          if (untilMs >= clockMs + CLOCK_MS && untilMs <= clockMs + MOST_OVERLAP_MS) return;
          stop();
          ask(clockMs + CLOCK_MS + OVERLAP_MS, tries - 1);
        },
        onDocument: (event) => isOwn(event) && join.before(event),
        onEnd: (fault) => (fault === null ? join.done() : failed(fault)),
      },
    );
  };
  ask(Date.now() + OVERLAP_MS, MOST_TRIES);
  return () => stop();
}

/** Every client asks this of the same event. */
const owners = new WeakMap<object, string | null>();

function ownerOfEvent(event: Json): string | null {
  if (!isObject(event)) return null;
  let owner = owners.get(event);
  if (owner === undefined) {
    owner = readOwner(event);
    owners.set(event, owner);
  }
  return owner;
}

function readOwner(event: JsonObject): string | null {
  const notice = noticeOf(event);
  if (notice === null) return null;
  const { kind, name, labels } = notice;
  if (kind === 'container') return ownerOf({ name, labels });
  // Of networks and volumes no event tells the labels.
  const [owner = ''] = name.split('.');
  return isNamespace(owner) && clientName(owner, name) !== null ? owner : null;
}

/** An engine writes the same event in the same way to everybody. */
function keyOf(event: Json): string {
  return createHash('sha256').update(printJson(event)).digest('base64');
}

function momentIn({ query }: Call, key: 'since' | 'until'): number | null {
  const said = query[key] ?? '';
  if (said === '') return null;
  const read = typeof said === 'string' ? readMoment(said) : null;
  if (read !== null) return read;
  throw new Refusal('unreadable-query', `${JSON.stringify(said)} is not a time`, {
    place: `query.${key}`,
    hint: 'seconds since 1970',
  });
}

function atMoment(moment: number, act: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (): void => {
    const ms = moment - Date.now();
    timer = ms <= LONGEST_TIMER_MS ? setTimeout(act, ms) : setTimeout(wait, LONGEST_TIMER_MS);
  };
  wait();
  return () => clearTimeout(timer);
}
