/**
 * What an engine that unpacks a build context would find where it looks for the Dockerfile: of all files only those that
 * can be it are kept. Entries replace each other, and links in the context lead within it.
 */

import { cleanPath } from '../../wire/tar/clean-path.ts';
import { kindOf, type RawHeader, TarFault } from '../../wire/tar/tar-header.ts';
import type { Entry, Treatment } from '../../wire/tar/tar-walker.ts';

/** A Dockerfile is text that people write. */
const MOST_DOCKERFILE_BYTES = 1024 * 1024;
/** Of files that a link might make the Dockerfile, their headers too. */
const MOST_CANDIDATE_BYTES = 4 * 1024 * 1024;
const MOST_LINKS = 50_000;
/** Of links, candidates, and the folders that they lie in. */
const MOST_PLACES = 200_000;
/** What Linux takes for a path; anything longer cannot be unpacked. */
const MOST_PATH_CHARACTERS = 4096;
const MOST_NAME_CHARACTERS = 32 * 1024 * 1024;
const MOST_HOPS = 255;
/** Of the targets of links that entries lie behind, all of them together: contexts that are packed of files have none. */
const MOST_FOLLOWED_PARTS = 1_000_000;
const DEFAULT = 'Dockerfile';

type Node =
  | { readonly kind: 'file'; readonly entry: Entry | null }
  | { readonly kind: 'link'; readonly target: string };

/** Where something lies that is remembered, or a folder of such. A tree: to remove one costs no more than it has. */
interface Place {
  node: Node | null;
  inside: Map<string, Place> | null;
}

export interface FoundFile {
  /** Where the engine is to find it. */
  readonly path: string;
  readonly content: Buffer;
  /** As it stands in the archive under that very path; null where it came there by a link. */
  readonly entry: Entry | null;
}

export class ContextTree {
  private readonly wanted: string;
  private readonly root: Place = { node: null, inside: null };
  private places = 0;
  private nameCharacters = 0;
  private links = 0;
  private followedParts = 0;
  private candidateBytes = 0;
  private linkedBytes = 0;
  private path: string | null = null;

  /** `dockerfile` as the call says it. @throws TarFault where it lies outside */
  constructor(dockerfile: string) {
    const wanted = cleanPath(dockerfile === '' ? DEFAULT : dockerfile);
    if (wanted === null || wanted === '') throw new TarFault(`does not hold ${dockerfile}, which is outside of it`);
    this.wanted = wanted;
  }

  /** @throws TarFault */
  treat(header: RawHeader): Treatment {
    const { name, linkName } = header;
    if (name.length > MOST_PATH_CHARACTERS || linkName.length > MOST_PATH_CHARACTERS) {
      throw new TarFault('holds a path of more than 4 KiB');
    }
    this.path = this.placeOf(name);
    const { path } = this;
    if (path === null || kindOf(header) !== 'file') return 'pass';
    if (this.isDockerfile()) {
      if (header.size > MOST_DOCKERFILE_BYTES) throw new TarFault('holds a Dockerfile of more than 1 MiB');
      return 'keep';
    }
    if (!/docker|container/i.test(path.slice(path.lastIndexOf('/') + 1))) return 'pass';
    this.candidateBytes += header.size;
    return this.candidateBytes > MOST_CANDIDATE_BYTES ? 'pass' : 'keep';
  }

  /** Whether the entry that was treated last can be the Dockerfile by its own name. */
  isDockerfile(): boolean {
    const { path } = this;
    return path !== null && (path === this.wanted || (this.wanted === DEFAULT && path === DEFAULT.toLowerCase()));
  }

  /** @throws TarFault */
  read(entry: Entry): void {
    const { path } = this;
    const { header } = entry;
    if (path === null || path === '') return;
    const kind = kindOf(header);
    // What was there is removed with all that is in it, but a folder that is met again.
    if (kind !== 'folder' || this.nodeAt(path) !== null) this.remove(path);
    if (kind === 'file') this.readFile(path, entry);
    else if (kind === 'link') {
      this.links += 1;
      if (this.links > MOST_LINKS) throw new TarFault('holds too many links');
      this.put(path, { kind: 'link', target: header.linkName });
    } else if (kind === 'hard-link') {
      const other = cleanPath(header.linkName);
      const node = other === null ? null : this.nodeAt(this.parentsResolved(other) ?? other);
      if (node !== null) this.put(path, this.linked(node));
      else if (this.isNamed(path)) this.put(path, { kind: 'file', entry: null });
    }
  }

  /** A file that is replaced stays under its other names. */
  private linked(node: Node): Node {
    if (node.kind === 'link' || node.entry === null) return node;
    const { content, headerBlocks } = node.entry;
    this.linkedBytes += content.length + headerBlocks.length;
    return this.linkedBytes <= MOST_CANDIDATE_BYTES ? node : { kind: 'file', entry: null };
  }

  private readFile(path: string, entry: Entry): void {
    const isKept = entry.headerBlocks.length > 0;
    if (isKept && !this.isDockerfile()) this.candidateBytes += entry.headerBlocks.length;
    if (isKept && (this.isDockerfile() || this.candidateBytes <= MOST_CANDIDATE_BYTES)) {
      this.put(path, { kind: 'file', entry });
    } else if (this.isNamed(path)) this.put(path, { kind: 'file', entry: null });
  }

  /** @throws TarFault where there is none, or it is not known */
  dockerfile(): FoundFile {
    const found = this.at(this.wanted);
    if (found !== null) return found;
    const lower = this.wanted === DEFAULT && this.links === 0 ? this.at(DEFAULT.toLowerCase()) : null;
    if (lower !== null) return lower;
    throw new TarFault(`does not hold ${this.wanted}: Cannot locate specified Dockerfile: ${this.wanted}`);
  }

  private at(path: string): FoundFile | null {
    const place = this.resolve(path);
    const node = place === null ? null : this.nodeAt(place);
    if (node === null || node.kind !== 'file') {
      if (place === path) return null;
      throw new TarFault(
        `has a link for its Dockerfile, to ${place ?? 'nowhere'}, which is not followed: name that file`,
      );
    }
    const { entry } = node;
    if (entry === null)
      throw new TarFault(`has a link for its Dockerfile, which is not followed: name the file itself`);
    const direct = place === path && cleanPath(entry.header.name) === path && kindOf(entry.header) === 'file';
    return { path, content: entry.content, entry: direct ? entry : null };
  }

  private isNamed(path: string): boolean {
    return path === this.wanted || path === DEFAULT.toLowerCase();
  }

  private placeAt(path: string): Place | null {
    let place: Place | null = this.root;
    if (path !== '') for (const part of path.split('/')) place = place?.inside?.get(part) ?? null;
    return place;
  }

  private nodeAt(path: string): Node | null {
    return this.placeAt(path)?.node ?? null;
  }

  private put(path: string, node: Node): void {
    this.nameCharacters += path.length + (node.kind === 'link' ? node.target.length : 0);
    if (this.nameCharacters > MOST_NAME_CHARACTERS) throw new TarFault('holds too many names');
    let place = this.root;
    for (const part of path.split('/')) {
      place.inside ??= new Map();
      let next = place.inside.get(part);
      if (next === undefined) {
        if (++this.places > MOST_PLACES) throw new TarFault('holds too many links');
        next = { node: null, inside: null };
        place.inside.set(part, next);
      }
      place = next;
    }
    place.node = node;
  }

  private remove(path: string): void {
    const slash = path.lastIndexOf('/');
    const folder = this.placeAt(slash < 0 ? '' : path.slice(0, slash));
    folder?.inside?.delete(path.slice(slash + 1));
  }

  /** Where an entry of that name comes to lie; null where engines refuse it. */
  private placeOf(name: string): string | null {
    const path = cleanPath(name);
    return path === null || this.links === 0 ? path : this.parentsResolved(path);
  }

  private parentsResolved(path: string): string | null {
    const slash = path.lastIndexOf('/');
    if (slash < 0) return path;
    const parent = this.resolve(path.slice(0, slash));
    return parent === null ? null : joined(parent, path.slice(slash + 1));
  }

  /** All links followed, none out of the context; null where they go in a circle. @throws TarFault where that is too much work */
  private resolve(path: string): string | null {
    const left = path.split('/').reverse();
    const way: { readonly part: string; readonly place: Place | null }[] = [];
    for (let hops = 0; left.length > 0; ) {
      const part = left.pop() as string;
      if (part === '' || part === '.') continue;
      if (part === '..') {
        way.pop();
        continue;
      }
      const folder = way.length === 0 ? this.root : (way.at(-1)?.place ?? null);
      const place = folder?.inside?.get(part) ?? null;
      if (place?.node?.kind !== 'link') {
        way.push({ part, place });
        continue;
      }
      if (++hops > MOST_HOPS) return null;
      const { target } = place.node;
      if (target.startsWith('/')) way.length = 0;
      const parts = target.split('/').reverse();
      this.followedParts += parts.length;
      if (this.followedParts > MOST_FOLLOWED_PARTS) throw new TarFault('holds too many names behind links');
      left.push(...parts);
    }
    return way.map(({ part }) => part).join('/');
  }
}

function joined(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
