/** Names of clients and of engines. */

export const DEFAULT_NETWORK = 'bridge';

/** What keeps images that are nobody's: no registry is called so (RFC 6761), and no namespace. */
export const KEPT_REPOSITORY = 'berthgate.invalid/kept';

const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;

/** What dockerd takes for a name of a container or volume: two characters at least. */
const CLIENT_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** For networks it would take nearly anything: one letter, and spaces too. */
const NETWORK_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9_. -]*[a-zA-Z0-9_.-])?$/;

/** An engine takes longer ones, and then fails where they become names of folders. */
const LONGEST_NAME = 200;

/** By a tag, or by a digest. */
export function isKeptName(name: string): boolean {
  return name.startsWith(`${KEPT_REPOSITORY}:`) || name.startsWith(`${KEPT_REPOSITORY}@`);
}

export function isNamespace(text: string): boolean {
  return NAMESPACE.test(text);
}

export function isClientName(kind: 'container' | 'network' | 'volume', name: string): boolean {
  return name.length <= LONGEST_NAME && (kind === 'network' ? NETWORK_NAME : CLIENT_NAME).test(name);
}

/** Null for a name of another namespace, or of none. */
export function clientName(namespace: string, name: string): string | null {
  return name.startsWith(`${namespace}.`) && name.length > namespace.length + 1
    ? name.slice(namespace.length + 1)
    : null;
}
