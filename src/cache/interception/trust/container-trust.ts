/** Puts our CA into containers, each time that they are to be started, and takes it out for a while where nobody is to see it. */

import { LRUCache } from 'lru-cache';
import { stateOf } from '../../../docker/inspected-container.ts';
import { type MadeContainer, madeContainer } from '../../../docker/redirected-create.ts';
import type { ContainerFiles } from '../../../exchange/container-files.ts';
import type { EngineDesk } from '../../../exchange/engine-desk.ts';
import type { Json } from '../../../ground/json.ts';
import type { AbsenceNotes } from './absence-notes.ts';
import type { TrustedRoot } from './key-store.ts';
import { ANCHORS, HASHED } from './places.ts';
import { cleanArchive, cleanFolder, type Survey, surveyOf, touchedBy, trustArchive } from './survey.ts';

const IMAGES_KEPT = 200;
const BYTES_KEPT = 64 * 1024 * 1024;
const CONTAINERS_KEPT = 20_000;

interface Prepared {
  readonly survey: Survey;
  /** For which roots the archive is. */
  readonly roots: string;
  readonly archive: Buffer;
}

/** A container that has not our CA just now. */
interface Absence {
  /** How many calls want it so. */
  wanted: number;
  /** How many of them want it paused. */
  wantedPaused: number;
  /** Whether it was we who paused it. */
  paused: boolean;
}

export interface TakenOut {
  /** Whether the container is paused by us as long as that. */
  readonly paused: boolean;
  putBack(): Promise<void>;
}

export class ContainerTrust {
  private readonly files: ContainerFiles;
  private readonly desk: EngineDesk;
  private readonly roots: () => readonly TrustedRoot[];
  /** By image, and by what is mounted: new containers of one image are alike. */
  private readonly prepared = new LRUCache<string, Prepared>({
    max: IMAGES_KEPT,
    maxSize: BYTES_KEPT,
    sizeCalculation: ({ archive }) => 2 * archive.length + 1,
  });
  /** Of containers: which roots they have been given by this process. */
  private readonly known = new LRUCache<string, string>({ max: CONTAINERS_KEPT });
  /** Of containers: folders that were emptied of what is ours. */
  private readonly remade = new LRUCache<string, ReadonlySet<string>>({ max: CONTAINERS_KEPT });
  /** Addresses of containers that have not our CA just now. */
  private readonly bare = new Map<string, number>();
  /** The same containers, by their ids. */
  private readonly absences = new Map<string, Absence>();
  /** One after the other, for each container. */
  private readonly turns = new Map<string, Promise<unknown>>();
  private readonly notes: AbsenceNotes;

  constructor(files: ContainerFiles, desk: EngineDesk, roots: () => readonly TrustedRoot[], notes: AbsenceNotes) {
    this.files = files;
    this.desk = desk;
    this.roots = roots;
    this.notes = notes;
  }

  trusts(address: string): boolean {
    return !this.bare.has(address.replace(/^::ffff:/, ''));
  }

  /** Into a container that is as its image made it. @throws Error where the engine refuses */
  async putFirst(id: string): Promise<void> {
    const container = await this.inspect(id);
    if (container === null) return;
    const key = keyOf(container);
    const roots = this.roots();
    const names = namesOf(roots);
    let prepared = this.prepared.get(key);
    if (prepared?.roots !== names) {
      const survey = prepared?.survey ?? (await this.survey(container));
      prepared = { survey, roots: names, archive: trustArchive(survey, roots) };
      this.prepared.set(key, prepared);
    }
    await this.files.write(id, '/', prepared.archive);
    this.known.set(id, names);
  }

  /** Where it may not know the CA of today: made before another one, or before this process. @throws Error */
  async renew(id: string): Promise<void> {
    if (this.known.get(id) !== namesOf(this.roots())) await this.putAgain(id);
  }

  /** Into a container that may have changed what it trusts, and may hold older ones of ours. @throws Error */
  private putAgain(id: string): Promise<void> {
    return this.inTurn(id, async () => {
      // Whoever has taken it out puts it back.
      if (!this.absences.has(id)) await this.replace(id);
    });
  }

  private async replace(id: string): Promise<void> {
    const container = await this.inspect(id);
    if (container === null) return;
    const roots = this.roots();
    await this.files.write(id, '/', trustArchive(await this.survey(container), roots));
    this.known.set(id, namesOf(roots));
  }

  /**
   * Resolves when the container holds nothing of ours; what it asks for is passed through until the CA is back, by what
   * this gives. `pauses`: it is not to run meanwhile. Several may want it at once: the first takes the CA out, and the last
   * puts it back. @throws Error where the engine refuses: then it is back already
   */
  async takeOut(container: MadeContainer, pauses: boolean): Promise<TakenOut> {
    const { id, addresses } = container;
    for (const address of addresses) this.bare.set(address, (this.bare.get(address) ?? 0) + 1);
    const putBack = async (): Promise<void> => {
      try {
        await this.inTurn(id, () => this.give(id, pauses));
      } finally {
        for (const address of addresses) this.leave(address);
      }
    };
    this.known.delete(id);
    let paused = false;
    try {
      await this.inTurn(id, async () => {
        paused = await this.take(container, pauses);
      });
    } catch (fault) {
      await putBack().catch(() => {});
      throw fault;
    }
    return { paused, putBack };
  }

  private async take(container: MadeContainer, pauses: boolean): Promise<boolean> {
    const { id } = container;
    const absence = this.absences.get(id) ?? { wanted: 0, wantedPaused: 0, paused: false };
    this.absences.set(id, absence);
    absence.wanted++;
    if (pauses) absence.wantedPaused++;
    if (absence.wanted === 1) await this.notes.write(id, false);
    if (pauses && !absence.paused && stateOf(await this.inspection(id)) === 'running') {
      await this.notes.write(id, true);
      absence.paused = await this.ordered('ContainerPause', id);
    }
    if (absence.wanted === 1) await this.clean(container);
    return pauses && absence.paused;
  }

  /** The CA is there again before it runs. */
  private async give(id: string, paused: boolean): Promise<void> {
    const absence = this.absences.get(id);
    if (absence === undefined) return;
    absence.wanted--;
    if (paused) absence.wantedPaused--;
    if (absence.wanted === 0) this.absences.delete(id);
    try {
      if (absence.wanted === 0) await this.replace(id);
    } finally {
      if (absence.paused && absence.wantedPaused === 0) {
        absence.paused = !(await this.ordered('ContainerUnpause', id));
        if (absence.wanted > 0) await this.notes.write(id, absence.paused);
      }
    }
    // Otherwise the next process tries again.
    if (absence.wanted === 0 && !absence.paused) await this.notes.remove(id);
  }

  /** What processes that were killed have left without our CA, or paused. @throws Error where the engine does not answer */
  async mend(): Promise<void> {
    for (const { container: id, paused, forget } of await this.notes.left()) {
      await this.inTurn(id, async () => {
        try {
          if (!this.absences.has(id)) await this.replace(id);
        } finally {
          const mayRun = this.absences.get(id)?.paused !== true;
          if (paused && mayRun && stateOf(await this.inspection(id)) === 'paused')
            await this.ordered('ContainerUnpause', id);
        }
        await forget();
      });
    }
  }

  private async ordered(endpointId: string, id: string): Promise<boolean> {
    return (await this.desk.order(endpointId, { parameters: { id } })).status < 400;
  }

  /**
   * The paths that are otherwise than in the image by our doing alone, false for those by the container's too; and the
   * folders that were made anew. @throws Error
   */
  async touched(container: MadeContainer): Promise<{
    readonly files: ReadonlyMap<string, boolean>;
    readonly folders: readonly string[];
  }> {
    const survey = await this.survey(container);
    const image = this.prepared.peek(keyOf(container))?.survey;
    return { files: touchedBy(survey, this.roots(), image), folders: [...(this.remade.get(container.id) ?? [])] };
  }

  private leave(address: string): void {
    const left = (this.bare.get(address) ?? 1) - 1;
    if (left > 0) this.bare.set(address, left);
    else this.bare.delete(address);
  }

  private async clean(container: MadeContainer): Promise<void> {
    const { id } = container;
    const archive = cleanArchive(await this.survey(container));
    if (archive !== null) await this.files.write(id, '/', archive);
    for (const folder of [...ANCHORS.map((anchor) => anchor.folder), ...HASHED]) {
      const tar = await this.files.read(id, folder);
      const cleaned = tar === null ? null : cleanFolder(tar);
      if (cleaned === null) continue;
      this.remade.set(id, new Set([...(this.remade.get(id) ?? []), folder]));
      await this.files.write(id, folder.slice(0, folder.lastIndexOf('/')), cleaned);
    }
  }

  private survey({ id, environment, mounted }: MadeContainer): Promise<Survey> {
    return surveyOf(this.files, id, environment, mounted);
  }

  private async inspect(id: string): Promise<MadeContainer | null> {
    return madeContainer(await this.inspection(id));
  }

  private inspection(id: string): Promise<Json> {
    return this.desk.ask('ContainerInspect', { parameters: { id } });
  }

  private async inTurn(id: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.turns.get(id) ?? Promise.resolve()).then(work, work);
    const settled = turn.catch(() => {});
    this.turns.set(id, settled);
    try {
      await turn;
    } finally {
      if (this.turns.get(id) === settled) this.turns.delete(id);
    }
  }
}

function namesOf(roots: readonly TrustedRoot[]): string {
  return roots.map(({ name }) => name).join();
}

function keyOf({ image, mounted, environment }: MadeContainer): string {
  return JSON.stringify([image, mounted, environment]);
}
