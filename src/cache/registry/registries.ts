/** The registries that there are, by the configuration: where each is, whom it trusts, and which may be used. */

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { type RegistryCredentials, readCredentials, registryUrlOf } from '../../docker/registry-credentials.ts';
import { compileGlob } from '../../ground/glob.ts';
import type { Json } from '../../ground/json.ts';
import type { Config } from '../../operate/config/index.ts';
import type { Out, WayOut } from '../../wire/way-out.ts';
import { Absences } from './absences.ts';
import { OciError } from './oci-error.ts';

export interface Registry {
  /** In lower case: `docker.io`. */
  readonly host: string;
  /** Without a slash at the end. */
  readonly url: URL;
  readonly out: Out;
  /** An account whose quota is used for what everybody may pull; null where there is none. */
  readonly own: RegistryCredentials | null;
  /** Hosts beside its own domain whose realm gets credentials. */
  readonly realms: readonly string[];
  /** What we leave on the way to it. */
  readonly ownName: string;
  readonly absences: Absences;
}

/** Whoever waits for an image shall know within two seconds that the registry is not there. A lost packet is sent again after one. */
const CONNECT_MS = 1500;

/** Whether a registry, as images name it, may be used by the patterns of the configuration. */
export function allowedBy(patterns: readonly string[]): (registry: string) => boolean {
  const globs = patterns.map((pattern) => compileGlob(pattern));
  return (registry) => globs.some((matches) => matches(registry.toLowerCase()));
}

const HUB = 'docker.io';

type UpstreamConfig = Config['registry']['upstreams'][number];

export class Registries {
  /** Whether the configuration lets anybody use it. */
  readonly isAllowed: (name: string) => boolean;
  private readonly named: ReadonlyMap<string, Registry>;
  private readonly others: Out;
  private readonly absences = new Absences();
  private readonly ownName = `berthgate-${randomBytes(6).toString('hex')}`;

  /** @throws Error for a file that cannot be read */
  constructor({ upstreams, allow }: Pick<Config['registry'], 'upstreams' | 'allow'>, wayOut: WayOut) {
    const { ownName, absences } = this;
    this.isAllowed = allowedBy(allow);
    this.named = new Map(upstreams.map((one) => [one.host, readUpstream(one, wayOut, { ownName, absences })]));
    this.others = wayOut.to({ connectMs: CONNECT_MS });
  }

  /**
   * The registry that clients reach at a host and a port, of those that the configuration names, and Docker Hub; null for
   * any other host. @param host in lower case
   */
  onWire(host: string, port: number): Registry | null {
    const named = [...this.named.keys(), HUB].find((name) => wireName(name) === `${host}:${port}`);
    return named === undefined ? null : this.find(named);
  }

  /** Whether the configuration names it; Docker Hub is named always. */
  isNamed(name: string): boolean {
    return name === HUB || this.named.has(name);
  }

  /** The hosts that `onWire` knows, without those that are addresses. */
  wireHosts(): readonly string[] {
    const hosts = [...this.named.keys(), HUB].map((name) => wireName(name).replace(/:\d+$/, ''));
    return [...new Set(hosts)].filter((host) => isIP(host) === 0 && !host.startsWith('['));
  }

  /** Whether a host is where one of them asks for credentials: clients go there by themselves. */
  isRealm(host: string, port: number): boolean {
    // A realm that is elsewhere is said with its port (`realms`).
    const url = new URL(`https://${host}:${port}`);
    if (url.port !== '' && !this.saysRealm(url.host)) return false;
    return [...this.named.keys(), HUB].some((name) => this.isAllowed(name) && isOwnRealm(this.find(name), url));
  }

  private saysRealm(host: string): boolean {
    return [...this.named.values()].some(({ realms }) => realms.includes(host));
  }

  /** @param name as images say it @throws OciError for one that may not be used */
  find(name: string): Registry {
    const host = name.toLowerCase();
    if (!this.isAllowed(host)) throw new OciError('DENIED', `the registry ${name} may not be used here`);
    const named = this.named.get(host);
    if (named !== undefined) return named;
    const { ownName, absences } = this;
    return { host, url: new URL(registryUrlOf(host)), out: this.others, own: null, realms: [], ownName, absences };
  }
}

/** `registry-1.docker.io:443` of `docker.io`, where it is reached by its own name. */
function wireName(name: string): string {
  const { hostname, port } = new URL(registryUrlOf(name));
  return `${hostname}:${port === '' ? 443 : port}`;
}

/** Whether a registry's realm may be shown credentials: it is of the registry's own domain (RED-TEAM 64). */
export function isOwnRealm({ url, realms }: Registry, realm: URL): boolean {
  const host = realm.hostname;
  const own = url.hostname;
  if (host === own || realms.includes(host) || realms.includes(realm.host)) return true;
  if (isIP(own) !== 0 || own.startsWith('[')) return false;
  // registry-1.docker.io and auth.docker.io; ghcr.io has no domain of its own above it.
  const labels = own.split('.');
  const domain = labels.length > 2 ? labels.slice(1).join('.') : own;
  return domain.includes('.') && (host === domain || host.endsWith(`.${domain}`));
}

/** Whether a registry may send us there: never from TLS to what everybody can read. */
export function maySendTo({ url }: Registry, target: URL): boolean {
  return target.protocol === 'https:' || (target.protocol === 'http:' && url.protocol === 'http:');
}

function readUpstream(
  { host, url, ca, credentials, private: guarded, realms }: UpstreamConfig,
  wayOut: WayOut,
  { ownName, absences }: Pick<Registry, 'ownName' | 'absences'>,
): Registry {
  const named = new URL(url ?? registryUrlOf(host));
  const own = wireName(host).replace(/:\d+$/, '');
  const destination = {
    named,
    connectMs: CONNECT_MS,
    ...(isIP(own) === 0 && !own.startsWith('[') ? { certifiedAs: own } : {}),
    ...(ca === undefined ? {} : { ca: [readFileSync(ca, 'utf8')] }),
  };
  const account = credentials === undefined || guarded ? null : readOwn(credentials);
  return { host, url: named, out: wayOut.to(destination), own: account, realms, ownName, absences };
}

/** As clients say them: `{"username": "…", "password": "…"}`. */
function readOwn(file: string): RegistryCredentials {
  const own = readCredentials(JSON.parse(readFileSync(file, 'utf8')) as Json);
  if (own === null) throw new Error(`${file}: holds no username and password`);
  return own;
}
