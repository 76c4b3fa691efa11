/** What one namespace has on an engine, by name and by id. */

import type { NamedKind } from '../../docker/named-things.ts';
import type { Found } from './directory.ts';

/** An id, or the beginning of one. */
const ID = /^[0-9a-f]{1,64}$/;

export class Holdings {
  private readonly byId = { container: new Map(), network: new Map(), volume: new Map() } as Readonly<
    Record<NamedKind, Map<string, Found>>
  >;
  private readonly idByName = { container: new Map(), network: new Map(), volume: new Map() } as Readonly<
    Record<NamedKind, Map<string, string>>
  >;

  get isEmpty(): boolean {
    return Object.values(this.byId).every(({ size }) => size === 0);
  }

  all(kind: NamedKind): readonly Found[] {
    return [...this.byId[kind].values()];
  }

  named(kind: NamedKind, name: string): boolean {
    return this.idByName[kind].has(name);
  }

  hasName(name: string): boolean {
    return this.named('container', name) || this.named('network', name) || this.named('volume', name);
  }

  nameOf(id: string): string | null {
    return (this.byId.container.get(id) ?? this.byId.network.get(id) ?? this.byId.volume.get(id))?.name ?? null;
  }

  put({ kind, id, name }: Found): void {
    const before = this.byId[kind].get(id);
    if (before !== undefined && this.idByName[kind].get(before.name) === id) this.idByName[kind].delete(before.name);
    this.byId[kind].set(id, { kind, id, name });
    this.idByName[kind].set(name, id);
  }

  drop(kind: NamedKind, id: string): void {
    const before = this.byId[kind].get(id);
    if (before === undefined) return;
    this.byId[kind].delete(id);
    if (this.idByName[kind].get(before.name) === id) this.idByName[kind].delete(before.name);
  }

  replace(kind: NamedKind, all: readonly Found[]): void {
    this.byId[kind].clear();
    this.idByName[kind].clear();
    for (const one of all) this.put(one);
  }

  /** As dockerd looks: the full id, the name, the beginning of one id. Volumes have names alone. */
  find(kind: NamedKind, reference: string, name: string): Found | undefined {
    const ids = this.byId[kind];
    const named = this.idByName[kind].get(name);
    if (kind === 'volume') return named === undefined ? undefined : ids.get(named);
    const whole = ids.get(reference);
    if (whole !== undefined) return whole;
    if (named !== undefined) return ids.get(named);
    const begun = this.begunBy(kind, reference);
    return begun.length === 1 ? begun[0] : undefined;
  }

  /** What has an id that begins so. */
  begunBy(kind: NamedKind, reference: string): readonly Found[] {
    if (kind === 'volume' || !ID.test(reference)) return [];
    return [...this.byId[kind].values()].filter(({ id }) => id.startsWith(reference));
  }
}
