/** The store of a running server: there where something is to be cached, and another one after a reload that says so. */

import { FolderStore } from '../../cache/store/index.ts';
import type { Store } from '../../cache/store.ts';
import { type Config, defaultCache } from '../../operate/config/index.ts';

interface Place {
  readonly path: string;
  readonly maxBytes: number;
}

export class KeptStore {
  #open: { readonly place: Place; readonly store: Store } | null = null;

  /** Null where nothing is cached. What was begun with one before a reload ends with it. */
  get store(): Store | null {
    return this.#open?.store ?? null;
  }

  /** @throws Error where the folder cannot be had */
  async prepare(config: Config): Promise<{
    /** Of the new configuration. */
    readonly store: Store | null;
    readonly commit: () => Promise<void>;
    readonly discard: () => void;
  }> {
    const before = this.#open;
    const place = placeOf(config);
    if (JSON.stringify(place) === JSON.stringify(before?.place ?? null)) {
      return { store: before?.store ?? null, commit: async () => {}, discard: () => {} };
    }
    const next = place === null ? null : { place, store: await openStore(place) };
    return {
      store: next?.store ?? null,
      commit: async () => {
        this.#open = next;
        await before?.store.close();
      },
      discard: () => void next?.store.close(),
    };
  }

  async close(): Promise<void> {
    await this.#open?.store.close();
    this.#open = null;
  }
}

function openStore({ path, maxBytes }: Place): Promise<Store> {
  return FolderStore.open({ folder: path, maxBytes }).catch((fault: Error) => {
    throw new Error(`cache.store ${path}: ${fault.message}`, { cause: fault });
  });
}

function placeOf({ cache, registry }: Config): Place | null {
  const settings = cache ?? (isMirror(registry) ? defaultCache() : null);
  // serve does not start with another kind of store before there is one.
  return settings?.store.kind === 'folder' ? { path: settings.store.path, maxBytes: settings.maxBytes } : null;
}

function isMirror({ mirror, proxy, impersonate }: Config['registry']): boolean {
  return mirror !== null || proxy !== null || impersonate !== null;
}
