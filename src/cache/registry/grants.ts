/** Who may use the gateway for what: an opaque capability for each call, known to Berthgate and to the engine that it is made for. */

import { createHash, randomBytes } from 'node:crypto';
import { formatReference } from '../../docker/image-reference.ts';
import { type RegistryCredentials, saidCredentials } from '../../docker/registry-credentials.ts';
import type { Json } from '../../ground/json.ts';
import type { Repository } from './engine-names.ts';

const CAPABILITY_BYTES = 20;
const LONGEST_MS = 6 * 3_600_000;
const MOST_GRANTS = 20_000;
const USERNAME = 'berthgate';

export interface Rights {
  readonly namespace: string;
  /** What may be pulled: these, or whatever the configuration allows. */
  readonly pull: readonly Repository[] | 'every';
  /** What may be pushed, and pulled, too. */
  readonly push: readonly Repository[];
  /** What the client can show to a registry. Asked at most once for each; null for nothing. */
  readonly credentials: (registry: string) => RegistryCredentials | null | Promise<RegistryCredentials | null>;
  /** The longest that it can be used, in ms; it is ended before by `end`. Default 6 hours. */
  readonly lifeMs?: number;
}

/** The right of one call. Whoever asks for one ends it. */
export interface Grant {
  /** The tag of the process and 160 random bits, as may stand in a name of an image. */
  readonly capability: string;
  /** In the place of the client's X-Registry-Auth, for the engine. */
  readonly registryAuth: Json;
  /** In the place of the client's X-Registry-Config, for the engine. */
  readonly registryConfig: Json;
  /** From now on it is worth nothing. */
  end(): void;
}

/** As the gateway sees a grant. */
export interface Granted {
  readonly namespace: string;
  readonly rights: Rights;
  readonly credentials: (registry: string) => Promise<RegistryCredentials | null>;
}

export class Grants {
  private readonly address: string;
  private readonly tag: string;
  /** By the hash of the capability: how long a look-up takes tells nothing of those that are there. */
  private readonly live = new Map<string, Granted>();

  /**
   * @param address of the gateway, as images are called by
   * @param tag what all capabilities begin with: hexadecimal digits that say which process has issued them
   */
  constructor(address: string, tag: string) {
    this.address = address;
    this.tag = tag;
  }

  /** @throws Error where there are more calls at once than there can be */
  issue(rights: Rights): Grant {
    if (this.live.size >= MOST_GRANTS) throw new Error('too many calls use the registry gateway at once');
    const capability = `${this.tag}${randomBytes(CAPABILITY_BYTES).toString('hex')}`;
    const key = keyOf(capability);
    const asked = new Map<string, Promise<RegistryCredentials | null>>();
    const credentials = (registry: string): Promise<RegistryCredentials | null> => {
      const before = asked.get(registry) ?? Promise.resolve(rights.credentials(registry));
      asked.set(registry, before);
      return before;
    };
    this.live.set(key, { namespace: rights.namespace, rights, credentials });
    const end = (): void => {
      clearTimeout(timer);
      this.live.delete(key);
    };
    const timer = setTimeout(end, Math.min(rights.lifeMs ?? LONGEST_MS, LONGEST_MS)).unref();
    const said = saidCredentials(USERNAME, capability, this.address);
    return { capability, registryAuth: said, registryConfig: { [this.address]: said }, end };
  }

  /** Null for what was never issued, has ended, or is too old. */
  find(capability: string): Granted | null {
    return this.live.get(keyOf(capability)) ?? null;
  }
}

export function mayPull({ rights }: Granted, repository: Repository): boolean {
  return rights.pull === 'every' || isAmong(repository, rights.pull) || isAmong(repository, rights.push);
}

export function mayPush({ rights }: Granted, repository: Repository): boolean {
  return isAmong(repository, rights.push);
}

/** As in a reference of an image. */
export function nameOf({ registry, path }: Repository): string {
  return formatReference({ domain: registry, path, tag: null, digest: null });
}

function isAmong({ registry, path }: Repository, list: readonly Repository[]): boolean {
  return list.some((one) => one.registry === registry && one.path === path);
}

function keyOf(capability: string): string {
  return createHash('sha256').update(capability).digest('base64');
}
