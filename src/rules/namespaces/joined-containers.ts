/**
 * Which containers have come onto which networks: of the step of a build that is gone without a trace but for its image, that
 * is all that says whose it was.
 */

import { LRUCache } from 'lru-cache';
import { joinIn } from '../../docker/noticed-events.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import type { EventFeed } from '../../exchange/event-feed.ts';
import type { Json } from '../../ground/json.ts';

const MOST = 5000;
const ASKED_MS = 10_000;

export class JoinedContainers {
  private readonly desk: EngineDesk;
  private readonly feed: EventFeed;
  /** The engine's name of the network, by the id of the container. */
  private readonly networks = new LRUCache<string, string>({ max: MOST });
  private leave: (() => void) | null = null;

  constructor(desk: EngineDesk, feed: EventFeed) {
    this.desk = desk;
    this.feed = feed;
  }

  start(): void {
    this.leave ??= this.feed.keep({ onBegin: () => {}, onEvent: (event) => this.notice(event), onEnd: () => {} });
  }

  end(): void {
    this.leave?.();
    this.leave = null;
  }

  /** Their ids: what was told here, and what the engine still remembers, which are its last 256 events. */
  async of(network: string, sinceMs: number): Promise<Set<string>> {
    await this.recall(sinceMs);
    return new Set([...this.networks].flatMap(([container, name]) => (name === network ? [container] : [])));
  }

  private notice(event: Json): void {
    const join = joinIn(event);
    if (join !== null) this.networks.set(join.container, join.network);
  }

  private recall(sinceMs: number): Promise<void> {
    return new Promise((resolve) => {
      // An engine waits for what is still to come; what happens from now on is told here.
      const nowMs = Date.now() - 1;
      const filters = { type: ['network'], event: ['connect'] };
      const query = { since: secondsOf(nowMs - sinceMs), until: secondsOf(nowMs), filters };
      const timer = setTimeout(() => {
        stop();
        resolve();
      }, ASKED_MS);
      const onEnd = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const onDocument = (event: Json): void => this.notice(event);
      const stop = this.desk.follow('SystemEvents', { query }, { onBegin: () => {}, onDocument, onEnd });
    });
  }
}

/** As an engine reads a moment. */
function secondsOf(ms: number): string {
  return (ms / 1000).toFixed(3);
}
