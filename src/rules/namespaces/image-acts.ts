/**
 * Whose an event of images is that says no name: an engine tells of a removal, a save, a load and an import by the id
 * alone, which may be that of images of many. Each call says beforehand what it is about to bring about.
 */

import { LRUCache } from 'lru-cache';
import { imageNoticeOf } from '../../docker/noticed-events.ts';
import type { EventFeed } from '../../exchange/event-feed.ts';
import type { Json } from '../../ground/json.ts';

type ImageAct = 'untag' | 'delete' | 'save' | 'load' | 'import';

const MOST = 5000;
/** An event follows its act at once, but a save of much may take its time. */
const SOON_MS = 60_000;
const SAVED_MS = 30 * 60_000;

export class ImageActs {
  private readonly feed: EventFeed;
  /** By act and id: the namespaces that do it now, each of which brings about one event. */
  private readonly expected = new LRUCache<string, readonly Expected[]>({ max: MOST, ttl: SOON_MS });
  /** What gets this name next is imported by this namespace. */
  private readonly imports = new LRUCache<string, string>({ max: MOST });
  /** By event. */
  private readonly owners = new LRUCache<string, string>({ max: MOST });
  private leave: (() => void) | null = null;

  constructor(feed: EventFeed) {
    this.feed = feed;
  }

  start(): void {
    const onEvent = (event: Json): void => void this.assign(event, 0);
    this.leave ??= this.feed.keep({ onBegin: () => {}, onEvent, onEnd: () => {} });
  }

  end(): void {
    this.leave?.();
    this.leave = null;
  }

  expect(namespace: string, act: ImageAct, id: string): void {
    const key = `${act} ${id}`;
    const waiting = [...(this.expected.get(key) ?? []), { namespace, sinceMs: Date.now() }];
    this.expected.set(key, waiting, { ttl: act === 'save' ? SAVED_MS : SOON_MS });
  }

  /** Of an image that has no id yet. `name`: the engine's. */
  expectImport(namespace: string, name: string): void {
    this.imports.set(name, namespace);
  }

  /** Null where nobody here has brought it about, or nobody is known to. */
  ownerOf(event: Json): string | null {
    // What is told of the past is nobody's act of now.
    return this.assign(event, imageNoticeOf(event)?.atMs ?? 0);
  }

  /** `byMs`: acts that have begun later are not meant; 0 for what happens now. */
  private assign(event: Json, byMs: number): string | null {
    const notice = imageNoticeOf(event);
    if (notice === null) return null;
    const { action, id, name, key } = notice;
    const known = this.owners.get(key);
    if (known !== undefined) return known;
    const importing = action === 'tag' ? this.imports.get(name) : undefined;
    // The engine names what it imports before it says that it has done so.
    if (importing !== undefined) {
      this.imports.delete(name);
      this.expect(importing, 'import', id);
    }
    const act = `${action} ${id}`;
    const waiting = this.expected.get(act) ?? [];
    const one = waiting.find(({ sinceMs }) => byMs === 0 || sinceMs <= byMs);
    if (one === undefined) return null;
    this.expected.set(
      act,
      waiting.filter((other) => other !== one),
    );
    this.owners.set(key, one.namespace);
    return one.namespace;
  }
}

interface Expected {
  readonly namespace: string;
  readonly sinceMs: number;
}
