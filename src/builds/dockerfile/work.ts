/** How much one reading of a Dockerfile may do: some bytes of it can be gigabytes when their variables are put in. */

/** Characters, or as much work as one of them: half a second. What people write is a hundredth of it. */
const MOST_WORK = 4 * 1024 * 1024;

/** Engines may read it, in their own time: it is no fault that lets another reading of the file count. */
export class OverrunFault extends Error {}

export class Work {
  private left = MOST_WORK;

  /** @throws OverrunFault */
  spend(characters: number): void {
    this.left -= characters;
    if (this.left < 0) throw new OverrunFault('puts in more for its variables than is read here');
  }
}
