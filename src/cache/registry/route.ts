/** The paths of the OCI distribution specification, as engines ask the gateway. What is written in another way is none of them. */

import { isDigest, isTag } from '../../docker/image-reference.ts';

export type Route =
  | { readonly kind: 'root' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'token' }
  /** `name`: the repository as the engine knows it, `alice/docker.io/library/debian`. */
  | ({ readonly name: string } & NamedRoute);

export type NamedRoute =
  | { readonly kind: 'manifest'; readonly reference: string }
  | { readonly kind: 'blob'; readonly digest: string }
  | { readonly kind: 'uploads' }
  | { readonly kind: 'upload'; readonly sealed: string }
  | { readonly kind: 'tags' }
  | { readonly kind: 'referrers'; readonly digest: string };

export type RouteKind = Route['kind'];

const METHODS: Readonly<Record<RouteKind, readonly string[]>> = {
  root: ['GET', 'HEAD'],
  catalog: ['GET'],
  token: ['GET', 'POST'],
  manifest: ['GET', 'HEAD', 'PUT', 'DELETE'],
  blob: ['GET', 'HEAD', 'DELETE'],
  uploads: ['POST'],
  upload: ['GET', 'PATCH', 'PUT', 'DELETE'],
  tags: ['GET'],
  referrers: ['GET'],
};

/** Nothing that is encoded, and nothing that a path would be cleaned of. */
const PATH = /^\/v2\/([a-z0-9][a-z0-9._/-]*)\/(manifests|blobs|tags|referrers)\/([A-Za-z0-9_.:/-]*)$/;

/** @param path without its query. Null for what is not in the specification. */
export function readRoute(path: string): Route | null {
  if (path === '/v2/' || path === '/v2') return { kind: 'root' };
  if (path === '/v2/_catalog') return { kind: 'catalog' };
  if (path === '/token') return { kind: 'token' };
  const [, name, what, rest] = PATH.exec(path) ?? [];
  if (name === undefined || what === undefined || rest === undefined) return null;
  const route = readNamed(what, rest);
  return route === null ? null : { name, ...route };
}

export function takesMethod({ kind }: Route, method: string): boolean {
  return METHODS[kind].includes(method);
}

/** Whether a request changes what the registry has. */
export function isPush({ kind }: Route, method: string): boolean {
  return kind === 'upload' || kind === 'uploads' || method === 'PUT' || method === 'DELETE';
}

function readNamed(what: string, rest: string): NamedRoute | null {
  switch (what) {
    case 'manifests':
      return isTag(rest) || isDigest(rest) ? { kind: 'manifest', reference: rest } : null;
    case 'tags':
      return rest === 'list' ? { kind: 'tags' } : null;
    case 'referrers':
      return isDigest(rest) ? { kind: 'referrers', digest: rest } : null;
    default: {
      if (isDigest(rest)) return { kind: 'blob', digest: rest };
      if (rest === 'uploads/' || rest === 'uploads') return { kind: 'uploads' };
      const sealed = /^uploads\/([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/.exec(rest)?.[1];
      return sealed === undefined ? null : { kind: 'upload', sealed };
    }
  }
}
