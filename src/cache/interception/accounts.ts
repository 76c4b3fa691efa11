/**
 * What each container has had of the cache, by the address that it asks from: told when it ends. Whose container it is
 * stands in the labels that its create was given.
 */

import { LRUCache } from 'lru-cache';
import { addressesOf } from '../../docker/inspected-container.ts';
import { type NamedThing, thingIn, thingsIn } from '../../docker/named-things.ts';
import { noticeOf } from '../../docker/noticed-events.ts';
import { JOB_LABEL, NAMESPACE_LABEL, SOCKET_LABEL, USER_LABEL } from '../../docker/reserved-labels.ts';
import { readSocketNote } from '../../docker/socket-note.ts';
import type { DeskQuestion, EngineDesk } from '../../exchange/engine-desk.ts';
import { eventsOf } from '../../exchange/event-feed.ts';
import { isList, type Json } from '../../ground/json.ts';
import type { CacheAccount } from '../../operate/signals/index.ts';
import { plainAddress } from './sources.ts';

/** Of clients that no container is known for. */
const MOST_STRANGERS = 1000;
/** So soon its container is known, or the address is another one's by then. */
const STRANGE_MS = 5000;
const LOOK_EVERY_MS = 10_000;

export interface Served {
  readonly hit: boolean;
  /** Of bodies. */
  readonly bytes: number;
}

interface Counts {
  requests: number;
  hits: number;
  bytes: number;
  hitBytes: number;
}

interface Holder {
  readonly desk: EngineDesk;
  readonly thing: NamedThing;
  readonly counts: Counts;
  addresses: readonly string[];
}

export class Accounts {
  private readonly onEnded: (account: CacheAccount) => void;
  /** By engine and id. */
  private readonly holders = new Map<string, Holder>();
  private readonly byAddress = new Map<string, Holder>();
  private readonly strangers = new LRUCache<string, Counts>({ max: MOST_STRANGERS, ttl: STRANGE_MS });
  private readonly watched = new Map<EngineDesk, () => void>();
  private lookedAtMs = Number.NEGATIVE_INFINITY;
  private asking = 0;
  /** They ended while an engine was asked, whose answer may not know it. */
  private readonly dead = new Set<string>();

  constructor(onEnded: (account: CacheAccount) => void) {
    this.onEnded = onEnded;
  }

  /** The containers of these engines, and no others any more. */
  watch(desks: readonly EngineDesk[]): void {
    for (const [desk, leave] of this.watched) {
      if (desks.includes(desk)) continue;
      leave();
      this.watched.delete(desk);
      for (const [key, holder] of this.holders) if (holder.desk === desk) this.close(key);
    }
    for (const desk of desks) {
      if (this.watched.has(desk)) continue;
      const leave = eventsOf(desk).keep({
        onBegin: () => this.look(desk),
        onEvent: (event) => this.onEvent(desk, event),
        onEnd: () => {},
      });
      this.watched.set(desk, leave);
    }
  }

  /** Tells what there is of all that still run. */
  end(): void {
    this.watch([]);
  }

  /** @param address of the client, as its socket says it */
  served(address: string, { hit, bytes }: Served): void {
    const counts = this.countsOf(plainAddress(address));
    counts.requests++;
    counts.bytes += bytes;
    if (!hit) return;
    counts.hits++;
    counts.hitBytes += bytes;
  }

  private countsOf(address: string): Counts {
    const known = this.byAddress.get(address)?.counts ?? this.strangers.get(address);
    if (known !== undefined) return known;
    const counts = { requests: 0, hits: 0, bytes: 0, hitBytes: 0 };
    this.strangers.set(address, counts);
    // It may be on a network that it was connected to after its start.
    if (performance.now() - this.lookedAtMs > LOOK_EVERY_MS) {
      this.lookedAtMs = performance.now();
      for (const desk of this.watched.keys()) this.look(desk);
    }
    return counts;
  }

  private onEvent(desk: EngineDesk, event: Json): void {
    const notice = noticeOf(event);
    if (notice?.kind !== 'container') return;
    const key = keyOf(desk, notice.id);
    if (notice.action === 'die') {
      if (this.asking > 0) this.dead.add(key);
      // What it had before it was known would be the next one's at its address.
      if (!this.holders.has(key)) this.strangers.clear();
      this.close(key);
    } else if (notice.action === 'start') {
      this.dead.delete(key);
      void this.ask(desk, 'ContainerInspect', { parameters: { id: notice.id } }, (inspection) =>
        this.open(desk, thingIn('container', inspection), addressesOf(inspection)),
      );
    }
  }

  private async ask(desk: EngineDesk, endpoint: string, question: DeskQuestion, use: (answer: Json) => void) {
    this.asking++;
    try {
      use(await desk.ask(endpoint, question));
    } catch {
      // Nobody is kept from anything by it: what is asked for counts in the metrics alone.
    } finally {
      this.asking--;
      if (this.asking === 0) this.dead.clear();
    }
  }

  /** What runs, whatever was told of it. */
  private look(desk: EngineDesk): void {
    const before = [...this.holders].flatMap(([key, holder]) => (holder.desk === desk ? [key] : []));
    void this.ask(desk, 'ContainerList', {}, (listed) => {
      if (!isList(listed)) return;
      const running = new Set(thingsIn('container', listed).map(({ id }) => keyOf(desk, id)));
      for (const key of before) if (!running.has(key)) this.close(key);
      for (const one of listed) this.open(desk, thingIn('container', one), addressesOf(one));
    });
  }

  private open(desk: EngineDesk, thing: NamedThing | null, addresses: readonly string[]): void {
    // It ended before it was looked at.
    if (thing === null || addresses.length === 0 || !this.watched.has(desk)) return;
    const key = keyOf(desk, thing.id);
    if (this.dead.has(key)) return;
    const counts = { requests: 0, hits: 0, bytes: 0, hitBytes: 0 };
    const holder = this.holders.get(key) ?? { desk, thing, counts, addresses };
    holder.addresses = addresses;
    this.holders.set(key, holder);
    for (const address of addresses) {
      this.byAddress.set(address, holder);
      const early = this.strangers.get(address);
      if (early === undefined) continue;
      this.strangers.delete(address);
      for (const what of ['requests', 'hits', 'bytes', 'hitBytes'] as const) holder.counts[what] += early[what];
    }
  }

  private close(key: string): void {
    const holder = this.holders.get(key);
    if (holder === undefined) return;
    this.holders.delete(key);
    for (const address of holder.addresses) {
      if (this.byAddress.get(address) === holder) this.byAddress.delete(address);
    }
    if (holder.counts.requests > 0) this.onEnded(accountOf(holder));
  }
}

function accountOf({ desk, thing: { id, name, labels }, counts }: Holder): CacheAccount {
  const note = readSocketNote(labels[SOCKET_LABEL]);
  return {
    engine: desk.name,
    container: { id, name },
    user: note?.owner.user ?? said(labels[USER_LABEL]),
    namespace: said(labels[NAMESPACE_LABEL]),
    job: note?.job ?? said(labels[JOB_LABEL]),
    claims: note?.owner.claims ?? {},
    ...counts,
  };
}

function said(label: string | undefined): string | null {
  return label === undefined || label === '' ? null : label;
}

function keyOf({ name }: EngineDesk, id: string): string {
  return `${name} ${id}`;
}
