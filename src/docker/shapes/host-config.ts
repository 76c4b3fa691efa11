/** The half of a container that depends on the host: nearly every way to more rights leads through here. */

import { bind, volumesFrom } from '../grammars/bind.ts';
import { addedCapability } from '../grammars/capability.ts';
import { containerMode } from '../grammars/container-mode.ts';
import { extraHost } from '../grammars/extra-host.ts';
import { link } from '../grammars/link.ts';
import { logTag } from '../grammars/log-tag.ts';
import { networkMode } from '../grammars/network-mode.ts';
import { port } from '../grammars/port.ts';
import { securityOption } from '../grammars/security-opt.ts';
import { tmpfsOptions } from '../grammars/tmpfs-options.ts';
import {
  cgroupNamespaceMode,
  isolation,
  logDriver,
  logOption,
  storageOption,
  userNamespaceMode,
  volumeDriver,
} from '../grammars/words.ts';
import { address, hostPath, own, privilege, publishes, resource } from '../marks.ts';
import {
  type ApiVersion,
  alsoSpelled,
  bool,
  emptyMeans,
  int,
  known,
  language,
  list,
  map,
  neutral,
  object,
  type Shape,
  since,
  text,
  until,
} from '../shape.ts';
import { resourceFields, restartPolicy } from './container-resources.ts';
import { mount } from './mounts.ts';

const unmasks = privilege('confinement', 'uncovers what is hidden of /proc and /sys');

/** Ports of the container and where on the host each of them stands open. */
const portBindings = map(
  list(object({ HostIp: text(publishes('address')), HostPort: text(publishes('port')) })),
  language(port, publishes('ports')),
);

const storage = {
  Binds: list(language(bind)),
  Mounts: list(mount),
  VolumesFrom: list(language(volumesFrom)),
  VolumeDriver: neutral(language(volumeDriver), 'local'),
  Tmpfs: map(language(tmpfsOptions), text(own)),
  ShmSize: int(resource('bytes', 'shm')),
  StorageOpt: known(map(text(own), language(storageOption)), { size: text(resource('bytes')) }),
  ReadonlyRootfs: bool(own),
};

const namespaces = {
  NetworkMode: neutral(language(networkMode), 'default'),
  PidMode: language(containerMode('pid-mode', [''])),
  IpcMode: language(containerMode('ipc-mode', ['', 'none', 'private', 'shareable'])),
  UTSMode: language(containerMode('uts-mode', [''])),
  UsernsMode: language(userNamespaceMode),
  CgroupnsMode: since('1.41', language(cgroupNamespaceMode)),
  Cgroup: language(containerMode('cgroup-spec', [''])),
};

const rights = {
  Privileged: bool(privilege('root', "has every capability and every device, unconfined: the host's root")),
  CapAdd: list(language(addedCapability)),
  CapDrop: list(text(own)),
  // Engine 19.03 alone decodes it: the exact list of capabilities.
  Capabilities: until('1.40', since('1.40', list(text(privilege('capability', 'the exact list of capabilities'))))),
  SecurityOpt: list(language(securityOption)),
  GroupAdd: list(text(own)),
  MaskedPaths: since('1.38', emptyMeans('uncovers every masked path', list(text(unmasks), unmasks))),
  ReadonlyPaths: since('1.38', emptyMeans('makes every path of /proc writable', list(text(unmasks), unmasks))),
  Sysctls: map(text(own), text(privilege('kernel', 'sets parameters of the kernel'))),
  Runtime: text(privilege('runtime', 'any runtime of the host, configured or not')),
  Annotations: since(
    '1.43',
    map(text(own), text(privilege('runtime', 'is told to the runtime and its plugins, which act on it'))),
  ),
  Isolation: neutral(language(isolation), 'default'),
};

const networking = {
  PortBindings: portBindings,
  PublishAllPorts: bool(publishes('every port')),
  Links: list(language(link)),
  ExtraHosts: list(language(extraHost)),
  Dns: list(text(address)),
  DnsOptions: list(text(own)),
  DnsSearch: list(text(own)),
};

const life = {
  AutoRemove: bool(own),
  RestartPolicy: restartPolicy,
  Init: bool(own),
  // Engines up to 17.04 take the program that becomes process 1 from the host.
  InitPath: until('1.28', text(hostPath('read'), privilege('runtime', 'a program of the host runs in the container'))),
  LogConfig: object({
    Type: language(logDriver),
    Config: known(map(text(own), language(logOption)), {
      'max-buffer-size': text(resource('bytes')),
      tag: language(logTag),
    }),
  }),
  OomScoreAdj: int(resource('oom-score')),
  ConsoleSize: list(int(own)),
  // Written by clients on their own machine; the engine does not look at it.
  ContainerIDFile: text(own),
};

const fields = { ...storage, ...namespaces, ...rights, ...networking, ...life, ...resourceFields };

// docker-py writes two keys as the engine's own code calls the fields.
export const hostConfig = alsoSpelled(
  { CPURealtimePeriod: 'CpuRealtimePeriod', CPURealtimeRuntime: 'CpuRealtimeRuntime' },
  object(fields),
);

/**
 * The same fields beside those of the container: engines up to 26.1 take them from there where `HostConfig` is
 * missing, and Memory, MemorySwap, CpuShares, CpusetCpus, Cpuset and VolumeDriver also where it is not.
 */
export const legacyHostFields: Readonly<Record<string, Shape>> = {
  ...Object.fromEntries(Object.entries<Shape>(fields).map(([name, shape]) => [name, endingBy('1.45', shape)])),
  Cpuset: until('1.45', text(resource('cpus'))),
};

function endingBy(version: ApiVersion, shape: Shape): Shape {
  const ended = shape.until;
  return ended !== undefined && minor(ended) < minor(version) ? shape : until(version, shape);
}

function minor(version: ApiVersion): number {
  return Number(version.slice('1.'.length));
}
