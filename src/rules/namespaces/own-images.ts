/**
 * The images of a namespace: a client's names lead to the gateway, where the registry itself says whether the client may
 * have them; ids are found among the images that have a name of the namespace, or are shared.
 */

import { imageIn, imagesIn, type ListedImage } from '../../docker/image-listings.ts';
import {
  familiarReference,
  formatReference,
  type ImageReference,
  readReference,
  readsAsId,
  tagged,
} from '../../docker/image-reference.ts';
import { namedImages } from '../../docker/named-images.ts';
import { type RegistryCredentials, readCredentials } from '../../docker/registry-credentials.ts';
import type { Leaf } from '../../docker/visit.ts';
import { visitCall } from '../../docker/visit-call.ts';
import type { Call } from '../../exchange/call.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import { refuse } from '../../exchange/judge.ts';
import { type Json, printJson, readJsonText } from '../../ground/json.ts';
import { Refusal } from '../../ground/refusal.ts';
import type { ImageGrant, ImageRepository } from './image-gateway.ts';
import type { ImageNames } from './image-names.ts';
import { RULE } from './references.ts';

/** Of one registry's: nothing is deeper. */
const AUTH_DEPTH = 8;
const WHOLE_ID = /^sha256:[0-9a-f]{64}$/;

export interface FoundImage extends ListedImage {
  /** How the engine is to be told of it: by its name there, or by the whole id where the client said one. */
  readonly spelling: string;
  readonly byId: boolean;
  /** It is there for all, and nobody's here. */
  readonly shared: boolean;
}

export class OwnImages {
  readonly names: ImageNames;
  private readonly desk: EngineDesk;

  constructor(names: ImageNames, desk: EngineDesk) {
    this.names = names;
    this.desk = desk;
  }

  /** What the client's reference or id means: as dockerd looks, by the name and then by the beginning of an id. */
  async find(text: string): Promise<FoundImage | null> {
    const reference = readReference(text);
    if (reference !== null) {
      const own = await this.named(reference);
      if (own !== null) return own;
      const shared = familiarReference(tagged(reference));
      const image = this.names.isShared(shared) ? await this.inspect(shared) : null;
      if (image !== null) return { ...image, spelling: shared, byId: false, shared: true };
    }
    return readsAsId(text) ? this.findById(text) : null;
  }

  /** @throws Refusal in dockerd's words, the same for what is another's and for what is not there */
  async need(text: string): Promise<FoundImage> {
    const found = await this.find(text);
    if (found === null) throw missingImage(text);
    return found;
  }

  /** The namespace's own image of the name. */
  async named(reference: ImageReference): Promise<FoundImage | null> {
    if (!this.names.hasGateway) return null;
    const spelling = formatReference(this.names.toEngine(tagged(reference)));
    const image = await this.inspect(spelling);
    return image === null ? null : { ...image, spelling, byId: false, shared: false };
  }

  /** As the engine shows it, in its own names; null for what is not the client's to see. */
  async inspection(text: string): Promise<Json> {
    const found = await this.find(text);
    return found === null ? null : this.desk.ask('ImageInspect', { parameters: { name: found.spelling } });
  }

  /** All that the namespace sees: its own, and those that are shared. */
  async all(): Promise<readonly ListedImage[]> {
    const images = imagesIn(await this.desk.ask('ImageList', { query: { digests: true } }));
    return images.filter((image) => this.names.isVisible(image));
  }

  /** The call with every image that it uses as the engine is to be told of it. @throws Refusal for an id that is not there */
  async translate(call: Call): Promise<Call> {
    const spellings = new Map<string, string>();
    visitCall(call, (leaf) => {
      const text = usedAt(leaf);
      if (text !== null) spellings.set(text, '');
      return leaf.value;
    });
    if (spellings.size === 0) return call;
    for (const text of spellings.keys()) spellings.set(text, await this.spell(text, call));
    return visitCall(call, (leaf) => {
      const text = usedAt(leaf);
      return text === null ? leaf.value : (spellings.get(text) as string);
    });
  }

  private async spell(text: string, { endpoint }: Call): Promise<string> {
    const found = await this.find(text);
    if (found !== null) return endpoint.id === 'ContainerCreate' ? asSaid(found, text) : found.spelling;
    const reference = readReference(text);
    // Of a name of ours that is not there, the engine says so, and finds nothing by it.
    if (reference !== null && this.names.hasGateway) return formatReference(this.names.toEngine(tagged(reference)));
    if (endpoint.id === 'ContainerList') return `${this.names.namespace}/u_absent`;
    throw missingImage(text);
  }

  /**
   * The right of one call to what the gateway gives, with the credentials that the client sent for these repositories.
   * Whoever asks for it ends it.
   */
  issue(
    rights: { readonly pull?: readonly ImageRepository[]; readonly push?: readonly ImageRepository[] },
    call: Call,
  ) {
    const { pull = [], push = [] } = rights;
    const said = saidCredentials(call);
    const registries = new Set([...pull, ...push].map(({ registry }) => registry));
    for (const registry of registries) this.needRegistry(registry, placeOf(call));
    return this.names.needGateway().issue({
      namespace: this.names.namespace,
      pull,
      push,
      credentials: (registry) => (registries.has(registry) ? said : null),
    });
  }

  /** @throws Refusal where the configuration does not let it be used */
  needRegistry(registry: string, place: string): void {
    if (this.names.needGateway().isAllowed(registry)) return;
    throw refuse(RULE, 'registry', `the registry ${registry} may not be used here`, {
      place,
      hint: 'an administrator lists registries in `registry.allow`',
    });
  }

  /** An image that is about to lose a name stays the namespace's. */
  async keep(id: string): Promise<void> {
    const { repository, tag } = this.names.unnamed(id);
    const { status } = await this.desk.order('ImageTag', {
      parameters: { name: id },
      query: { repo: repository, tag },
    });
    if (status >= 400 && status !== 404) throw new Refusal('engine-garbage', 'the engine does not keep an image');
  }

  /** Of an image that has the name now, and will have it no more, unless it is `id`. */
  async keepFormer(reference: ImageReference, id: string | null): Promise<void> {
    const former = await this.named(reference);
    if (former !== null && former.id !== id) await this.keep(former.id);
  }

  private async inspect(name: string): Promise<ListedImage | null> {
    return imageIn(await this.desk.ask('ImageInspect', { parameters: { name } }));
  }

  private async findById(text: string): Promise<FoundImage | null> {
    const start = text.startsWith('sha256:') ? text : `sha256:${text}`;
    const begun = WHOLE_ID.test(start) ? [await this.inspect(start)] : await this.all();
    const [image, ...others] = begun.filter((one) => one?.id.startsWith(start) === true);
    if (image === undefined || image === null || others.length > 0 || !this.names.isVisible(image)) return null;
    const shared = ![...image.tags, ...image.digests].some((name) => this.names.isOwn(name));
    return { ...image, spelling: image.id, byId: true, shared };
  }
}

/** The call with our right to the gateway in place of the client's credentials. */
export function withGrant(call: Call, { registryAuth }: ImageGrant): Call {
  // Engines decode it with its padding, and take what they cannot decode for nothing.
  const header = Buffer.from(printJson(registryAuth)).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
  return { ...call, headers: { ...call.headers, 'x-registry-auth': [header] } };
}

export function withoutCredentials(call: Call): Call {
  const { 'x-registry-auth': _, ...headers } = call.headers;
  return { ...call, headers };
}

export function repositoryOf({ domain, path }: ImageReference): ImageRepository {
  return { registry: domain, path };
}

/** @throws Refusal in dockerd's words */
export function needReference(text: string, place: string): ImageReference {
  const reference = readReference(text);
  if (reference !== null) return reference;
  throw new Refusal(place.startsWith('path') ? 'unreadable-path' : 'unreadable-query', 'invalid reference format', {
    place,
  });
}

/** A container shows the name that it was made with: without a tag, where nobody could take that for an id. */
function asSaid({ spelling, byId, shared }: FoundImage, text: string): string {
  const reference = readReference(text);
  const isBare = reference !== null && reference.tag === null && reference.digest === null;
  return isBare && !byId && !(shared && readsAsId(text)) ? spelling.replace(/:latest$/, '') : spelling;
}

function missingImage(text: string): Refusal {
  const reference = readReference(text);
  return new Refusal('not-found', `No such image: ${reference === null ? text : familiarReference(tagged(reference))}`);
}

function saidCredentials({ headers }: Call): RegistryCredentials | null {
  const [said] = headers['x-registry-auth'] ?? [];
  return said === undefined || said === '' ? null : readCredentials(readJsonText(decoded(said), AUTH_DEPTH));
}

function decoded(header: string): string {
  return Buffer.from(header, 'base64url').toString();
}

/** Where a call names the image that it asks a registry for. */
function placeOf(call: Call): string {
  return namedImages(call)[0]?.place ?? 'Dockerfile';
}

function usedAt({ marks, value }: Leaf): string | null {
  if (typeof value !== 'string' || value === '') return null;
  const used = marks.find((mark) => mark.mark === 'uses' && mark.kind === 'image');
  return used?.mark === 'uses' && used.spelling !== 'pattern' ? value : null;
}
