/** What namespaces need of a registry gateway, whoever made it. */

import type { ImageReference } from '../../docker/image-reference.ts';
import type { RegistryCredentials } from '../../docker/registry-credentials.ts';
import type { Json } from '../../ground/json.ts';

export interface ImageRepository {
  /** As clients name it: `docker.io`, `r.example.org:5000`. */
  readonly registry: string;
  readonly path: string;
}

export interface ImageRights {
  readonly namespace: string;
  readonly pull: readonly ImageRepository[] | 'every';
  readonly push: readonly ImageRepository[];
  readonly credentials: (registry: string) => RegistryCredentials | null | Promise<RegistryCredentials | null>;
}

/** `identity`: what to show instead of the password from now on; empty for none. */
export type LoginAnswer =
  | { readonly status: 200; readonly identity: string }
  | { readonly status: 401 | 403 | 500; readonly message: string };

/** The right of one call; whoever asks for one ends it. */
export interface ImageGrant {
  readonly capability: string;
  readonly registryAuth: Json;
  readonly registryConfig: Json;
  end(): void;
}

export interface ImageGateway {
  /** Whether it is reached at its addresses: names with them are ours alone. */
  readonly isServed: boolean;
  readonly names: {
    /** `names`: `127.0.0.1:5350`, what images are called by. */
    readonly addresses: { readonly names: string; readonly builds: string };
    toEngine(namespace: string, reference: ImageReference): ImageReference;
    toClient(namespace: string, reference: ImageReference): ImageReference | null;
    prefixOf(namespace: string): string;
    locate(path: string): { readonly owner: string; readonly repository: ImageRepository } | null;
  };
  issue(rights: ImageRights): ImageGrant;
  /** Whether the configuration lets anybody use the registry. */
  isAllowed(registry: string): boolean;
  /** What `docker login` is answered. `address`: as clients say it, nothing for Docker Hub. */
  checkLogin(address: string, credentials: RegistryCredentials | null): Promise<LoginAnswer>;
  /** A word that nobody else knows, for a namespace or a scope of builds: what it salts is its own. */
  scopeOf(whose: string): string;
}

/** Of one listener. */
export interface ImageSettings {
  /** Null where the engine has none: then there are shared images alone. */
  readonly gateway: ImageGateway | null;
  /** Patterns of the engine's own images that every namespace may use. */
  readonly shared: readonly string[];
}
