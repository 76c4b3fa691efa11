/** One dockerd that calls are forwarded to: its connections, the versions it speaks, and whether it is there. */

import { readVersionAnswer, versionPath } from '../docker/version-answer.ts';
import type { ApiRange, Engine } from '../exchange/engine.ts';
import { LiveEngineDesk } from '../exchange/engine-desk.ts';
import { Refusal } from '../ground/refusal.ts';
import { EnginePool, type OutboundLimits } from '../wire/outbound.ts';
import type { ReadBuffers } from '../wire/read-buffers.ts';
import { askJson } from './ask.ts';
import { dialer } from './dial.ts';
import { EngineDisk, type ReadSpace } from './engine-disk.ts';
import type { EngineOptions } from './engine-options.ts';

export interface EngineState {
  /** Null before the first answer or failure. */
  readonly up: boolean | null;
  /** Since when it is so, in milliseconds of the epoch. */
  readonly sinceMs: number;
  /** As the engine told last. */
  readonly version: string | null;
  readonly api: ApiRange | null;
  /** Why it is not up. */
  readonly reason: Refusal | null;
}

const LIMITS: OutboundLimits = {
  headBytes: 256 * 1024,
  headers: 1000,
  connectTimeoutMs: 10_000,
  idleConnections: 256,
  idleTimeoutMs: 60_000,
};

/** An engine of 20.10 asks containerd and runc before it tells its version. */
const ANSWER_MS = 10_000;

export interface DockerEngineOptions extends EngineOptions {
  readonly buffers: ReadBuffers;
  readonly limits?: Partial<OutboundLimits>;
  readonly answerMs?: number;
  /** How the disk is looked at; default: as `df` does. */
  readonly readSpace?: ReadSpace;
  /** Hears of what does not end a call but an operator should know. */
  readonly onFault?: (fault: Error) => void;
  /** Hears when the engine comes, goes, or comes back as another version. */
  readonly onTurn?: (state: EngineState) => void;
}

export class DockerEngine implements Engine {
  readonly name: string;
  readonly pool: EnginePool;
  readonly disk: EngineDisk;
  private readonly answerMs: number;
  private readonly onTurn: (state: EngineState) => void;
  private range: ApiRange | null = null;
  private asking: Promise<ApiRange> | null = null;
  private doubts = 0;
  private current: EngineState = { up: null, sinceMs: Date.now(), version: null, api: null, reason: null };

  constructor(options: DockerEngineOptions) {
    this.name = options.name;
    this.answerMs = options.answerMs ?? ANSWER_MS;
    this.onTurn = options.onTurn ?? (() => {});
    const dial = dialer(options, options.onFault ?? (() => {}));
    this.pool = new EnginePool(dial, { ...LIMITS, ...options.limits }, options.buffers);
    this.disk = new EngineDisk(new LiveEngineDesk(this), options.url.kind === 'unix', options.readSpace);
  }

  get state(): EngineState {
    return this.current;
  }

  api(): ApiRange | Promise<ApiRange> {
    return this.range ?? this.ask();
  }

  /** Asks the engine now, whatever is known. @throws Refusal */
  ask(): Promise<ApiRange> {
    if (this.asking === null) {
      const asking = this.askOnce().finally(() => {
        if (this.asking === asking) this.asking = null;
      });
      this.asking = asking;
    }
    return this.asking;
  }

  doubt(): void {
    this.doubts++;
    this.range = null;
  }

  /** Calls that run go on to their end. */
  close(): void {
    this.pool.close();
  }

  private async askOnce(): Promise<ApiRange> {
    const doubts = this.doubts;
    try {
      const told = readVersionAnswer(await askJson(this.pool, versionPath, this.answerMs));
      if (told === null) throw new Refusal('engine-garbage', 'what answers is not a Docker engine');
      const api: ApiRange = { oldest: told.oldest, newest: told.newest };
      if (this.doubts === doubts) this.range = api;
      this.turn({ up: true, version: told.version, api, reason: null });
      return api;
    } catch (fault) {
      const reason = fault instanceof Refusal ? fault : new Refusal('own-fault', 'internal fault', { cause: fault });
      this.turn({ up: false, version: this.current.version, api: this.current.api, reason });
      throw reason;
    }
  }

  private turn(to: Omit<EngineState, 'sinceMs'>): void {
    const { up, version, sinceMs } = this.current;
    const same = to.up === up;
    this.current = { ...to, sinceMs: same ? sinceMs : Date.now() };
    if (!same || to.version !== version) this.onTurn(this.current);
  }
}
