/** What `GET /info` tells of the engine and its host. */

import { prose, reveals } from '../marks.ts';
import { bool, int, list, map, object, since, text, until } from '../shape.ts';
import { genericResources } from './generic-resources.ts';
import { clusterFields } from './swarm-cluster.ts';

const ofHost = reveals('host');
const count = int(reveals('others'));
const pairs = list(list(text(ofHost)));
const commit = object({ ID: text(), Expected: until('1.48', text()) });

const registryConfig = object({
  IndexConfigs: map(
    object({ Mirrors: list(text(ofHost)), Name: text(), Official: bool(), Secure: bool() }),
    text(ofHost),
  ),
  InsecureRegistryCIDRs: list(text(ofHost)),
  AllowNondistributableArtifactsCIDRs: until('1.48', list(text(ofHost))),
  AllowNondistributableArtifactsHostnames: until('1.48', list(text(ofHost))),
  Mirrors: list(text(ofHost)),
});

const swarm = object({
  NodeID: text(ofHost),
  NodeAddr: text(ofHost),
  LocalNodeState: text(),
  ControlAvailable: bool(),
  Error: text(ofHost),
  RemoteManagers: list(object({ NodeID: text(ofHost), Addr: text(ofHost) })),
  Nodes: int(ofHost),
  Managers: int(ofHost),
  Cluster: object(clusterFields, ofHost),
  Warnings: list(text(ofHost)),
});

export const systemInfo = object({
  ID: text(ofHost),
  Name: text(ofHost),
  Architecture: text(),
  OSType: text(),
  OSVersion: since('1.41', text()),
  OperatingSystem: text(),
  KernelVersion: text(),
  ServerVersion: text(),
  SystemTime: text(),
  NCPU: int(),
  MemTotal: int(),
  Containers: count,
  ContainersRunning: count,
  ContainersPaused: count,
  ContainersStopped: count,
  Images: count,
  NEventsListener: count,
  NFd: int(ofHost),
  NGoroutines: int(ofHost),
  Driver: text(),
  /** The store's own words; `driver-type` tells whether it is containerd's. */
  DriverStatus: list(list(text())),
  SystemStatus: until('1.40', pairs),
  Plugins: object({
    Volume: list(text()),
    Network: list(text()),
    Authorization: list(text(ofHost)),
    Log: list(text()),
  }),
  DockerRootDir: text(ofHost),
  InitPath: until('1.31', text(ofHost)),
  InitSha1: until('1.31', text()),
  HttpProxy: text(ofHost),
  HttpsProxy: text(ofHost),
  NoProxy: text(ofHost),
  Labels: list(text(ofHost)),
  IndexServerAddress: text(),
  RegistryConfig: registryConfig,
  GenericResources: genericResources(ofHost),
  MemoryLimit: bool(),
  SwapLimit: bool(),
  KernelMemory: until('1.41', bool()),
  KernelMemoryTCP: until('1.51', bool()),
  CpuCfsPeriod: bool(),
  CpuCfsQuota: bool(),
  CPUShares: bool(),
  CPUSet: bool(),
  PidsLimit: bool(),
  OomKillDisable: bool(),
  OomScoreAdj: until('1.31', int()),
  IPv4Forwarding: bool(),
  BridgeNfIptables: until('1.49', bool()),
  BridgeNfIp6tables: until('1.49', bool()),
  Debug: bool(),
  ExperimentalBuild: bool(),
  LiveRestoreEnabled: bool(),
  LoggingDriver: text(),
  CgroupDriver: text(),
  CgroupVersion: since('1.41', text()),
  Isolation: text(),
  SecurityOptions: list(text()),
  Runtimes: map(
    object({
      path: text(ofHost),
      runtimeArgs: list(text(ofHost)),
      type: text(ofHost),
      options: map(text(ofHost)),
      status: since('1.44', map(text(ofHost))),
    }),
  ),
  DefaultRuntime: text(),
  InitBinary: text(),
  ContainerdCommit: commit,
  RuncCommit: commit,
  InitCommit: commit,
  Containerd: since(
    '1.46',
    object({ Address: text(ofHost), Namespaces: object({ Containers: text(ofHost), Plugins: text(ofHost) }) }),
  ),
  ClusterStore: until('1.41', text(ofHost)),
  ClusterAdvertise: until('1.41', text(ofHost)),
  DiscoveryBackend: until('1.31', text(ofHost)),
  Swarm: swarm,
  ProductLicense: text(ofHost),
  DefaultAddressPools: list(object({ Base: text(ofHost), Size: int() })),
  FirewallBackend: since('1.49', object({ Driver: text(ofHost), Info: pairs })),
  CDISpecDirs: since('1.44', list(text(ofHost))),
  DiscoveredDevices: since('1.50', list(object({ Source: text(ofHost), ID: text(ofHost) }))),
  NRI: since('1.53', object({ Info: pairs })),
  Warnings: list(text(prose, ofHost)),
});
