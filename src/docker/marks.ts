/** What a field of a request or an answer means to a proxy. A mark is a fact about Docker, never a decision. */

/** The kinds of things that Docker gives names or ids to. */
export type Kind =
  | 'container'
  | 'exec'
  | 'image'
  | 'volume'
  | 'network'
  | 'plugin'
  | 'service'
  | 'task'
  | 'node'
  | 'secret'
  | 'config'
  | 'session'
  | 'build'
  | 'checkpoint';

/**
 * How a reference is spelled: `any` of what the engine resolves (name, id, prefix of an id); only a `name`; only an
 * `id`; a name behind a slash (`/web`); a `pattern` (an unanchored regular expression or a glob).
 */
export type Spelling = 'any' | 'name' | 'id' | 'slashed' | 'pattern';

/** What a granted privilege reaches. The reason stands beside it, for the refusal and the reference pages. */
export type Reach =
  | 'root' // everything that the host's root may do
  | 'capability'
  | 'device'
  | 'host-namespace' // a namespace of the host instead of one's own
  | 'join-namespace' // a namespace of another container
  | 'confinement' // seccomp, AppArmor, SELinux, masked paths
  | 'kernel' // sysctls
  | 'runtime' // which runtime runs it, and what it is told
  | 'cgroup' // leaves or changes limits
  | 'logging' // log drivers that speak from the host
  | 'driver' // volume, network and IPAM drivers and their options
  | 'link-layer' // addresses and names on a shared network
  | 'routes' // where the host sends its packets
  | 'lifetime' // outlives the job
  | 'builder' // entitlements, frontends, outputs of builds
  | 'shared' // what everybody on the engine has in common: content of images, the build cache
  | 'cluster'; // swarm and plugins: every node

export type Mark =
  /** Concerns only the object itself: nothing of the host or of others is reached by any value. */
  | { readonly mark: 'own' }
  /** Names an existing thing. */
  | { readonly mark: 'uses'; readonly kind: Kind; readonly spelling: Spelling }
  /** Gives a name to a new thing. */
  | { readonly mark: 'makes'; readonly kind: Kind; readonly spelling: Spelling }
  /** What this thing may do, has mounted or reaches, the call reaches through it. Stands beside `uses`. */
  | { readonly mark: 'borrows' }
  /** A path on the engine's host; `mounted` where it becomes a mount of a container. */
  | { readonly mark: 'host-path'; readonly access: 'read' | 'write' | 'exists'; readonly mounted?: true }
  /** Any value that is not neutral reaches further than the object itself. */
  | { readonly mark: 'privilege'; readonly reach: Reach; readonly why: string }
  /** An amount of the host that is taken; 0 or -1 often mean without limit. */
  | { readonly mark: 'resource'; readonly unit: ResourceUnit; readonly of?: Resource }
  /** A map of labels, or a label filter. */
  | { readonly mark: 'labels' }
  /** A secret: never logged, never shown. */
  | { readonly mark: 'credential' }
  /** What the engine itself connects to, from the host's network: any address, or a `registry` by its host. */
  | { readonly mark: 'fetches'; readonly what: 'address' | 'registry' }
  /** A port or an address of the host; `ports` of a container that are opened there. */
  | { readonly mark: 'publishes'; readonly what: 'address' | 'port' | 'ports' | 'every port' }
  /** Means something in a swarm only; elsewhere it can be left out. */
  | { readonly mark: 'swarm-only' }
  /** An address, subnet or host name within networks. */
  | { readonly mark: 'address' }
  /** Environment variables `NAME=value`. */
  | { readonly mark: 'env' }
  /** In an answer: tells about the host, or about what is others'. */
  | { readonly mark: 'reveals'; readonly about: 'host' | 'others' }
  /** Free text that may speak of names: error messages, progress, warnings. `repeats`: of what a client has said earlier. */
  | { readonly mark: 'prose'; readonly repeats?: true };

export type ResourceUnit =
  | 'bytes'
  | 'nanocpus'
  | 'cpu-shares'
  | 'microseconds'
  | 'nanoseconds'
  | 'cpus'
  | 'processes'
  | 'io-weight'
  | 'count'
  | 'restarts'
  | 'ulimit'
  | 'seconds'
  | 'oom-score';

/** What of the host is limited by one number, wherever it is said. */
export type Resource =
  | 'memory'
  | 'memory-and-swap'
  | 'memory-reservation'
  | 'cpus'
  | 'cpu-quota' // of each period
  | 'cpu-period'
  | 'pids'
  | 'shm';

export const own: Mark = { mark: 'own' };
export const labels: Mark = { mark: 'labels' };
export const credential: Mark = { mark: 'credential' };
export const fetches: Mark = { mark: 'fetches', what: 'address' };
export const asksRegistry: Mark = { mark: 'fetches', what: 'registry' };
export const borrows: Mark = { mark: 'borrows' };
export const swarmOnly: Mark = { mark: 'swarm-only' };
export const address: Mark = { mark: 'address' };
export const env: Mark = { mark: 'env' };
export const prose: Mark = { mark: 'prose' };
export const repeatedProse: Mark = { mark: 'prose', repeats: true };

export function uses(kind: Kind, spelling: Spelling = 'any'): Mark {
  return { mark: 'uses', kind, spelling };
}

export function makes(kind: Kind, spelling: Spelling = 'name'): Mark {
  return { mark: 'makes', kind, spelling };
}

export function hostPath(access: 'read' | 'write' | 'exists'): Mark {
  return { mark: 'host-path', access };
}

export function mountedPath(access: 'read' | 'write'): Mark {
  return { mark: 'host-path', access, mounted: true };
}

export function publishes(what: 'address' | 'port' | 'ports' | 'every port'): Mark {
  return { mark: 'publishes', what };
}

export function privilege(reach: Reach, why: string): Mark {
  return { mark: 'privilege', reach, why };
}

export function resource(unit: ResourceUnit, of?: Resource): Mark {
  return of === undefined ? { mark: 'resource', unit } : { mark: 'resource', unit, of };
}

export function reveals(about: 'host' | 'others'): Mark {
  return { mark: 'reveals', about };
}

/** One short phrase for a mark, as the reference pages and `explain` show it. */
export function describeMark(mark: Mark): string {
  switch (mark.mark) {
    case 'own':
      return 'concerns only the object itself';
    case 'uses':
      return `names ${article(mark.kind)}${spelled(mark.spelling)}`;
    case 'makes':
      return `gives a name to ${article(mark.kind)}${spelled(mark.spelling)}`;
    case 'borrows':
      return 'lends what it may do and has mounted';
    case 'host-path':
      return `a path of the host (${mark.access})`;
    case 'privilege':
      return `privilege (${mark.reach}): ${mark.why}`;
    case 'resource':
      return `takes of the host (${mark.unit})`;
    case 'labels':
      return 'labels';
    case 'credential':
      return 'a secret';
    case 'fetches':
      return 'the engine connects to it';
    case 'publishes':
      return 'a port or address of the host';
    case 'swarm-only':
      return 'for a swarm only';
    case 'address':
      return 'an address or host name inside networks';
    case 'env':
      return 'environment';
    case 'reveals':
      return mark.about === 'host' ? 'tells about the host' : "tells about others'";
    case 'prose':
      return 'text that may speak of names';
  }
}

function article(kind: Kind): string {
  return /^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}

function spelled(spelling: Spelling): string {
  switch (spelling) {
    case 'any':
      return '';
    case 'name':
      return ' by name';
    case 'id':
      return ' by id';
    case 'slashed':
      return ' by /name';
    case 'pattern':
      return ' by pattern';
  }
}
