/** The store of a running server: there where something is to be cached, and another one after a reload that says so. */

import { join } from 'node:path';
import { BucketStore, FolderStore } from '../../cache/store/index.ts';
import type { Store } from '../../cache/store.ts';
import { type Config, defaultCache, type LoadedConfig } from '../../operate/config/index.ts';
import { WayOut } from '../../wire/way-out.ts';
import { bucketAccess } from './bucket-access.ts';
import { siteOf } from './site.ts';

type Settings = Pick<NonNullable<Config['cache']>, 'store' | 'maxBytes'>;

interface Opened {
  /** The settings, as text. */
  readonly said: string;
  readonly store: Store;
  /** Where it is reached over one. */
  readonly wayOut: WayOut | null;
}

export class KeptStore {
  #open: Opened | null = null;

  /** Null where nothing is cached. What was begun with one before a reload ends with it. */
  get store(): Store | null {
    return this.#open?.store ?? null;
  }

  /** @throws Error where the folder or the bucket cannot be had */
  async prepare(loaded: LoadedConfig): Promise<{
    /** Of the new configuration. */
    readonly store: Store | null;
    readonly commit: () => Promise<void>;
    readonly discard: () => void;
  }> {
    const before = this.#open;
    const settings = settingsOf(loaded.config);
    const said = settings === null ? null : JSON.stringify([settings, loaded.config.outbound]);
    if (said === (before?.said ?? null)) {
      return { store: before?.store ?? null, commit: async () => {}, discard: () => {} };
    }
    const next = settings === null || said === null ? null : { said, ...(await openStore(settings, loaded)) };
    return {
      store: next?.store ?? null,
      commit: async () => {
        this.#open = next;
        await close(before);
      },
      discard: () => void close(next),
    };
  }

  async close(): Promise<void> {
    const before = this.#open;
    this.#open = null;
    await close(before);
  }
}

async function close(opened: Opened | null): Promise<void> {
  await opened?.store.close();
  await opened?.wayOut?.close();
}

async function openStore({ store, maxBytes }: Settings, loaded: LoadedConfig): Promise<Omit<Opened, 'said'>> {
  if (store.kind === 'folder') {
    return { store: await named(store.path, FolderStore.open({ folder: store.path, maxBytes })), wayOut: null };
  }
  const where = `s3://${store.bucket}${store.prefix === '' ? '' : `/${store.prefix}`}`;
  const wayOut = new WayOut(siteOf(loaded));
  const opening = async (): Promise<Store> => {
    const access = bucketAccess(store.bucket, process.env);
    return BucketStore.open({
      ...access,
      out: wayOut.to({ named: access.url, proxied: true }),
      prefix: store.prefix,
      fills: join(loaded.config.state, 'fills'),
      maxBytes,
    });
  };
  try {
    return { store: await named(where, opening()), wayOut };
  } catch (fault) {
    await wayOut.close();
    throw fault;
  }
}

async function named(where: string, opening: Promise<Store>): Promise<Store> {
  return opening.catch((fault: Error) => {
    throw new Error(`cache.store ${where}: ${fault.message}`, { cause: fault });
  });
}

function settingsOf({ cache, registry }: Config): Settings | null {
  const settings = cache ?? (isMirror(registry) ? defaultCache() : null);
  return settings === null ? null : { store: settings.store, maxBytes: settings.maxBytes };
}

function isMirror({ mirror, login, proxy, impersonate }: Config['registry']): boolean {
  return mirror !== null || login !== null || proxy !== null || impersonate !== null;
}
