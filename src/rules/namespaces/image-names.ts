/** The images of one namespace by name: the client's, the engine's, those that are shared, and the one that nobody is shown. */

import type { ListedImage } from '../../docker/image-listings.ts';
import {
  familiarReference,
  formatReference,
  type ImageReference,
  readReference,
} from '../../docker/image-reference.ts';
import { registryUrlOf } from '../../docker/registry-credentials.ts';
import { refuse } from '../../exchange/judge.ts';
import { compileGlob, type Glob } from '../../ground/glob.ts';
import type { ImageGateway, ImageSettings } from './image-gateway.ts';
import { isKeptName } from './names.ts';
import { RULE } from './references.ts';

/** No registry's name begins so: what it names is no client's, and leads to nothing. */
export const UNNAMED = 'u_image';
const NAME_CHARS = '[A-Za-z0-9._:@/-]+';

export class ImageNames {
  /** Whose images they are. */
  readonly namespace: string;
  private readonly gateway: ImageGateway | null;
  private readonly shared: readonly Glob[];
  private readonly prefix: string | null;
  private readonly inSentences: RegExp | null;

  constructor(namespace: string, { gateway, shared }: ImageSettings) {
    this.namespace = namespace;
    this.gateway = gateway;
    this.shared = shared.map((pattern) => compileGlob(pattern));
    this.prefix = gateway?.names.prefixOf(namespace) ?? null;
    // An engine says a name whole, by its path alone ("Pulling from …"), and within addresses.
    this.inSentences =
      gateway === null
        ? null
        : new RegExp(
            `(?<![A-Za-z0-9._:/-])(https?://${escaped(gateway.names.addresses.names)}/v2/)?` +
              `(${escaped(gateway.names.addresses.names)}/)?(${namespace}/${NAME_CHARS})`,
            'g',
          );
  }

  /** Whether there can be any but shared ones. */
  get hasGateway(): boolean {
    return this.gateway !== null;
  }

  /** The gateway of the engine. @throws Refusal where it has none */
  needGateway(): ImageGateway {
    if (this.gateway !== null) return this.gateway;
    throw refuse(RULE, 'gateway', 'this engine has no registry gateway: a namespace has shared images alone', {
      hint: 'an administrator sets `gateway` of the engine',
    });
  }

  /** What the engine knows the client's image by. @throws Refusal */
  toEngine(reference: ImageReference): ImageReference {
    return this.needGateway().names.toEngine(this.namespace, reference);
  }

  /** What the client knows the engine's image by; null where it is not the namespace's. */
  toClient(reference: ImageReference): ImageReference | null {
    return this.gateway?.names.toClient(this.namespace, reference) ?? null;
  }

  /** What keeps an image without a name, by its id. */
  unnamed(id: string): { readonly repository: string; readonly tag: string } {
    this.needGateway();
    return { repository: `${this.prefix}${UNNAMED}`, tag: id.replace(/^sha256:/, '') };
  }

  isUnnamed(name: string): boolean {
    return this.prefix !== null && name.startsWith(`${this.prefix}${UNNAMED}`);
  }

  /** Whether an engine's name is of this namespace, shown or not. */
  isOwn(name: string): boolean {
    return this.prefix !== null && name.startsWith(this.prefix);
  }

  /** Whether an engine's own name is there for all. */
  isShared(name: string): boolean {
    if (this.shared.length === 0 || this.isGateways(name)) return false;
    const reference = readReference(name);
    if (reference === null) return false;
    const bare = { ...reference, tag: null, digest: null };
    const spellings = [
      familiarReference(reference),
      formatReference(reference),
      familiarReference(bare),
      formatReference(bare),
    ];
    return this.shared.some((matches) => spellings.some(matches));
  }

  /** Whether the namespace may see and use the image at all. */
  isVisible({ tags, digests }: ListedImage): boolean {
    return [...tags, ...digests].some((name) => this.isOwn(name) || this.isShared(name));
  }

  /** The engine's names that the client is shown; shared ones only where it has none of the kind itself. */
  shown(image: ListedImage, all: readonly ListedImage[]): readonly string[] | null {
    if (!this.isVisible(image)) return null;
    const own = new Set(
      [...all, image].flatMap(({ tags }) =>
        tags.flatMap((tag) => (this.isOwn(tag) ? (this.told(tag, true) ?? []) : [])),
      ),
    );
    return [...image.tags, ...image.digests]
      .filter((name) => (this.isOwn(name) ? !this.isUnnamed(name) : this.isShared(name) && !own.has(name)))
      .map((name) => ({ name, whole: this.whole(name) }))
      .sort((one, other) => (one.whole < other.whole ? -1 : 1))
      .map(({ name }) => name);
  }

  /** By which engines order names. */
  private whole(name: string): string {
    const reference = readReference(name);
    return reference === null ? name : formatReference(this.toClient(reference) ?? reference);
  }

  /** An engine's name in the client's words; undefined where it is not to be told. `strict`: nor is what is not shared. */
  told(name: string, strict: boolean): string | undefined {
    if (!this.isGateways(name))
      return strict && readReference(name) !== null && !this.isShared(name) ? undefined : name;
    const reference = readReference(name);
    const client = reference === null ? null : this.toClient(reference);
    return client === null ? undefined : familiarReference(client);
  }

  /** Own names within what an engine says. */
  inProse(text: string): string {
    if (this.inSentences === null || this.gateway === null) return text;
    const { names } = this.gateway;
    return text.replace(
      this.inSentences,
      (said, url: string | undefined, address: string | undefined, path: string) => {
        if (url !== undefined) return this.toldUrl(path) ?? said;
        // A sentence goes on behind a name.
        let end = path.length;
        while ('.:@'.includes(path[end - 1] ?? ' ')) end--;
        const [name, rest] = [path.slice(0, end), path.slice(end)];
        const reference = readReference(`${names.addresses.names}/${name}`);
        const client = reference === null ? null : this.toClient(reference);
        if (client === null) return said;
        const whole = formatReference(client);
        return (address === undefined ? whole.slice(client.domain.length + 1) : familiarReference(client)) + rest;
      },
    );
  }

  /** What BuildKit finds images at, as the client knows them. */
  ofBuildsInProse(text: string): string {
    if (this.gateway === null) return text;
    const { names } = this.gateway;
    const said = new RegExp(
      `(https?://)?${escaped(names.addresses.builds)}/(v2/)?(c_[0-9a-f]+/[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*?)` +
        '(?=/(?:manifests|blobs|tags|referrers)/|[^A-Za-z0-9._/-]|$)',
      'g',
    );
    const told = text.replace(said, (whole: string, url: string | undefined, v2: string | undefined, path: string) => {
      const repository = names.locate(path)?.repository;
      if (repository === undefined) return whole;
      const { registry } = repository;
      return url === undefined || v2 === undefined
        ? `${registry}/${repository.path}`
        : `${registryUrlOf(registry)}/v2/${repository.path}`;
    });
    // What keeps an image that has no name of the client's.
    return told.replaceAll(new RegExp(`${escaped(`${this.prefix}${UNNAMED}`)}:[A-Za-z0-9._-]+`, 'g'), '<none>');
  }

  private toldUrl(path: string): string | null {
    const [, name = '', rest = ''] = /^(.+?)(\/(?:manifests|blobs|tags|referrers)\/.*)?$/.exec(path) ?? [];
    const located = this.gateway?.names.locate(name) ?? null;
    return located === null
      ? null
      : `${registryUrlOf(located.repository.registry)}/v2/${located.repository.path}${rest}`;
  }

  private isGateways(name: string): boolean {
    if (isKeptName(name)) return true;
    if (this.gateway === null) return false;
    const { names, builds } = this.gateway.names.addresses;
    return name.startsWith(`${names}/`) || name.startsWith(`${builds}/`);
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
