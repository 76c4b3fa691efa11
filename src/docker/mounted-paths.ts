/** Paths of the host that become mounts: as the engine reads them, and read-only. */

import { isObject, type Json } from '../ground/json.ts';
import { type JsonPath, valueAt } from '../ground/json-path.ts';

/** As Go's path.Clean makes it; null for what is not absolute, or steps upwards, where links decide what is meant. */
export function cleanPath(path: string): string | null {
  if (!path.startsWith('/')) return null;
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return parts.includes('..') || path.includes('\0') ? null : `/${parts.join('/')}`;
}

/** Whole components: `/srv/cache` holds `/srv/cache/a`, and not `/srv/cache2`. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || folder === '/' || path.startsWith(`${folder}/`);
}

/** A bind (`/a:/b:rw,z`) that is read-only. */
function readOnlyBind(bind: string): string {
  const [source = '', target = '', words] = bind.split(':');
  const kept = (words ?? '').split(',').filter((word) => !['', 'rw', 'ro'].includes(word));
  return `${source}:${target}:${['ro', ...kept].join(',')}`;
}

/** A mount that is read-only, with what is mounted below it; itself where it is. */
function readOnlyMount(mount: Json): Json {
  if (!isObject(mount)) return mount;
  const options = mount.BindOptions ?? null;
  const leavesBelow = isObject(options) && options.ReadOnlyNonRecursive === true;
  if (mount.ReadOnly === true && !leavesBelow) return mount;
  const bindOptions = leavesBelow ? { BindOptions: { ...options, ReadOnlyNonRecursive: false } } : {};
  return { ...mount, ...bindOptions, ReadOnly: true };
}

/** Where the path of a mount's source leads: to a bind, which is a text, or to the source of a mount. */
function mountPath(document: Json, path: JsonPath): JsonPath {
  return path.at(-1) === 'Source' && isObject(valueAt(document, path.slice(0, -1))) ? path.slice(0, -1) : path;
}

/** Whether the mount whose source stands there is read-only, all of it. */
export function holdsReadOnly(document: Json, path: JsonPath): boolean {
  const mount = valueAt(document, mountPath(document, path));
  return isObject(mount) && readOnlyMount(mount) === mount;
}

/** The same with that mount read-only. */
export function makeReadOnly(document: Json, path: JsonPath): { readonly path: JsonPath; readonly to: Json } {
  const place = mountPath(document, path);
  const mount = valueAt(document, place);
  return { path: place, to: typeof mount === 'string' ? readOnlyBind(mount) : readOnlyMount(mount) };
}

/** The places where clients look for the engine. */
export function engineSocketPath(path: string): boolean {
  return /(^|\/)docker\.sock\/?$/.test(path);
}
