/** A job: what came through the sockets of its containers, and the containers that keep it alive. */

import type { SocketNote } from '../docker/socket-note.ts';

export interface ServedSocket {
  /** The container is there now: from then on calls say whose they are. */
  speakFor(container: string): void;
  /** What runs is cut, and everybody is told from now on that the job was ended. */
  refuse(): void;
  /** Nobody is served any more, and what runs is cut. */
  end(): void;
}

/** A container with a socket that leads to the job. */
export interface SocketHolder {
  readonly note: SocketNote;
  /** Its id; null until the engine has made it. */
  container: string | null;
  running: boolean;
  /** Null while it is not served. */
  served: ServedSocket | null;
}

export class Job {
  readonly id: string;
  /** What it is: by a container that keeps it alive, as soon as one is known. */
  note: SocketNote;
  readonly beganAtMs = Date.now();
  /** By their folders. */
  readonly holders = new Map<string, SocketHolder>();
  /** While everything of it is being removed. */
  ending: Promise<void> | null = null;
  /** It has ended, and begins anew when one of its containers is started. */
  over = false;
  private idle: NodeJS.Timeout | null = null;

  constructor(note: SocketNote) {
    this.id = note.job;
    this.note = note;
  }

  /** Whether one of the containers that keep it alive is there, or is being made. */
  get isHeld(): boolean {
    return this.keepers().length > 0;
  }

  /** Whether one of them runs, or is being made. */
  get isInUse(): boolean {
    return this.keepers().some(({ container, running }) => running || container === null);
  }

  get isLiving(): boolean {
    return this.ending !== null || (this.holders.size > 0 && !this.over);
  }

  /** After a restart the containers that it has made may be told of before the one that they were made for. */
  add(holder: SocketHolder): void {
    if (this.note.nested) this.note = holder.note;
    this.holders.set(holder.note.folder, holder);
  }

  /** Containers that the job itself has made keep nothing alive. */
  keepers(): readonly SocketHolder[] {
    return [...this.holders.values()].filter(({ note }) => !note.nested);
  }

  silence(): void {
    this.stay();
    this.over = true;
    for (const holder of this.holders.values()) {
      holder.served?.end();
      holder.served = null;
    }
  }

  /** It is ended while its containers run: who speaks for it is told so, until one of them is started anew. */
  refuse(): void {
    this.stay();
    this.over = true;
    for (const holder of this.holders.values()) holder.served?.refuse();
  }

  leaveAfter(ms: number, act: () => void): void {
    this.idle ??= setTimeout(() => {
      this.idle = null;
      act();
    }, ms).unref();
  }

  stay(): void {
    if (this.idle !== null) clearTimeout(this.idle);
    this.idle = null;
  }
}
