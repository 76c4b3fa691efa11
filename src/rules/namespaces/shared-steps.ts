/**
 * What the classic builder has built for an owner of several namespaces: hidden names keep it, so that what a job has
 * built is in the cache of the owner's next one, when the first is long gone.
 */

import { randomBytes } from 'node:crypto';
import type { ListedImage } from '../../docker/image-listings.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import type { KeptImage } from './kept-images.ts';
import type { OwnImages } from './own-images.ts';

/** Images of one scope: what was used last stays. */
const MOST_KEPT = 60;
const TIME_DIGITS = 12;
const STEP = /^([^/]+)\/s_[^/]+\/cache:t([0-9a-f]{12})-/;

export class SharedSteps {
  private readonly repository: string;
  private readonly desk: EngineDesk;

  constructor(repository: string, desk: EngineDesk) {
    this.repository = repository;
    this.desk = desk;
  }

  /** For what is built now. Says when, so that the engine knows what was used last. */
  name(): string {
    return `${this.repository}:${this.tag()}`;
  }

  has(name: string): boolean {
    return name.startsWith(`${this.repository}:`);
  }

  /** What of it is lost costs time alone. */
  keep(id: string): void {
    const query = { repo: this.repository, tag: this.tag() };
    void this.desk.order('ImageTag', { parameters: { name: id }, query }).catch(() => {});
  }

  /** Takes the names away that are older than the last one of their image, and those of images that nobody used for long. */
  trim(images: readonly ListedImage[]): void {
    const kept = images
      .map(({ tags }) => tags.filter((tag) => this.has(tag)).sort())
      .filter((tags) => tags.length > 0)
      .sort((one, other) => ((one.at(-1) as string) < (other.at(-1) as string) ? 1 : -1));
    const gone = kept.flatMap((tags, at) => (at < MOST_KEPT ? tags.slice(0, -1) : tags));
    for (const name of gone) void this.desk.order('ImageDelete', { parameters: { name } }).catch(() => {});
  }

  private tag(): string {
    return `t${Date.now().toString(16).padStart(TIME_DIGITS, '0')}-${randomBytes(8).toString('hex')}`;
  }
}

/** Of all scopes, also of those that build no more. */
export function keptSteps(addresses: ReadonlySet<string>, images: readonly ListedImage[]): readonly KeptImage[] {
  return images.flatMap(({ id, tags, bytes }) => {
    const kept = tags.flatMap((name) => {
      const [, address = '', time = ''] = STEP.exec(name) ?? [];
      return addresses.has(address) ? [{ name, usedAtMs: Number.parseInt(time, 16) }] : [];
    });
    if (kept.length === 0) return [];
    return [
      { id, references: kept.map(({ name }) => name), usedAtMs: Math.max(...kept.map((one) => one.usedAtMs)), bytes },
    ];
  });
}

/** Null where the namespace's own images are its cache. */
export function sharedStepsOf(scope: string, { names }: OwnImages, desk: EngineDesk): SharedSteps | null {
  if (scope === names.namespace) return null;
  const gateway = names.needGateway();
  // No namespace, and no right of a build, begins so.
  return new SharedSteps(`${gateway.names.prefixOf(`s_${gateway.scopeOf(scope)}`)}cache`, desk);
}
