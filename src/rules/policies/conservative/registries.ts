/** Which registries the engine may be sent to: it connects from the host, so an address inside the site is not one. */

import { isIP } from 'node:net';
import { readReference, readsAsId, splitDomain } from '../../../docker/image-reference.ts';
import type { Mark } from '../../../docker/marks.ts';
import type { Leaf } from '../../../docker/visit.ts';
import type { BuildSources } from '../../../exchange/policy.ts';
import { compileGlob, type Glob, globRegex } from '../../../ground/glob.ts';

export class Registries {
  /** The same for the builds of BuildKit, which are told it beforehand. */
  readonly sources: BuildSources;
  private readonly listed: readonly Glob[] | null;

  /** Patterns of hosts, with their ports where those count; null for every name that is not of the machine itself. */
  constructor(patterns: readonly string[] | null) {
    this.listed = patterns === null ? null : patterns.map((pattern) => compileGlob(pattern));
    this.sources =
      patterns === null
        ? { closed: true, denied: notPublic }
        : { closed: true, allowed: patterns.map((pattern) => `${globRegex(pattern)}${PORT}/.*`) };
  }

  permits(mark: Mark, { value, marks }: Leaf): boolean {
    if (mark.mark !== 'fetches' || mark.what !== 'registry' || typeof value !== 'string') return false;
    const names = marks.some((other) => (other.mark === 'uses' || other.mark === 'makes') && other.kind === 'image');
    const host = names ? hostOfImage(value) : hostOfAddress(value);
    return host === null || this.isOpen(host);
  }

  /** For an image that the engine is to have, and would ask for at its registry. */
  permitsImage(text: string): boolean {
    const host = hostOfImage(text);
    return host === null || this.isOpen(host);
  }

  private isOpen(registry: string): boolean {
    const host = registry.replace(/:[0-9]+$/, '');
    if (this.listed !== null) return this.listed.some((matches) => matches(registry) || matches(host));
    return isPublicName(host);
  }
}

const PORT = '(?::[0-9]+)?';
/** Registries whose host `isPublicName` does not take. */
const notPublic: readonly string[] = [
  `[^./]*${PORT}/.*`,
  `[^/]*[^a-z0-9_.:/-][^/]*/.*`,
  `[^/]*:[^/]*:[^/]*/.*`,
  `(?:[^/]*\\.)?(?:0x[0-9a-f]*|[0-9]+|localhost|local|internal|localdomain)\\.?${PORT}/.*`,
];

/** Null for an id, which no registry is asked for. */
function hostOfImage(text: string): string | null {
  if (readsAsId(text) && text.length >= 64) return null;
  return (readReference(text)?.domain ?? splitDomain(text).domain).toLowerCase();
}

/** `https://index.docker.io/v1/` as `index.docker.io`; what is no such thing stays what it is, and is no public name. */
function hostOfAddress(text: string): string {
  return (/^(?:https?:\/\/)?([^/?#]*)/i.exec(text)?.[1] ?? text).toLowerCase();
}

/**
 * A name of at least two parts. Numbers in any spelling are addresses (`10.1`, `0x7f.1`); a name without a point is
 * one of the site's own machines, or the engine's host.
 */
function isPublicName(host: string): boolean {
  if (isIP(host) !== 0 || !/^[a-z0-9_-]+(\.[a-z0-9_-]+)+\.?$/.test(host)) return false;
  const last = host.replace(/\.$/, '').split('.').at(-1) as string;
  return !/^(0x[0-9a-f]*|[0-9]+)$/.test(last) && !['localhost', 'local', 'internal', 'localdomain'].includes(last);
}
