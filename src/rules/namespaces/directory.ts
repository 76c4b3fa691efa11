/**
 * What an engine has of every namespace: names and ids, kept true by one stream of its events and by our own answers. It
 * answers a yes by itself; before a no it has the engine list the namespace, at the same cost for what is another's and
 * for what is not there.
 */

import { listEndpoints, type NamedKind, type NamedThing, thingsIn } from '../../docker/named-things.ts';
import { isRemoval, moves, type NoticedEvent, noticeOf } from '../../docker/noticed-events.ts';
import { NAMESPACE_LABEL } from '../../docker/reserved-labels.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import type { EventFeed } from '../../exchange/event-feed.ts';
import { engineName } from '../../exchange/namespacing.ts';
import { Holdings } from './holdings.ts';
import { labelled, ownerOf } from './ownership.ts';
import { ambiguous } from './references.ts';

export interface Found {
  readonly kind: NamedKind;
  readonly id: string;
  /** The engine's. */
  readonly name: string;
}

const KINDS = ['container', 'network', 'volume'] as const satisfies readonly NamedKind[];

export class Directory {
  private readonly desk: EngineDesk;
  private readonly feed: EventFeed;
  private readonly held = new Map<string, Holdings>();
  private readonly ownerById = new Map<string, string>();
  private readonly onRemoved: (event: NoticedEvent) => void;
  /** Whether what is known is what the engine has: only while its events come. */
  private trusted = false;
  /** Of which kinds everything is known that was there when the events began. */
  private readonly filled = new Set<NamedKind>();
  /** How many streams of events there have been: a list that was asked for during an earlier one is of no use. */
  private feeds = 0;
  private leave: (() => void) | null = null;

  constructor(desk: EngineDesk, feed: EventFeed, onRemoved: (event: NoticedEvent) => void) {
    this.desk = desk;
    this.feed = feed;
    this.onRemoved = onRemoved;
  }

  /** Begins to listen; calls can be answered before. */
  start(): void {
    this.leave ??= this.feed.keep({
      onBegin: () => void this.fill(),
      onEvent: (event) => this.notice(noticeOf(event)),
      // An engine that is not there says so to its callers.
      onEnd: () => this.forget(),
    });
  }

  end(): void {
    this.leave?.();
    this.leave = null;
    this.forget();
  }

  /** What the namespace has by this name, id or beginning of an id; null where there is none. @throws Refusal ambiguous */
  async find(namespace: string, kind: NamedKind, reference: string): Promise<Found | null> {
    const name = engineName(namespace, reference);
    if (this.trusted) {
      const known = this.held.get(namespace)?.find(kind, reference, name);
      // Where not everything is known, there may be another one that begins so.
      const whole = known !== undefined && (known.id === reference || known.name === name);
      if (known !== undefined && (whole || this.filled.has(kind))) return known;
    }
    const listed = await this.list(namespace, kind);
    const found = listed.find(kind, reference, name);
    if (found !== undefined) return found;
    const begun = listed.begunBy(kind, reference).length;
    if (begun > 1) throw ambiguous(kind, reference, begun);
    return null;
  }

  /** What is known without asking. */
  owner(id: string): string | null {
    return this.ownerById.get(id) ?? null;
  }

  isOwn(namespace: string, id: string): boolean {
    return this.ownerById.get(id) === namespace;
  }

  isAnothersName(namespace: string, name: string): boolean {
    const [owner = ''] = name.split('.');
    return owner !== namespace && this.held.get(owner)?.hasName(name) === true;
  }

  /** Whether the namespace has something of this engine's name; true as long as not everything is known. */
  mayHave(namespace: string, name: string): boolean {
    return this.filled.size < KINDS.length || this.held.get(namespace)?.hasName(name) === true;
  }

  /** The namespaces that are known to have something of this name. */
  namespacesWith(kind: NamedKind, name: string): readonly string[] {
    return [...this.held.keys()].filter((namespace) => this.knowsName(namespace, kind, name));
  }

  /** Without asking. */
  knowsName(namespace: string, kind: NamedKind, name: string): boolean {
    return this.held.get(namespace)?.named(kind, engineName(namespace, name)) === true;
  }

  /** The engine's name of an id; null where it is not known. */
  nameOf(id: string): string | null {
    const owner = this.ownerById.get(id);
    return owner === undefined ? null : (this.held.get(owner)?.nameOf(id) ?? null);
  }

  /** Knows afterwards what the namespace has of a kind, also where nothing has been told yet. */
  async settle(namespace: string, kind: NamedKind): Promise<void> {
    if (!this.trusted || !this.filled.has(kind)) await this.list(namespace, kind);
  }

  /** Everything of the kind that the namespace has now, by asking the engine. */
  async all(namespace: string, kind: NamedKind): Promise<readonly Found[]> {
    return (await this.list(namespace, kind)).all(kind);
  }

  /** Whether something carries the namespace's label and not its name: made by somebody on the engine itself. */
  async hasImpostors(namespace: string, kind: NamedKind): Promise<boolean> {
    const things = await this.listed(namespace, kind);
    return things.some((thing) => ownerOf(thing) !== namespace);
  }

  /** What our own call has made, or renamed. */
  learn(namespace: string, found: Found): void {
    this.ownerById.set(found.id, namespace);
    this.heldBy(namespace).put(found);
  }

  /** What our own call has removed. */
  lose(kind: NamedKind, id: string): void {
    const owner = this.ownerById.get(id);
    if (owner === undefined) return;
    const held = this.held.get(owner);
    held?.drop(kind, id);
    // Jobs come and go: of one that has nothing any more nothing is kept.
    if (held?.isEmpty === true) this.held.delete(owner);
    this.ownerById.delete(id);
  }

  /** What a name stood for, and the engine does not have any more. */
  loseNamed(namespace: string, kind: NamedKind, name: string): void {
    const found = this.held.get(namespace)?.find(kind, name, engineName(namespace, name));
    if (found !== undefined) this.lose(kind, found.id);
  }

  private async list(namespace: string, kind: NamedKind): Promise<Holdings> {
    const own = (await this.listed(namespace, kind)).filter((thing) => ownerOf(thing) === namespace);
    const before = this.heldBy(namespace);
    for (const { id } of before.all(kind)) this.ownerById.delete(id);
    before.replace(kind, own);
    for (const { id } of own) this.ownerById.set(id, namespace);
    if (before.isEmpty) this.held.delete(namespace);
    return before;
  }

  private async listed(namespace: string, kind: NamedKind): Promise<readonly NamedThing[]> {
    const query = { ...(kind === 'container' ? { all: true } : {}), filters: { label: [labelled(namespace)] } };
    return thingsIn(kind, await this.desk.ask(listEndpoints[kind], { query }));
  }

  private heldBy(namespace: string): Holdings {
    const held = this.held.get(namespace) ?? new Holdings();
    this.held.set(namespace, held);
    return held;
  }

  private forget(): void {
    this.trusted = false;
    this.filled.clear();
    this.feeds++;
    this.held.clear();
    this.ownerById.clear();
  }

  /** What is there already; whatever happens meanwhile is told by the events that come by now. */
  private async fill(): Promise<void> {
    this.trusted = true;
    const { feeds } = this;
    const filters = { label: [NAMESPACE_LABEL] };
    for (const kind of KINDS) {
      const query = { ...(kind === 'container' ? { all: true } : {}), filters };
      try {
        const things = thingsIn(kind, await this.desk.ask(listEndpoints[kind], { query }));
        if (feeds !== this.feeds) return;
        for (const thing of things) {
          const owner = ownerOf(thing);
          if (owner !== null) this.learn(owner, thing);
        }
        this.filled.add(kind);
      } catch {
        // Whoever asks for something of the kind lists it then.
      }
    }
  }

  private notice(event: NoticedEvent | null): void {
    if (event === null || !moves(event)) return;
    const { kind, id, name, labels } = event;
    if (isRemoval(event)) {
      this.lose(kind, id);
      this.onRemoved(event);
      return;
    }
    // Of networks and volumes no event tells the labels: whoever asks for one asks the engine.
    const owner = ownerOf({ name, labels });
    if (kind === 'container' && owner !== null) this.learn(owner, { kind, id, name });
  }
}
