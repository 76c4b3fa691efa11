/** The names of images that namespaces have on an engine: who has which, and how one is taken away. */

import { imagesIn, type ListedImage, namelessOf } from '../../docker/image-listings.ts';
import { familiarReference, readReference } from '../../docker/image-reference.ts';
import { listIn, reasonOf, thingIn } from '../../docker/named-things.ts';
import { isJobId } from '../../jobs/job-id.ts';
import type { EngineSide } from './engine-side.ts';
import { ImageNames, UNNAMED } from './image-names.ts';
import { isKeptName, isNamespace } from './names.ts';
import { OwnImages } from './own-images.ts';
import { ownerOf } from './ownership.ts';

export interface NamedImage {
  readonly owner: string;
  /** As its clients say it; `<none>` of one that has no name of theirs. */
  readonly name: string;
  /** The engine's. */
  readonly reference: string;
  /** `sha256:…` */
  readonly image: string;
}

/** Where processes have gateways for the jobs of theirs: nothing else has a name with such a word in it. */
const LOOPBACK = /^127(?:\.\d{1,3}){3}:\d+$/;

const REMOVE_MS = 300_000;
const NAMELESS = '<none>';

/**
 * Of all namespaces, or of one. `known`: ids of images that are its own also without a name. @throws Refusal, Error where the
 * engine does not say
 */
export async function imagesHeld(
  side: EngineSide,
  namespace: string | null,
  known: ReadonlySet<string>,
): Promise<readonly NamedImage[]> {
  const temporary = namespace !== null && isJobId(namespace);
  const list = await side.desk.ask('ImageList', { query: { digests: true, all: temporary } });
  const images = imagesIn(list);
  const named = images.flatMap((image) => namesOf(side, image));
  const own = named.filter(({ owner }) => namespace === null || owner === namespace);
  if (!temporary) return own;
  const steps = own.filter(isStep).map(({ image }) => image);
  const bases = images.filter((image) => isOnlyOf(side, namespace, image)).map(({ id }) => id);
  const nameless = namelessOf(new Set([...steps, ...bases]), known, list);
  return [...own, ...nameless.map((id) => ({ owner: namespace, name: NAMELESS, reference: id, image: id }))];
}

/** What has no name is a step of a build that was cut off: made of one that was given a name, or of what nobody else has. */
export function isNameless({ id, image }: { readonly id: string; readonly image?: string }): boolean {
  return id === image;
}

function isStep({ reference, image }: NamedImage): boolean {
  const tag = reference.slice(reference.lastIndexOf(':') + 1);
  return reference.includes(`/${UNNAMED}:`) && image.startsWith(`sha256:${tag}`);
}

/** Whoever else builds from an image has a name of it before; what is kept for later is nobody's until it is pulled again. */
function isOnlyOf(side: EngineSide, namespace: string, { tags, digests }: ListedImage): boolean {
  const names = [...tags, ...digests].filter((name) => !name.startsWith(NAMELESS));
  const others = names.filter((name) => ownerIn(side, name) !== namespace);
  return others.length < names.length && others.every(isKeptName);
}

/** With a tag go the digests of its repository. */
function namesOf(side: EngineSide, { id, tags, digests }: ListedImage): readonly NamedImage[] {
  const tagged = new Set(tags.map((tag) => tag.replace(/:[^:/]*$/, '')));
  const alone = digests.filter((digest) => !tagged.has(digest.replace(/@.*$/, '')));
  return [...tags, ...alone].flatMap((reference) => {
    const owner = ownerIn(side, reference);
    return owner === null ? [] : [{ owner, name: toldName(side, owner, reference), reference, image: id }];
  });
}

/** Whose name of an image it is; null for what is nobody's. */
export function ownerIn({ addresses }: EngineSide, name: string): string | null {
  const [address = '', owner = '', ...path] = name.split('/');
  if (path.length === 0 || !isNamespace(owner)) return null;
  return addresses.has(address) || (isJobId(owner) && LOOPBACK.test(address)) ? owner : null;
}

function toldName({ gateway }: EngineSide, owner: string, name: string): string {
  const reference = readReference(name);
  const client = reference === null ? null : (gateway?.names.toClient(owner, reference) ?? null);
  return client === null ? NAMELESS : familiarReference(client);
}

/**
 * The name alone: with the last one the engine removes what nobody has. What containers of other namespaces are made of
 * becomes theirs. Null when it is gone, else what the engine said. @throws Refusal where it does not answer
 */
export async function removeImageName(
  side: EngineSide,
  { owner, reference, image }: NamedImage,
): Promise<string | null> {
  const order = { parameters: { name: reference }, deadlineMs: REMOVE_MS };
  const first = await side.desk.order('ImageDelete', order);
  if (first.status !== 409 || !(await handOver(side, owner, image))) return reasonOf(first);
  return reasonOf(await side.desk.order('ImageDelete', { ...order, query: { force: true } }));
}

/** Whether everybody has it now whose container needs it. */
async function handOver({ desk, gateway }: EngineSide, former: string, image: string): Promise<boolean> {
  const query = { all: true, filters: { ancestor: [image] } };
  const listed = listIn('container', await desk.ask('ContainerList', { query }));
  const users = listed.flatMap((item) => thingIn('container', item) ?? []);
  const owners = new Set(users.map(ownerOf));
  // Without its name it would be nobody's, and stay when the container goes.
  if (gateway === null || owners.size === 0 || owners.has(null) || owners.has(former)) return false;
  for (const owner of owners) {
    await new OwnImages(new ImageNames(owner as string, { gateway, shared: [] }), desk).keep(image);
  }
  return true;
}
