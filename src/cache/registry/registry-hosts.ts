/**
 * The hosts that registries send clients to, for credentials and for blobs, as they were seen: where names of registries lead
 * here by DNS, a host that is new may be one that nobody has thought of. It is told once, also after a restart.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';

export type HostKind = 'auth' | 'blobs';

/** @param before the hosts that were known */
export type OnNewHost = (registry: string, kind: HostKind, host: string, before: readonly string[]) => void;

const MOST_HOSTS = 50;

export class RegistryHosts {
  private readonly file: string;
  private readonly onNew: OnNewHost;
  /** By `KIND REGISTRY`, the newest last. */
  private readonly known: Map<string, readonly string[]>;

  constructor(file: string, onNew: OnNewHost) {
    this.file = file;
    this.onNew = onNew;
    this.known = new Map(Object.entries(readKnown(file)));
  }

  /** The first one of a kind is no news. @throws Error of the disk */
  saw(registry: string, kind: HostKind, host: string): void {
    const key = `${kind} ${registry}`;
    const before = this.known.get(key) ?? [];
    if (before.includes(host)) return;
    this.known.set(key, [...before, host].slice(-MOST_HOSTS));
    if (before.length > 0) this.onNew(registry, kind, host, before);
    const unfinished = `${this.file}.${process.pid}`;
    writeFileSync(unfinished, JSON.stringify(Object.fromEntries(this.known)), { mode: 0o600 });
    renameSync(unfinished, this.file);
  }
}

function readKnown(file: string): Readonly<Record<string, readonly string[]>> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw fault;
  }
  return asKnown(text);
}

/** What somebody has spoiled is begun anew: it decides nothing. */
function asKnown(text: string): Readonly<Record<string, readonly string[]>> {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return {};
  }
  const entries = Object.entries((read ?? {}) as Readonly<Record<string, unknown>>);
  return Object.fromEntries(entries.map(([key, hosts]) => [key, Array.isArray(hosts) ? hosts.map(String) : []]));
}
