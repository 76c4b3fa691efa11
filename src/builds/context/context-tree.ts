/**
 * What an engine that unpacks a build context would find where it looks for the Dockerfile: of all files only those that
 * can be it are kept. Entries replace each other, and links in the context lead within it.
 */

import { cleanPath } from '../../wire/tar/clean-path.ts';
import { kindOf, type RawHeader, TarFault } from '../../wire/tar/tar-header.ts';
import type { Entry, Treatment } from '../../wire/tar/tar-walker.ts';

/** A Dockerfile is text that people write. */
const MOST_DOCKERFILE_BYTES = 1024 * 1024;
/** Of files that a link might make the Dockerfile. */
const MOST_CANDIDATE_BYTES = 4 * 1024 * 1024;
const MOST_LINKS = 50_000;
const MOST_HOPS = 255;
const DEFAULT = 'Dockerfile';

type Node =
  | { readonly kind: 'file'; readonly entry: Entry | null }
  | { readonly kind: 'link'; readonly target: string };

export interface FoundFile {
  /** Where the engine is to find it. */
  readonly path: string;
  readonly content: Buffer;
  /** As it stands in the archive under that very path; null where it came there by a link. */
  readonly entry: Entry | null;
}

export class ContextTree {
  private readonly wanted: string;
  private readonly nodes = new Map<string, Node>();
  private links = 0;
  private candidateBytes = 0;
  private path: string | null = null;

  /** `dockerfile` as the call says it. @throws TarFault where it lies outside */
  constructor(dockerfile: string) {
    const wanted = cleanPath(dockerfile === '' ? DEFAULT : dockerfile);
    if (wanted === null || wanted === '') throw new TarFault(`does not hold ${dockerfile}, which is outside of it`);
    this.wanted = wanted;
  }

  treat(header: RawHeader): Treatment {
    this.path = this.placeOf(header.name);
    const { path } = this;
    if (path === null || kindOf(header) !== 'file') return 'pass';
    if (this.isDockerfile()) {
      if (header.size > MOST_DOCKERFILE_BYTES) throw new TarFault('holds a Dockerfile of more than 1 MiB');
      return 'keep';
    }
    if (!/(?:docker|container)[^/]*$/i.test(path)) return 'pass';
    this.candidateBytes += header.size;
    return this.candidateBytes > MOST_CANDIDATE_BYTES ? 'pass' : 'keep';
  }

  /** Whether the entry that was treated last can be the Dockerfile by its own name. */
  isDockerfile(): boolean {
    const { path } = this;
    return path !== null && (path === this.wanted || (this.wanted === DEFAULT && path === DEFAULT.toLowerCase()));
  }

  read(entry: Entry): void {
    const { path } = this;
    const { header } = entry;
    if (path === null || path === '') return;
    const kind = kindOf(header);
    // What was there is removed with all that is in it, but a folder that is met again.
    if (kind !== 'folder' || this.nodes.has(path)) this.remove(path);
    if (kind === 'file') {
      if (entry.headerBlocks.length > 0) this.nodes.set(path, { kind: 'file', entry });
      else if (this.isNamed(path)) this.nodes.set(path, { kind: 'file', entry: null });
    } else if (kind === 'link') {
      this.links += 1;
      if (this.links > MOST_LINKS) throw new TarFault('holds too many links');
      this.nodes.set(path, { kind: 'link', target: header.linkName });
    } else if (kind === 'hard-link') {
      const other = cleanPath(header.linkName);
      const node = other === null ? undefined : this.nodes.get(this.parentsResolved(other) ?? other);
      this.nodes.set(path, node ?? { kind: 'file', entry: null });
    }
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
    const node = place === null ? undefined : this.nodes.get(place);
    if (node === undefined || node.kind !== 'file') {
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

  private remove(path: string): void {
    this.nodes.delete(path);
    for (const other of this.nodes.keys()) if (other.startsWith(`${path}/`)) this.nodes.delete(other);
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

  /** All links followed, none out of the context; null where they go in a circle. */
  private resolve(path: string): string | null {
    const left = path.split('/');
    let place = '';
    for (let hops = 0; left.length > 0; ) {
      const part = left.shift() as string;
      if (part === '' || part === '.') continue;
      if (part === '..') {
        place = place.slice(0, Math.max(0, place.lastIndexOf('/')));
        continue;
      }
      const next = joined(place, part);
      const node = this.nodes.get(next);
      if (node?.kind !== 'link') {
        place = next;
        continue;
      }
      if (++hops > MOST_HOPS) return null;
      if (node.target.startsWith('/')) place = '';
      left.unshift(...node.target.split('/'));
    }
    return place;
  }
}

function joined(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
