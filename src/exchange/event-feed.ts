/** What happens on an engine, told to everybody who listens by one stream of its events. */

import type { Json } from '../ground/json.ts';
import { Refusal } from '../ground/refusal.ts';
import type { EngineDesk } from './engine-desk.ts';

export interface EventListener {
  onEvent(event: Json): void;
  /** Nothing comes any more. Null where the engine ended the stream by itself, as it does when it is shut down. */
  onEnd(fault: Error | null): void;
}

/** Who listens for as long as there is an engine: again and again. */
export interface EventKeeper extends EventListener {
  /** Everything from now on is told. */
  onBegin(): void;
}

interface Waiting {
  readonly listener: EventListener;
  readonly begun: () => void;
  readonly failed: (fault: Error) => void;
}

const RETRY_MS = 1000;

export class EventFeed {
  private readonly desk: EngineDesk;
  private readonly keepers = new Set<EventKeeper>();
  private readonly listeners = new Set<EventListener>();
  private readonly waiting = new Set<Waiting>();
  private stop: (() => void) | null = null;
  private begun = false;
  private retry: NodeJS.Timeout | null = null;

  constructor(desk: EngineDesk) {
    this.desk = desk;
  }

  /** Gives how to leave. */
  keep(keeper: EventKeeper): () => void {
    this.keepers.add(keeper);
    if (this.begun) keeper.onBegin();
    else this.connect();
    return () => {
      this.keepers.delete(keeper);
      this.restIfAlone();
    };
  }

  /** Resolves when everything from then on is told; gives how to leave. @throws Refusal where the engine does not answer */
  async listen(listener: EventListener): Promise<() => void> {
    if (this.begun) this.listeners.add(listener);
    else await this.begin(listener);
    return () => {
      this.listeners.delete(listener);
      this.restIfAlone();
    };
  }

  private begin(listener: EventListener): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.add({ listener, begun: resolve, failed: reject });
      this.connect();
    });
  }

  private connect(): void {
    if (this.stop !== null) return;
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
    this.stop = this.desk.follow(
      'SystemEvents',
      {},
      {
        onBegin: () => this.onBegin(),
        onDocument: (event) => this.onEvent(event),
        onEnd: (fault) => this.onEnd(fault),
      },
    );
  }

  private onBegin(): void {
    this.begun = true;
    for (const keeper of this.keepers) keeper.onBegin();
    for (const { listener, begun } of this.waiting) {
      this.listeners.add(listener);
      begun();
    }
    this.waiting.clear();
  }

  private onEvent(event: Json): void {
    for (const keeper of this.keepers) keeper.onEvent(event);
    for (const listener of this.listeners) listener.onEvent(event);
  }

  private onEnd(fault: Error | null): void {
    this.begun = false;
    this.stop = null;
    const listeners = [...this.listeners];
    const waiting = [...this.waiting];
    this.listeners.clear();
    this.waiting.clear();
    for (const keeper of this.keepers) keeper.onEnd(fault);
    for (const listener of listeners) listener.onEnd(fault);
    for (const { failed } of waiting) failed(fault ?? new Refusal('engine-reset', 'the engine ended its events'));
    if (this.keepers.size > 0 && this.stop === null) {
      this.retry = setTimeout(() => this.connect(), RETRY_MS).unref();
    }
  }

  private restIfAlone(): void {
    if (this.keepers.size + this.listeners.size + this.waiting.size > 0) return;
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
    this.stop?.();
    this.stop = null;
    this.begun = false;
  }
}

/** Of an engine, for all who listen to it. */
export function eventsOf(desk: EngineDesk): EventFeed {
  return desk.once('events', () => new EventFeed(desk));
}
