/** The registry gateway as others use it: names in both directions, rights for calls, logins. */

import { createHmac, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { RegistryCredentials } from '../../docker/registry-credentials.ts';
import { EngineNames, type GatewayAddresses } from './engine-names.ts';
import { Gateway } from './gateway.ts';
import { GatewayTally } from './gateway-tally.ts';
import { type Grant, Grants, type Rights } from './grants.ts';
import { checkLogin, type LoginAnswer } from './login.ts';
import { LongNamesFolder } from './long-names.ts';
import { OtherProcesses } from './other-processes.ts';
import type { Registries } from './registries.ts';
import { readKey, SealedPlaces } from './sealed-places.ts';
import type { Upstream } from './upstream.ts';

export { CachedRegistries } from './cached-registries.ts';
export { DirectRegistries } from './direct-registries.ts';
export { EngineNames, type GatewayAddresses } from './engine-names.ts';
export type { GatewayTally } from './gateway-tally.ts';
export type { Grant, Rights } from './grants.ts';
export { listImages } from './kept-images.ts';
export type { OnHost } from './live-registry.ts';
export type { LoginAnswer } from './login.ts';
export { checkLogin } from './login.ts';
export { Mirror } from './mirror.ts';
export { type CheckLogin, MirrorLogin } from './mirror-login.ts';
export { MirrorTally } from './mirror-tally.ts';
export { allowedBy, Registries } from './registries.ts';
export { RegistryHosts } from './registry-hosts.ts';
export { RegistryProxy } from './registry-proxy.ts';
export { TagRules } from './tag-rules.ts';
export type { Upstream } from './upstream.ts';
export { warmImage } from './warm-image.ts';

/** As long as the name of a host may well be. */
const SCOPE_DIGITS = 32;
const TAG_BYTES = 4;

export interface RegistryGatewayOptions {
  readonly addresses: GatewayAddresses;
  /** The folder of the state; the gateway has one of its own in it. */
  readonly state: string;
  readonly registries: Registries;
  /** Who answers for them. */
  readonly upstream: Upstream;
  readonly onFault: (registry: string, fault: Error) => void;
}

/** Of one address. Knows nothing of who listens there: connections are given to it. */
export class RegistryGateway {
  readonly names: EngineNames;
  readonly tally = new GatewayTally();
  /** Whether it is reached at its addresses; whoever listens there says so. */
  isServed = false;
  private readonly key: Buffer;
  private readonly grants: Grants;
  private readonly gateway: Gateway;
  private readonly others: OtherProcesses;
  private registries: Registries;
  private upstream: Upstream;

  constructor({ addresses, state, registries, upstream, onFault }: RegistryGatewayOptions) {
    const folder = join(state, 'gateway');
    this.key = readKey(join(folder, 'key'));
    this.names = new EngineNames(addresses, new LongNamesFolder(join(folder, 'names')));
    const tag = randomBytes(TAG_BYTES).toString('hex');
    this.grants = new Grants(addresses.names, tag);
    this.others = new OtherProcesses(join(folder, 'processes'), tag);
    this.registries = registries;
    this.upstream = upstream;
    this.gateway = new Gateway({
      names: this.names,
      grants: this.grants,
      others: this.others,
      upstream: () => this.upstream,
      places: new SealedPlaces(this.key),
      tally: this.tally,
      onFault,
    });
  }

  /** The right of one call to use the gateway; whoever asks for it ends it. @throws Error where there are too many */
  issue(rights: Rights): Grant {
    return this.grants.issue(rights);
  }

  /** A word for a namespace or a scope of builds that is the same after a restart, and that nobody else knows. */
  scopeOf(whose: string): string {
    return createHmac('sha256', this.key).update(`scope\n${whose}`).digest('hex').slice(0, SCOPE_DIGITS);
  }

  /** Whether the configuration lets anybody use the registry. */
  isAllowed(registry: string): boolean {
    return this.registries.isAllowed(registry);
  }

  /** What `docker login` is answered, by the registry itself. */
  checkLogin(address: string, credentials: RegistryCredentials | null): Promise<LoginAnswer> {
    return checkLogin(this.registries, address, credentials);
  }

  /** After a reload. What runs goes on with what it began with. */
  use(registries: Registries, upstream: Upstream): void {
    this.registries = registries;
    this.upstream = upstream;
  }

  accept(socket: Duplex): void {
    this.gateway.accept(socket);
  }

  /** The unix socket, of mode 0600, at which other processes of the installation ask for what is for calls of this one. */
  get innerPath(): string {
    return this.others.path;
  }

  /** Takes away what processes left that were killed. */
  tidy(): Promise<void> {
    return this.others.tidy();
  }

  close(): void {
    this.gateway.close();
  }
}
