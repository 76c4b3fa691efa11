/** Everything that the engine tells of one container. */

import { publishes, repeatedProse, reveals, uses } from '../marks.ts';
import { any, bool, int, list, map, object, since, text, until, word } from '../shape.ts';
import { containerConfig } from './container-config.ts';
import { containerStates, healthStates } from './container-summary.ts';
import { hostConfig } from './host-config.ts';
import { mountPoint } from './mounts.ts';
import { attachedNetworks } from './networking-config.ts';
import { descriptor } from './oci.ts';

const pathOfEngine = text(reveals('host'));
const addresses = until('1.51', list(object({ Addr: text(), PrefixLen: int() })));

const state = object({
  Status: word(containerStates),
  Running: bool(),
  Paused: bool(),
  Restarting: bool(),
  OOMKilled: bool(),
  Dead: bool(),
  Pid: int(reveals('host')),
  ExitCode: int(),
  Error: text(repeatedProse),
  StartedAt: text(),
  FinishedAt: text(),
  Health: object({
    Status: word(healthStates),
    FailingStreak: int(),
    Log: list(object({ Start: text(), End: text(), ExitCode: int(), Output: text() })),
  }),
});

const networkSettings = object({
  SandboxID: text(),
  SandboxKey: pathOfEngine,
  Ports: map(list(object({ HostIp: text(publishes('address')), HostPort: text(publishes('port')) }))),
  Networks: attachedNetworks,
  // The default network's endpoint once more, as it was before there were others.
  Bridge: until('1.51', text()),
  HairpinMode: until('1.51', bool()),
  LinkLocalIPv6Address: until('1.51', text()),
  LinkLocalIPv6PrefixLen: until('1.51', int()),
  SecondaryIPAddresses: addresses,
  SecondaryIPv6Addresses: addresses,
  EndpointID: until('1.51', text()),
  Gateway: until('1.51', text()),
  GlobalIPv6Address: until('1.51', text()),
  GlobalIPv6PrefixLen: until('1.51', int()),
  IPAddress: until('1.51', text()),
  IPPrefixLen: until('1.51', int()),
  IPv6Gateway: until('1.51', text()),
  MacAddress: until('1.51', text()),
});

export const containerInspect = object({
  Id: text(uses('container', 'id')),
  Created: text(),
  Path: text(),
  Args: list(text()),
  State: state,
  Image: text(uses('image', 'id')),
  ResolvConfPath: pathOfEngine,
  HostnamePath: pathOfEngine,
  HostsPath: pathOfEngine,
  LogPath: pathOfEngine,
  // Of the standalone Swarm, which was a proxy of this API itself.
  Node: until('1.41', any(reveals('host'))),
  Name: text(uses('container', 'slashed')),
  RestartCount: int(),
  Driver: text(),
  Platform: text(),
  ImageManifestDescriptor: since('1.48', descriptor),
  MountLabel: text(),
  ProcessLabel: text(),
  AppArmorProfile: text(),
  ExecIDs: list(text(uses('exec', 'id'))),
  HostConfig: hostConfig,
  GraphDriver: object({ Name: text(), Data: map(text(reveals('host'))) }),
  Storage: since('1.52', object({ RootFS: object({ Snapshot: object({ Name: text(reveals('host')) }) }) })),
  SizeRw: int(),
  SizeRootFs: int(),
  Mounts: list(mountPoint),
  Config: containerConfig,
  NetworkSettings: networkSettings,
});
