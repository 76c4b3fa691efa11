/** `docker save` and `docker load` of a namespace. */

import { randomBytes } from 'node:crypto';
import { withBuildWords } from '../../../docker/carried-build.ts';
import { keepsImagesInContainerd } from '../../../docker/image-archive.ts';
import { type ImageReference, readReference, tagged } from '../../../docker/image-reference.ts';
import { savedNames } from '../../../docker/named-images.ts';
import type { BodyStage } from '../../../exchange/body-stage.ts';
import type { Call } from '../../../exchange/call.ts';
import type { EngineDesk } from '../../../exchange/engine-desk.ts';
import type { LoadJudge } from '../../../exchange/load-judge.ts';
import type { Json } from '../../../ground/json.ts';
import { Refusal } from '../../../ground/refusal.ts';
import { endpointOf } from '../entering.ts';
import type { ImageActs } from '../image-acts.ts';
import type { OwnImages } from '../own-images.ts';
import { type LoadNaming, loadedArchive } from './loaded-archive.ts';
import { savedArchive } from './saved-archive.ts';

export class ImageArchives {
  private readonly images: OwnImages;
  private readonly desk: EngineDesk;
  private readonly acts: ImageActs;

  constructor(images: OwnImages, desk: EngineDesk, acts: ImageActs) {
    this.acts = acts;
    this.images = images;
    this.desk = desk;
  }

  /** In the engine's names, with what its answer passes through. @throws Refusal for what is not there */
  async save(call: Call): Promise<Archiving & { readonly call: Call; readonly through: BodyStage }> {
    const spellings = new Map<string, string>();
    const { names } = this.images;
    for (const name of savedNames(call)) {
      for (const { id, spelling } of await this.saved(name)) spellings.set(spelling, id);
    }
    const acts = this.acts.begin(names.namespace);
    for (const id of spellings.values()) acts.expect('save', id);
    const told = (name: string): string | undefined => (names.isUnnamed(name) ? undefined : names.told(name, true));
    return {
      call: {
        ...call,
        endpoint: endpointOf('ImageGetAll'),
        parameters: {},
        query: { ...call.query, names: [...spellings.keys()] },
      },
      through: savedArchive(told),
      ended: acts.over,
    };
  }

  /** What the archive passes through, and what of the engine's lines is shown. */
  async load(): Promise<
    Archiving & { readonly load: (judges: readonly LoadJudge[]) => BodyStage; readonly show: (line: Json) => Json }
  > {
    const { names } = this.images;
    const acts = this.acts.begin(names.namespace);
    const unnamed = new Map<string, string | null>();
    const readsLayouts = keepsImagesInContainerd(await this.desk.ask('SystemInfo'));
    const naming = (judges: readonly LoadJudge[]): LoadNaming => ({
      readsLayouts,
      name: async (text) => {
        const reference = readReference(text);
        if (reference === null || reference.digest !== null) {
          throw new Refusal(
            'unreadable-body',
            `the archive names an image ${JSON.stringify(text)}: invalid reference format`,
          );
        }
        for (const judge of judges) judge.name?.(text);
        await this.images.keepFormer(tagged(reference), null);
        return names.toEngine(tagged(reference));
      },
      loads: (id) => acts.expect('load', id),
      unnamed: (id) => {
        const { repository, tag } = names.unnamed(`l${randomBytes(16).toString('hex')}`);
        unnamed.set(`${repository}:${tag}`, id);
        return readReference(`${repository}:${tag}`) as ImageReference;
      },
      size: (bytes) => {
        for (const judge of judges) judge.size?.(bytes);
      },
    });
    const output = (text: string): string =>
      text.replace(/^Loaded image: (\S+)/, (said, name: string) => {
        const id = unnamed.get(name);
        if (id === undefined) return said;
        return id === null ? 'Loaded image: <none>' : `Loaded image ID: ${id}`;
      });
    const load = (judges: readonly LoadJudge[]): BodyStage => loadedArchive(naming(judges));
    return { load, show: (line) => withBuildWords(line, { output, fault: (text) => text }) ?? line, ended: acts.over };
  }

  /** Without a tag, a name means all that are of its repository. @throws Refusal */
  private async saved(text: string): Promise<readonly SavedImage[]> {
    const reference = readReference(text);
    if (reference !== null && reference.tag === null && reference.digest === null) {
      const same = (other: ImageReference | null): boolean =>
        other?.domain === reference.domain && other.path === reference.path;
      const { names } = this.images;
      const all = (await this.images.all()).flatMap(({ id, tags }) => tags.map((spelling) => ({ id, spelling })));
      const own = all.filter(
        ({ spelling }) => names.isOwn(spelling) && same(clientOf(spelling, (read) => names.toClient(read))),
      );
      if (own.length > 0) return own;
      const shared = all.filter(({ spelling }) => names.isShared(spelling) && same(readReference(spelling)));
      if (shared.length > 0) return shared;
    }
    return [await this.images.need(text)];
  }
}

interface Archiving {
  readonly ended: (failed: boolean) => void;
}

interface SavedImage {
  readonly id: string;
  readonly spelling: string;
}

function clientOf(tag: string, toClient: (reference: ImageReference) => ImageReference | null): ImageReference | null {
  const reference = readReference(tag);
  return reference === null ? null : toClient(reference);
}
