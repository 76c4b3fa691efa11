/** What a thing that is there already gives to those who use it, as the request that would make it now. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';
import { Refusal } from '../ground/refusal.ts';
import type { Endpoint } from './endpoint.ts';
import type { Kind } from './marks.ts';
import { table } from './table.ts';

/** How a thing is asked about, and which endpoint makes one. */
export interface Lender {
  readonly inspect: string;
  readonly parameter: string;
  readonly maker: Endpoint;
  /** dockerd's own words for one that is not there; null where the use of it makes it. */
  readonly missing: ((reference: string) => string) | null;
  /** The same for the beginning of several ids; absent where nothing is found by one. */
  readonly ambiguous?: (reference: string, matches: number) => string;
}

/** What the engine fills in where a create says nothing. */
export interface EngineDefaults {
  readonly runtime: string;
  /** Cgroups of the first generation. */
  readonly oldCgroups: boolean;
}

export const lenders: Partial<Record<Kind, Lender>> = {
  container: {
    inspect: 'ContainerInspect',
    parameter: 'id',
    maker: endpointOf('ContainerCreate'),
    missing: (reference) => `No such container: ${reference}`,
    ambiguous: (reference) => `multiple IDs found with provided prefix: ${reference}`,
  },
  exec: {
    inspect: 'ExecInspect',
    parameter: 'id',
    maker: endpointOf('ContainerExec'),
    missing: (reference) => `No such exec instance: ${reference}`,
  },
  network: {
    inspect: 'NetworkInspect',
    parameter: 'id',
    maker: endpointOf('NetworkCreate'),
    missing: (reference) => `network ${reference} not found`,
    ambiguous: (reference, matches) => `${matches} matches found based on ID prefix: network ${reference} is ambiguous`,
  },
  volume: { inspect: 'VolumeInspect', parameter: 'name', maker: endpointOf('VolumeCreate'), missing: null },
};

/** What is not there, in dockerd's words; `endpoint`: of the call that names it. */
export function absence(kind: Kind, reference: string, endpoint?: Endpoint): Refusal {
  const words = lenders[kind]?.missing?.(reference) ?? `get ${reference}: no such ${kind}`;
  // For 404 clients pull the image of the container, and ask again (docker/cli, container/create.go).
  return new Refusal(endpoint?.id === 'ContainerCreate' ? 'absent-in-create' : 'not-found', words);
}

function endpointOf(id: string): Endpoint {
  return table.find((endpoint) => endpoint.id === id) as Endpoint;
}

/** Networks that every engine has: what they reach is said by their name. */
const predefined = new Set(['default', 'bridge', 'none']);

export function isPredefined(kind: Kind, reference: string): boolean {
  return kind === 'network' && predefined.has(reference);
}

/** The full id of what was inspected, or its name where it has no id. */
export function idOf(inspection: JsonObject): string {
  const { Id: id, ID: execId, Name: name } = inspection;
  return [id, execId, name].find((one) => typeof one === 'string' && one !== '') as string;
}

/** The body that would make the same again, with nothing in it that the engine fills in by itself. */
export function requestFor(kind: Kind, inspection: JsonObject, defaults: EngineDefaults): JsonObject {
  switch (kind) {
    case 'container':
      return containerRequest(inspection, defaults);
    case 'exec':
      return { Privileged: at(inspection.ProcessConfig, 'privileged') };
    case 'network':
      return predefined.has(String(inspection.Name)) ? {} : networkRequest(inspection);
    default:
      return { Driver: inspection.Driver ?? null, DriverOpts: inspection.Options ?? null };
  }
}

/** The container of an exec; null for everything else. */
export function containerOf(kind: Kind, inspection: JsonObject): string | null {
  return kind === 'exec' && typeof inspection.ContainerID === 'string' ? inspection.ContainerID : null;
}

/** What engines since 18.09 mask and let be read only, at least; newer ones add to it (moby, oci/defaults.go). */
const masked = '/proc/acpi /proc/kcore /proc/keys /proc/latency_stats /proc/scsi /proc/sched_debug /proc/timer_list';
const readOnly = '/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger';

function containerRequest(inspection: JsonObject, { runtime, oldCgroups }: EngineDefaults): JsonObject {
  const hostConfig = isObject(inspection.HostConfig ?? null) ? (inspection.HostConfig as JsonObject) : {};
  const { MaskedPaths: maskedPaths = null, ReadonlyPaths: readonlyPaths = null } = hostConfig;
  const mounts = isList(inspection.Mounts ?? null) ? (inspection.Mounts as readonly Json[]) : [];
  return {
    // The image may have said it.
    WorkingDir: at(inspection.Config, 'WorkingDir'),
    HostConfig: {
      ...hostConfig,
      MaskedPaths: holds(maskedPaths, masked) ? null : maskedPaths,
      ReadonlyPaths: holds(readonlyPaths, readOnly) ? null : readonlyPaths,
      Runtime: hostConfig.Runtime === runtime ? '' : (hostConfig.Runtime ?? null),
      // Where nobody chose, the engine did: that is how it is set up.
      CgroupnsMode: oldCgroups ? '' : (hostConfig.CgroupnsMode ?? null),
      // What another container gave stands among the mounts, also when that container is gone.
      VolumesFrom: null,
      Links: null,
      Mounts: [
        ...(isList(hostConfig.Mounts ?? null) ? (hostConfig.Mounts as readonly Json[]) : []),
        ...mounts.map(mountRequest),
      ],
    },
  };
}

function mountRequest(mount: Json): Json {
  if (!isObject(mount)) return mount;
  const { Type: type = 'bind', Name: name = '', Source: source = '', Driver: driver = '', RW: writable } = mount;
  return {
    Type: type,
    Source: type === 'volume' ? name : type === 'bind' ? source : '',
    ReadOnly: writable === false,
    ...(type === 'volume' ? { VolumeOptions: { DriverConfig: { Name: driver } } } : {}),
  };
}

function networkRequest({
  Driver: driver = null,
  Options: options = null,
  Scope: scope = null,
  Ingress: ingress = null,
}: JsonObject): JsonObject {
  return { Driver: driver, Options: options, Scope: scope, Ingress: ingress };
}

function holds(list: Json, words: string): boolean {
  return isList(list) && words.split(' ').every((word) => list.includes(word));
}

function at(value: Json | undefined, key: string): Json {
  return isObject(value ?? null) ? ((value as JsonObject)[key] ?? null) : null;
}

/** Of what the engine says of itself. */
export function engineDefaults(info: Json): EngineDefaults {
  const runtime = at(info, 'DefaultRuntime');
  return { runtime: typeof runtime === 'string' ? runtime : '', oldCgroups: at(info, 'CgroupVersion') === '1' };
}
