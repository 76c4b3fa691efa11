/** What must hold between the parts of a configuration: names that are referred to, and settings that need or exclude each other. */

import type { Path } from './faults.ts';
import { formatAddress } from './schema/addresses.ts';
import type { Config, EngineConfig, ListenerConfig, ServerTls } from './schema/config.ts';
import { placeholdersOf } from './schema/names.ts';
import { type Implemented, type PluginUse, readsAsModule } from './schema/plugin-use.ts';
import { didYouMean } from './suggest.ts';

const DAY_MS = 24 * 3_600_000;

/** Says what is wrong at a path; the words follow the place. */
export type Objecting = (path: Path, message: string) => void;

/** A part that may hold faults of its own: what is not as it should be is absent. */
type Partly<T> = { readonly [Key in keyof T]?: T[Key] | undefined };

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The maps of a list, each with its place, whatever else stands there. */
function mapsOf<T>(list: readonly T[] | undefined): readonly (readonly [number, Partly<T>])[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((entry: T, i) => (isMap(entry) ? [[i, entry] as const] : []));
}

/** Runs over what the schema could read, also when it found faults elsewhere, so that all are told at once. */
export function checkAgreement(config: Partly<Config>, known: Implemented, object: Objecting): void {
  if (!isMap(config)) return;
  const engines = mapsOf(config.engines);
  const listeners = mapsOf(config.listeners);
  refuseDoubles(engines, 'engines', 'name', (engine) => engine.name, object);
  refuseDoubles(listeners, 'listeners', 'name', (listener) => listener.name, object);
  refuseDoubles(listeners, 'listeners', 'url', ({ url }) => (reusable(url) ? undefined : addressText(url)), object);
  for (const [i, engine] of engines) checkEngine(engine, ['engines', i], object);
  for (const [i, listener] of listeners) checkListener(listener, ['listeners', i], known, object);
  const names = engines.map(([, engine]) => engine.name).filter((name) => typeof name === 'string');
  for (const [i, listener] of listeners) checkEngineOf(listener, names, ['listeners', i], object);
  for (const [i, listener] of listeners) checkJobSocket(listener, engines, ['listeners', i, 'jobSocket'], object);
  checkCache(config.cache, object);
  checkAdmin(config.admin, known, object);
  const gc = config.gc;
  if (isMap(gc) && typeof gc.idleNamespaces === 'number' && gc.idleNamespaces < DAY_MS) {
    // Only the beginning of a call is known, and a build may take hours.
    object(['gc', 'idleNamespaces'], 'must be a day at least');
  }
  if (isMap(gc) && typeof gc.low === 'number' && typeof gc.high === 'number' && gc.low >= gc.high) {
    object(['gc', 'low'], 'must be less than `high`');
  }
}

function addressText(url: ListenerConfig['url'] | undefined): string | undefined {
  return isMap(url) && 'kind' in url ? formatAddress(url) : undefined;
}

/** Port 0 is another port each time. */
function reusable(url: ListenerConfig['url'] | undefined): boolean {
  return isMap(url) && url.kind === 'tcp' && url.port === 0;
}

function refuseDoubles<T>(
  entries: readonly (readonly [number, Partly<T>])[],
  list: string,
  key: string,
  read: (entry: Partly<T>) => string | undefined,
  object: Objecting,
): void {
  const first = new Map<string, number>();
  for (const [i, entry] of entries) {
    const value = read(entry);
    if (typeof value !== 'string') continue;
    const before = first.get(value);
    if (before === undefined) first.set(value, i);
    else object([list, i, key], `${JSON.stringify(value)} is already the ${key} of ${list}[${before}]`);
  }
}

function checkEngine(engine: Partly<EngineConfig>, path: Path, object: Objecting): void {
  if (!isMap(engine.tls)) return;
  if (engine.url?.kind === 'unix') object([...path, 'tls'], 'a unix socket has no TLS');
  const { cert, key } = engine.tls;
  if (cert !== undefined && key === undefined) object([...path, 'tls'], '`cert` needs its `key`');
  if (cert === undefined && key !== undefined) object([...path, 'tls'], '`key` needs its `cert`');
}

function checkEngineOf(
  listener: Partly<ListenerConfig>,
  engines: readonly string[],
  path: Path,
  object: Objecting,
): void {
  const name = listener.engine;
  if (typeof name === 'string' && !engines.includes(name)) {
    const meant = didYouMean(name, engines);
    object([...path, 'engine'], `there is no engine ${JSON.stringify(name)}${meant}`);
  }
  if (name === undefined && listener.namespace === null && engines.length > 1) {
    object(path, `without a namespace nothing chooses among ${engines.length} engines: name one with \`engine\``);
  }
}

function checkJobSocket(
  { jobSocket, namespace, engine: named }: Partly<ListenerConfig>,
  engines: readonly (readonly [number, Partly<EngineConfig>])[],
  path: Path,
  object: Objecting,
): void {
  if (!isMap(jobSocket)) return;
  if (namespace === null) object(path, 'needs a `namespace`: a socket belongs to the container of somebody');
  if (typeof namespace === 'string' && jobSocket.namespace === 'owner') {
    const label = placeholdersOf(namespace).find((placeholder) => placeholder.startsWith('label.'));
    if (label !== undefined) object([...path, 'namespace'], `\`owner\` is not for namespaces that {${label}} chooses`);
  }
  const [, engine] = engines.find(([, { name }]) => named === undefined || name === named) ?? [];
  if (engine !== undefined && engine.url?.kind === 'tcp') {
    object(path, 'needs an engine at the same host (unix://): the socket is a file that it mounts');
  }
}

function checkListener(listener: Partly<ListenerConfig>, path: Path, known: Implemented, object: Objecting): void {
  const kind = listener.url?.kind;
  if (kind === 'tcp' || kind === 'fd') {
    for (const key of ['mode', 'owner', 'group'] as const) {
      if (listener[key] !== undefined) object([...path, key], `is for unix:// only, and this listener is ${kind}://`);
    }
  }
  checkTls(listener.tls, kind, path, object);
  const certificates = asksForCertificates(listener.tls);
  checkUses(listener.auth, 'auth', known.auth, path, object);
  checkUses(listener.policies, 'policies', known.policies, path, object);
  if (isMap(listener.jobSocket)) {
    checkUses(listener.jobSocket.policies, 'policies', known.policies, [...path, 'jobSocket'], object);
  }
  for (const [i, { use }] of mapsOf(listener.auth)) {
    if (use === 'peer' && kind === 'tcp') object([...path, 'auth', i], 'peer is for unix sockets only: TCP has no uid');
    if (use === 'client-cert' && kind !== undefined && !certificates) {
      object([...path, 'auth', i], 'client-cert needs `tls` with a `clientCa`');
    }
  }
  if (isMap(listener.trust) && kind !== undefined && !certificates) {
    object([...path, 'trust'], 'needs `tls` with a `clientCa`: a front instance is known by its certificate');
  }
  const template = listener.namespace;
  if (typeof template === 'string' && listener.trustLabels === false) {
    const label = placeholdersOf(template).find((placeholder) => placeholder.startsWith('label.'));
    if (label !== undefined) object([...path, 'namespace'], `{${label}} needs \`trustLabels: true\``);
  }
  checkNetworks(listener.networks, [...path, 'networks'], object);
  const scope = isMap(listener.builds) ? listener.builds.cacheScope : null;
  if (typeof scope === 'string' && placeholdersOf(scope).some((placeholder) => placeholder.startsWith('label.'))) {
    object([...path, 'builds', 'cacheScope'], 'a build says no label');
  }
  if (template !== null) return;
  for (const key of ['ports', 'networks'] as const) {
    if (isMap(listener[key])) object([...path, key], 'is for a listener with a `namespace`');
  }
}

function asksForCertificates(tls: Partly<ServerTls> | undefined): boolean {
  return isMap(tls) && tls.clientCa !== undefined && tls.clientCert !== 'none';
}

function checkTls(tls: Partly<ServerTls> | undefined, kind: string | undefined, path: Path, object: Objecting): void {
  if (!isMap(tls)) return;
  if (kind === 'unix') object([...path, 'tls'], 'a unix socket has no TLS');
  if (tls.clientCa === undefined && (tls.clientCert === 'require' || tls.clientCert === 'optional')) {
    object([...path, 'tls', 'clientCert'], 'needs a `clientCa`');
  }
}

function checkUses(
  uses: readonly PluginUse[] | undefined,
  list: 'auth' | 'policies',
  known: readonly string[],
  path: Path,
  object: Objecting,
): void {
  const what = list === 'auth' ? 'authenticator' : 'policy';
  for (const [i, { use }] of mapsOf(uses)) {
    if (typeof use !== 'string' || readsAsModule(use) || known.includes(use)) continue;
    object([...path, list, i], `unknown ${what} \`${use}\`${didYouMean(use, known)}`);
  }
}

/** Networks that every engine has, or that would be the host's own. */
const UNSHARED: ReadonlySet<string> = new Set(['bridge', 'default', 'host', 'none']);
const LONGEST_4 = 30;
const PREFIX_6 = 64;

function checkNetworks(networks: ListenerConfig['networks'] | undefined, path: Path, object: Objecting): void {
  if (!isMap(networks)) return;
  const { size, pools, shared } = networks;
  if (typeof size === 'number' && size > LONGEST_4) {
    const what = `a network of ipv4 with room for a container has at most ${LONGEST_4} bits of prefix`;
    object([...path, 'size'], what);
  }
  const read = mapsOf(pools);
  for (const [i, { family, prefix }] of read) {
    const one = family === 'ipv6' ? PREFIX_6 : size;
    if (typeof prefix !== 'number' || typeof one !== 'number' || one >= prefix) continue;
    const what = family === 'ipv6' ? `of a /${PREFIX_6}` : `of \`size\` ${one}`;
    object([...path, 'pools', i], `is smaller than one network ${what}`);
  }
  if (read.length > 0 && read.every(([, { family }]) => family === 'ipv6')) {
    object([...path, 'pools'], 'has no pool of ipv4, which every network needs');
  }
  for (const [i, name] of (Array.isArray(shared) ? shared : []).entries()) {
    if (UNSHARED.has(name)) object([...path, 'shared', i], `${name} is a network that nobody can share`);
  }
}

function checkCache(cache: Config['cache'] | undefined, object: Objecting): void {
  if (!isMap(cache)) return;
  const { address, passAddress, ca } = cache;
  if (Array.isArray(address) && Array.isArray(passAddress)) {
    for (const [i, one] of passAddress.entries()) {
      if (address.includes(one)) object(['cache', 'passAddress', i], 'is among `address` already');
    }
  }
  if (isMap(ca) && typeof ca.life === 'number' && typeof ca.rotate === 'number' && ca.rotate >= ca.life) {
    object(['cache', 'ca', 'rotate'], 'must be less than `life`');
  }
}

function checkAdmin(admin: Config['admin'] | undefined, known: Implemented, object: Objecting): void {
  if (!isMap(admin)) return;
  const kind = isMap(admin.url) ? admin.url.kind : undefined;
  const noAuth = !Array.isArray(admin.auth) || admin.auth.length === 0;
  checkTls(admin.tls, kind, ['admin'], object);
  checkUses(admin.auth, 'auth', known.auth, ['admin'], object);
  if (kind === 'tcp' && (admin.tls === undefined || noAuth)) {
    object(['admin', 'url'], 'over TCP it needs `tls` and `auth`');
  }
}
