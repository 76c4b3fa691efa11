/**
 * Which containers have not our CA just now, as files in the state: whoever is killed meanwhile leaves them without it, or
 * paused, and the next process mends that.
 */

import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { livesProcess, processMark } from '../../../ground/process-mark.ts';

export interface LeftAbsence {
  readonly container: string;
  /** Whether it was paused by us. */
  readonly paused: boolean;
  forget(): Promise<void>;
}

const NOTE = /^([0-9a-f]+)\.(runs|paused)\.(.+)$/;

export class AbsenceNotes {
  private readonly folder: string;
  private mark: Promise<string> | null = null;

  /** @param folder of one engine; made when there is something to note */
  constructor(folder: string) {
    this.folder = folder;
  }

  /** @throws Error of the file system */
  async write(container: string, paused: boolean): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const [path, other] = [await this.pathOf(container, paused), await this.pathOf(container, !paused)];
    // There is one of the two at every moment.
    const renamed = await rename(other, path).then(
      () => true,
      () => false,
    );
    if (!renamed) await writeFile(path, '', { mode: 0o600 });
  }

  async remove(container: string): Promise<void> {
    for (const paused of [true, false]) await rm(await this.pathOf(container, paused), { force: true });
  }

  /** Of processes that do not live any more. */
  async left(): Promise<readonly LeftAbsence[]> {
    const found: LeftAbsence[] = [];
    for (const name of await readdir(this.folder).catch(() => [])) {
      const [, container, kind, mark] = NOTE.exec(name) ?? [];
      if (container === undefined || mark === undefined) continue;
      // Where nobody can tell, nothing is as bad as a container that stays paused.
      if ((await livesProcess(mark)) === true) continue;
      const forget = (): Promise<void> => rm(join(this.folder, name), { force: true });
      found.push({ container, paused: kind === 'paused', forget });
    }
    return found;
  }

  private async pathOf(container: string, paused: boolean): Promise<string> {
    this.mark ??= processMark();
    return join(this.folder, `${container}.${paused ? 'paused' : 'runs'}.${await this.mark}`);
  }
}
