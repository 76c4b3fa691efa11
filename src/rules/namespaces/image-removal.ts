/**
 * Names of images taken away: always the namespace's own, one by one, since an engine that is told an id takes the names of
 * everybody. With the last name the engine itself removes what nobody has.
 */

import {
  type ImageUser,
  type ListedImage,
  pruneAnswer,
  type Removed,
  removalAnswer,
  removedIn,
  usersOf,
} from '../../docker/image-listings.ts';
import { familiarReference, readReference } from '../../docker/image-reference.ts';
import { listIn, messageIn, thingIn } from '../../docker/named-things.ts';
import type { FilterValues } from '../../docker/query.ts';
import type { Call } from '../../exchange/call.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import { refuse } from '../../exchange/judge.ts';
import type { OwnAnswer } from '../../exchange/namespacing.ts';
import type { Json } from '../../ground/json.ts';
import type { ImageActs } from './image-acts.ts';
import { pruneWish } from './image-filters.ts';
import type { FoundImage, OwnImages } from './own-images.ts';
import { ownerOf } from './ownership.ts';
import { RULE } from './references.ts';

const SHORT_ID = 12;

export interface RemovalSide {
  readonly desk: EngineDesk;
  readonly acts: ImageActs;
  /** The namespace's own containers, as the engine lists them. */
  readonly containers: () => Promise<readonly Json[]>;
  /** Whose images those of another namespace's containers are. */
  readonly imagesOf: (namespace: string) => OwnImages;
}

interface Done {
  readonly removed: readonly Removed[];
  /** Where the engine has refused. */
  readonly fault: OwnAnswer | null;
}

export class ImageRemoval {
  private readonly images: OwnImages;
  private readonly side: RemovalSide;

  constructor(images: OwnImages, side: RemovalSide) {
    this.images = images;
    this.side = side;
  }

  /** `docker rmi`: in the engine's names. @throws Refusal */
  async remove({ parameters: { name = '' }, query }: Call): Promise<OwnAnswer> {
    const found = await this.images.need(name);
    if (found.shared) throw refuse(RULE, 'shared', `${name} is an image that is shared, and is not removed from here`);
    const force = query.force === true;
    const users = usersOf(found.id, await this.side.containers());
    const conflict = found.byId ? this.conflictOfId(found, force, users) : this.conflictOfName(found, force, users);
    if (conflict !== null) return { status: 409, body: { message: conflict } };
    const names = found.byId ? this.shownOf(found) : [found.spelling];
    const { removed, fault } = await this.takeAway(found, names, query.noprune === true, users.length > 0);
    return fault !== null && removed.length === 0 ? fault : { status: 200, body: removalAnswer(removed) };
  }

  /** `docker image prune` */
  async prune({ query }: Call): Promise<OwnAnswer> {
    const wish = pruneWish((query.filters ?? {}) as FilterValues, Date.now());
    const containers = await this.side.containers();
    const gone: Removed[] = [];
    let bytes = 0;
    for (const image of await this.images.all()) {
      const names = this.ownOf(image);
      const dangling = !image.tags.some((tag) => this.isShownTag(tag));
      if (names.length === 0 || (wish.danglingOnly && !dangling) || !wish.fits(image)) continue;
      if (usersOf(image.id, containers).length > 0) continue;
      const { removed } = await this.takeAway(image, this.shownOf(image), false, false);
      gone.push(...removed);
      if (removed.some(({ deleted }) => deleted !== null)) bytes += image.bytes;
    }
    return { status: 200, body: pruneAnswer(gone, bytes) };
  }

  /** With the last name that is shown, the one that is not goes too; but as long as a container needs the image, it stays. */
  private async takeAway(image: ListedImage, names: readonly string[], noprune: boolean, used: boolean): Promise<Done> {
    const removed: Removed[] = [];
    const gone = [...names, ...digestsGoneWith(image, names)];
    const last = this.seenOf(image).every((name) => gone.includes(name));
    if (last && used) await this.images.keep(image.id);
    const hidden = last && !used ? this.ownOf(image).filter((name) => this.images.names.isUnnamed(name)) : [];
    for (const name of [...names, ...hidden]) {
      const { status, answer } = await this.untag(image.id, name, noprune);
      // Its digests go with a tag.
      if (status === 404) continue;
      if (status >= 400) return { removed, fault: { status, body: answer } };
      removed.push(...removedIn(answer).filter(({ untagged }) => untagged === null || this.isTold(untagged)));
    }
    return { removed, fault: null };
  }

  private async untag(id: string, name: string, noprune: boolean): Promise<{ status: number; answer: Json }> {
    const { names } = this.images;
    const untags = this.side.acts.begin(names.namespace);
    const deletes = this.side.acts.begin(names.namespace);
    if (!names.isUnnamed(name)) untags.expect('untag', id);
    deletes.expect('delete', id);
    let removed: readonly Removed[] = [];
    try {
      const done = await this.orderUntag(id, name, noprune);
      if (done.status < 400) removed = removedIn(done.answer);
      return done;
    } finally {
      untags.over(removed.length === 0);
      // Others may have it still.
      deletes.over(!removed.some(({ deleted }) => deleted !== null));
    }
  }

  private async orderUntag(id: string, name: string, noprune: boolean): Promise<{ status: number; answer: Json }> {
    const order = { parameters: { name }, query: noprune ? { noprune } : {} };
    const first = await this.side.desk.order('ImageDelete', order);
    if (first.status !== 409 || !/container/.test(messageIn(first.answer))) return first;
    // Somebody else's container needs the image: from now on it is theirs. One's own is a reason not to remove it.
    return (await this.handOver(id)) ? this.side.desk.order('ImageDelete', order) : first;
  }

  /** Whether there is somebody else. */
  private async handOver(id: string): Promise<boolean> {
    const query = { all: true, filters: { ancestor: [id] } };
    const listed = listIn('container', await this.side.desk.ask('ContainerList', { query }));
    const owners = new Set(
      listed.flatMap((item) => {
        const thing = thingIn('container', item);
        return (thing === null ? null : ownerOf(thing)) ?? [];
      }),
    );
    owners.delete(this.images.names.namespace);
    for (const owner of owners) await this.side.imagesOf(owner).keep(id);
    return owners.size > 0;
  }

  private conflictOfName({ id, spelling, ...image }: FoundImage, force: boolean, users: readonly ImageUser[]) {
    const [user] = users;
    const seen = this.seenOf({ id, ...image });
    // Where images are kept by containerd a digest is a name like others, and takes the tags beside it along.
    const takesTags = spelling.includes('@') && image.tags.includes(spelling);
    if (
      takesTags &&
      !force &&
      user !== undefined &&
      seen.every((name) => repositoryOf(name) === repositoryOf(spelling))
    ) {
      return `conflict: unable to delete ${this.familiar(spelling)} (must be forced) - container ${shortOf(user.container)} is using its referenced image ${shortOf(id)}`;
    }
    const others = seen.filter((name) => name !== spelling && !name.includes('@'));
    if (force || user === undefined || others.length > 0) return null;
    const said = this.familiar(spelling);
    return `conflict: unable to remove repository reference "${said}" (must force) - container ${shortOf(user.container)} is using its referenced image ${shortOf(id)}`;
  }

  private conflictOfId(image: FoundImage, force: boolean, users: readonly ImageUser[]): string | null {
    const say = (how: string, why: string): string =>
      `conflict: unable to delete ${shortOf(image.id)} (${how}) - ${why}`;
    const running = users.find((user) => user.running);
    if (running !== undefined)
      return say('cannot be forced', `image is being used by running container ${shortOf(running.container)}`);
    if (force) return null;
    const repositories = new Set(this.shownOf(image).map(repositoryOf));
    if (repositories.size > 1) return say('must be forced', 'image is referenced in multiple repositories');
    const [user] = users;
    return user === undefined
      ? null
      : say('must be forced', `image is being used by stopped container ${shortOf(user.container)}`);
  }

  private ownOf({ tags, digests }: ListedImage): readonly string[] {
    return [...tags, ...digests].filter((name) => this.images.names.isOwn(name));
  }

  private shownOf(image: ListedImage): readonly string[] {
    return this.ownOf(image).filter((name) => !this.images.names.isUnnamed(name));
  }

  /** With those that are shared. */
  private seenOf(image: ListedImage): readonly string[] {
    return this.images.names.shown(image, []) ?? [];
  }

  private isShownTag(tag: string): boolean {
    return this.images.names.isOwn(tag) && !this.images.names.isUnnamed(tag);
  }

  private isTold(name: string): boolean {
    return this.isShownTag(name);
  }

  private familiar(engine: string): string {
    const reference = readReference(engine);
    const client = reference === null ? null : this.images.names.toClient(reference);
    return client === null ? engine : familiarReference(client);
  }
}

/** With the last tag of a repository an engine takes the digests of it, too. */
function digestsGoneWith({ tags, digests }: ListedImage, names: readonly string[]): readonly string[] {
  return digests.filter((digest) => {
    const beside = tags.filter((tag) => repositoryOf(tag) === repositoryOf(digest));
    return beside.length > 0 && beside.every((tag) => names.includes(tag));
  });
}

function repositoryOf(name: string): string {
  return name.replace(/(?:@.*|:[^/:]*)$/, '');
}

function shortOf(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, SHORT_ID);
}
