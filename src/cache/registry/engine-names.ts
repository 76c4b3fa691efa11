/**
 * Names of images on both sides: `debian:12` of alice is `127.0.0.1:5350/alice/docker.io/library/debian:12` for the
 * engine. Every name comes back as it went, from itself alone; only those that are too long need a file.
 */

import { type ImageReference, readReference } from '../../docker/image-reference.ts';
import type { LongNames } from './long-names.ts';

/** distribution/reference up to 0.5, which engines before 25 have, counts the host, too. */
const MOST_NAME = 255;

const SHORT = 'h_';
const ESCAPED = 'x_';
const CAPABILITY = 'c_';

/** What lies behind a name of the gateway. */
export interface Repository {
  /** As clients name it: `docker.io`, `r.example.org:5000`. */
  readonly registry: string;
  /** `library/debian`. */
  readonly path: string;
}

/** The first part of a gateway's path: a namespace, or a capability. Neither can be taken for the other. */
export interface Located {
  readonly owner: string;
  readonly repository: Repository;
}

export interface GatewayAddresses {
  /** `127.0.0.1:5350`: for pulls and pushes, and what images are called by. */
  readonly names: string;
  /** `127.0.0.2:5350`: for builds. An engine remembers by address how it was asked for credentials. */
  readonly builds: string;
}

export class EngineNames {
  readonly addresses: GatewayAddresses;
  private readonly long: LongNames;

  constructor(addresses: GatewayAddresses, long: LongNames) {
    this.addresses = addresses;
    this.long = long;
  }

  /** What the engine knows a client's image by. @throws Error where a long name cannot be kept */
  toEngine(namespace: string, { domain, path, tag, digest }: ImageReference): ImageReference {
    const named = this.pathOf(this.addresses.names, namespace, { registry: domain, path });
    return { domain: this.addresses.names, path: named, tag, digest };
  }

  /** What the client knows the engine's image by; null where it is not the namespace's. */
  toClient(namespace: string, { domain, path, tag, digest }: ImageReference): ImageReference | null {
    if (domain !== this.addresses.names) return null;
    const located = this.locate(path);
    if (located === null || located.owner !== namespace) return null;
    return { domain: located.repository.registry, path: located.repository.path, tag, digest };
  }

  /** How everything of a namespace begins: `127.0.0.1:5350/alice/`, for patterns and filters. */
  prefixOf(namespace: string): string {
    return `${this.addresses.names}/${namespace}/`;
  }

  /** What BuildKit finds an image at, with the right to it in the name. */
  toBuild(capability: string, { domain, path, tag, digest }: ImageReference): ImageReference {
    const named = this.pathOf(this.addresses.builds, `${CAPABILITY}${capability}`, { registry: domain, path });
    return { domain: this.addresses.builds, path: named, tag, digest };
  }

  /** How everything of a build begins: `127.0.0.2:5350/c_…/docker.io/` for a rule that maps a whole registry. */
  buildPrefixOf(capability: string, registry: string): string {
    return `${this.addresses.builds}/${CAPABILITY}${capability}/${encodeHost(registry)}/`;
  }

  /** What a path of the gateway, `alice/docker.io/library/debian`, stands for; null where we would not print it so. */
  locate(path: string): Located | null {
    const [owner = '', second = '', ...rest] = path.split('/');
    if (second.startsWith(SHORT)) {
      const name = rest.length === 0 ? this.long.recall(second.slice(SHORT.length)) : null;
      const repository = name === null ? null : readRepository(name);
      return repository === null ? null : { owner, repository };
    }
    const repository = readRepository([second, ...rest].join('/'));
    return repository === null ? null : { owner, repository };
  }

  /** `alice/docker.io/library/debian`, as it stands in the gateway's URLs. */
  pathOf(address: string, owner: string, repository: Repository): string {
    const name = `${encodeHost(repository.registry)}/${repository.path}`;
    const whole = `${owner}/${name}`;
    return `${address}/${whole}`.length <= MOST_NAME ? whole : `${owner}/${SHORT}${this.long.keep(name)}`;
  }
}

/** The capability in an owner's place; null for a namespace, which has no `_`. */
export function capabilityIn(owner: string): string | null {
  return owner.startsWith(CAPABILITY) ? owner.slice(CAPABILITY.length) : null;
}

/** `r.example.org__5000/team/app`. Null for what is written in another way than names are. */
export function readRepository(name: string): Repository | null {
  const slash = name.indexOf('/');
  const registry = slash < 0 ? null : decodeHost(name.slice(0, slash));
  if (registry === null) return null;
  const path = name.slice(slash + 1);
  // As a client's name is read, so that each image has one name only: `docker.io/debian` is none of them.
  const read = readReference(`${registry}/${path}`);
  const same = read?.domain === registry && read.path === path && read.tag === null && read.digest === null;
  return same ? { registry, path } : null;
}

/** As a component of a path. A host has no `_`, so it can say what a path's component cannot hold: a port, capitals, brackets. */
export function encodeHost(host: string): string {
  const [, name, port] = /^([a-z0-9.-]+)(?::(\d+))?$/.exec(host) ?? [];
  if (name === undefined) return `${ESCAPED}${Buffer.from(host).toString('hex')}`;
  return port === undefined ? name : `${name}__${port}`;
}

function decodeHost(component: string): string | null {
  const host = component.startsWith(ESCAPED)
    ? Buffer.from(component.slice(ESCAPED.length), 'hex').toString()
    : component.replace(/__(\d+)$/, ':$1');
  return encodeHost(host) === component ? host : null;
}
