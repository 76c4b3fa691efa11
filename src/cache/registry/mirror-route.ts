/**
 * The paths of a mirror. Whose image it is stands in `?ns=` (containerd, BuildKit), or before the name (`mirror:5351/
 * r.example.org/team/app`); what says neither is Docker Hub's, as the engines' `registry-mirrors` mean it.
 */

import { encodeHost, type Repository, readRepository } from './engine-names.ts';
import { type NamedRoute, readRoute } from './route.ts';

export type MirrorMode = 'hub' | 'ns' | 'prefix';

export type MirrorRoute =
  | { readonly kind: 'root' }
  | {
      readonly kind: 'named';
      readonly mode: MirrorMode;
      /** As the client says it. */
      readonly name: string;
      readonly repository: Repository;
      readonly route: Exclude<NamedRoute, { readonly kind: 'uploads' | 'upload' }>;
    };

const HUB = 'docker.io';

/** Null for what a mirror has not. @param query without `?` */
export function readMirrorRoute(path: string, query: string): MirrorRoute | null {
  const route = readRoute(path);
  if (route === null) return null;
  if (route.kind === 'root') return { kind: 'root' };
  if (!('name' in route) || route.kind === 'uploads' || route.kind === 'upload') return null;
  const { name, ...named } = route;
  const spaces = new URLSearchParams(query).getAll('ns');
  if (spaces.length > 1) return null;
  const [ns] = spaces;
  if (ns !== undefined) {
    const registry = ns === 'registry-1.docker.io' || ns === 'index.docker.io' ? HUB : ns;
    return found('ns', name, repositoryOf(registry, name), named);
  }
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  // No user of Docker Hub has a dot or an underline pair in the name, and every other registry has one of them.
  const prefixed = /[.]|__\d+$|^localhost$|^x_/.test(first);
  if (!prefixed) return found('hub', name, repositoryOf(HUB, name), named);
  const rest = name.slice(slash + 1);
  const meant = first === HUB && !rest.includes('/') ? `library/${rest}` : rest;
  return found('prefix', name, readRepository(`${first}/${meant}`), named);
}

function found(
  mode: MirrorMode,
  name: string,
  repository: Repository | null,
  route: Exclude<NamedRoute, { readonly kind: 'uploads' | 'upload' }>,
): MirrorRoute | null {
  return repository === null ? null : { kind: 'named', mode, name, repository, route };
}

function repositoryOf(registry: string, path: string): Repository | null {
  const component = encodeHost(registry.toLowerCase());
  return readRepository(`${component}/${path}`);
}
