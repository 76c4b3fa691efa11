/** A few small files that belong together (a certificate and its key), read anew once one of them has changed. */

import { readFileSync, statSync } from 'node:fs';

export class FreshFiles {
  readonly paths: readonly string[];
  private seen = '';

  constructor(paths: readonly string[]) {
    this.paths = paths;
  }

  /** The contents, in the order of the paths. Throws when a file cannot be read. */
  read(): readonly Buffer[] {
    // Before reading: a file that changes meanwhile is then read again the next time.
    const seen = this.look();
    const contents = this.paths.map((path) => readFileSync(path));
    this.seen = seen;
    return contents;
  }

  /** Whether a file is another one than at the last `read`. */
  changed(): boolean {
    return this.look() !== this.seen;
  }

  private look(): string {
    return this.paths
      .map((path) => {
        const found = statSync(path, { throwIfNoEntry: false });
        return found === undefined
          ? 'absent'
          : `${found.dev}:${found.ino}:${found.size}:${found.mtimeMs}:${found.ctimeMs}`;
      })
      .join(' ');
  }
}
