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
/** An event comes by another connection than the answer of the call that has brought it about. */
const LATE_MS = 10_000;

/** What one call is about to bring about. Whoever has begun it ends it. */
export interface ExpectedActs {
  expect(act: ImageAct, id: string): void;
  /** Of an image that has no id yet. `name`: the engine's. */
  expectImport(name: string): void;
  /** The call is over. `failed`: nothing of it has happened, and no event of it comes. */
  over(failed: boolean): void;
}

export class ImageActs {
  private readonly feed: EventFeed;
  /** By act and id: the namespaces that do it now, each of which brings about one event. */
  private readonly expected = new LRUCache<string, readonly Expected[]>({ max: MOST });
  /** What gets this name next is imported by this call. */
  private readonly imports = new LRUCache<string, ExpectedActs>({ max: MOST });
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

  begin(namespace: string): ExpectedActs {
    const undo: (() => void)[] = [];
    const acts: ExpectedActs = {
      expect: (act, id) => {
        const key = `${act} ${id}`;
        const one = { namespace, sinceMs: Date.now() };
        this.expected.set(key, [...(this.expected.get(key) ?? []), one]);
        undo.push(() => this.drop(key, one));
      },
      expectImport: (name) => {
        this.imports.set(name, acts);
        undo.push(() => {
          if (this.imports.get(name) === acts) this.imports.delete(name);
        });
      },
      over: (failed) => {
        const forget = (): void => {
          for (const one of undo) one();
        };
        if (failed) forget();
        else setTimeout(forget, LATE_MS).unref();
      },
    };
    return acts;
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
      importing.expect('import', id);
    }
    const act = `${action} ${id}`;
    const one = this.expected.get(act)?.find(({ sinceMs }) => byMs === 0 || sinceMs <= byMs);
    if (one === undefined) return null;
    this.drop(act, one);
    this.owners.set(key, one.namespace);
    return one.namespace;
  }

  private drop(act: string, one: Expected): void {
    const others = (this.expected.get(act) ?? []).filter((other) => other !== one);
    if (others.length > 0) this.expected.set(act, others);
    else this.expected.delete(act);
  }
}

interface Expected {
  readonly namespace: string;
  readonly sinceMs: number;
}
