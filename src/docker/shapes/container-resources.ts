/** What a container takes of the host: the part of the host configuration that can also be updated. */

import { restartPolicyName } from '../grammars/words.ts';
import { hostPath, own, privilege, resource } from '../marks.ts';
import { bool, emptyMeans, int, language, list, map, neutral, object, since, text, until } from '../shape.ts';

const realTime = privilege('cgroup', 'real-time scheduling, which starves everything else');
const device = privilege('device', 'a device of the host');

// The engine looks the path up on the host: its answer tells whether it exists.
const devicePath = text(hostPath('exists'));
const throttles = list(object({ Path: devicePath, Rate: int(resource('count')) }));

export const ulimit = object(
  { Name: text(own), Soft: int(resource('count')), Hard: int(resource('count')) },
  resource('ulimit'),
);

const memory = {
  Memory: int(resource('bytes', 'memory')),
  MemoryReservation: int(resource('bytes', 'memory-reservation')),
  MemorySwap: int(resource('bytes', 'memory-and-swap')),
  MemorySwappiness: neutral(int(own), -1),
  KernelMemory: until('1.41', int(resource('bytes'))),
  KernelMemoryTCP: until('1.51', since('1.40', int(resource('bytes')))),
  OomKillDisable: bool(privilege('cgroup', 'is never killed when memory runs out, the host may hang')),
};

const processor = {
  CpuShares: int(resource('cpu-shares')),
  NanoCpus: int(resource('nanocpus', 'cpus')),
  CpuPeriod: int(resource('microseconds', 'cpu-period')),
  CpuQuota: int(resource('microseconds', 'cpu-quota')),
  CpuRealtimePeriod: int(realTime),
  CpuRealtimeRuntime: int(realTime),
  CpusetCpus: text(resource('cpus')),
  CpusetMems: text(resource('cpus')),
  CpuCount: int(resource('count')),
  CpuPercent: int(resource('count')),
};

const blockDevices = {
  BlkioWeight: int(resource('io-weight')),
  BlkioWeightDevice: list(object({ Path: devicePath, Weight: int(resource('io-weight')) })),
  BlkioDeviceReadBps: throttles,
  BlkioDeviceWriteBps: throttles,
  BlkioDeviceReadIOps: throttles,
  BlkioDeviceWriteIOps: throttles,
  IOMaximumIOps: int(resource('count')),
  IOMaximumBandwidth: int(resource('bytes')),
  DiskQuota: until('1.39', int(resource('bytes'))),
};

const devices = {
  Devices: list(
    object({ PathOnHost: text(hostPath('write')), PathInContainer: text(own), CgroupPermissions: text(own) }),
    device,
  ),
  DeviceCgroupRules: since('1.28', list(text(device), device)),
  DeviceRequests: since(
    '1.40',
    list(
      object({
        Driver: text(own),
        Count: int(own),
        DeviceIDs: list(text(own)),
        Capabilities: list(list(text(own))),
        Options: map(text(own), text(own)),
      }),
      privilege('device', 'devices of the host; their descriptions may add mounts and hooks'),
    ),
  ),
};

export const resourceFields = {
  ...memory,
  ...processor,
  ...blockDevices,
  ...devices,
  CgroupParent: text(privilege('cgroup', 'joins any cgroup of the host and leaves its limits')),
  PidsLimit: int(resource('processes', 'pids')),
  Ulimits: list(ulimit),
};

export const restartPolicy = object(
  { Name: neutral(language(restartPolicyName), 'no'), MaximumRetryCount: int(resource('count')) },
  resource('restarts'),
);

/** Of an update, 0 leaves a limit as it is; only the number of processes becomes unlimited by it. */
export const containerUpdate = object({
  ...resourceFields,
  PidsLimit: emptyMeans('takes the limit of processes away', int(resource('processes', 'pids'))),
  /** Documented, and not looked at. */
  Init: since('1.37', bool(own)),
  RestartPolicy: restartPolicy,
});
