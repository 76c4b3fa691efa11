/** What metrics tell of jobs. */

export class JobTally {
  began = 0;
  ended = 0;
  /** From the end of a job to when nothing of it was left. */
  sweepSeconds = 0;
  /** By the kind of what was removed: `container`, `image`, … */
  readonly removed = new Map<string, number>();
  /** Jobs whose containers had gone while nobody looked. */
  leaks = 0;

  remove(kind: string): void {
    this.removed.set(kind, (this.removed.get(kind) ?? 0) + 1);
  }
}
