/** What a service runs on the nodes of a swarm. */

import { address, env, fetches, hostPath, makes, publishes, resource, uses } from '../marks.ts';
import { bool, int, list, map, object, since, text, until } from '../shape.ts';
import { ulimit } from './container-resources.ts';
import { genericResources } from './generic-resources.ts';
import { healthcheck } from './healthcheck.ts';
import { labelMap } from './labels.ts';
import { mount } from './mounts.ts';
import { clusterDriver } from './swarm-cluster.ts';

const file = object({ Name: text(), UID: text(), GID: text(), Mode: int() });

const containerSpec = object({
  Image: text(makes('image')),
  Labels: labelMap,
  Command: list(text()),
  Args: list(text()),
  Hostname: since('1.27', text(address)),
  Env: list(text(env)),
  Dir: text(),
  User: text(),
  Groups: since('1.27', list(text())),
  Privileges: since(
    '1.30',
    object({
      CredentialSpec: object({
        Config: since('1.40', text(uses('config'))),
        File: text(hostPath('read')),
        Registry: text(hostPath('read')),
      }),
      SELinuxContext: object({ Disable: bool(), User: text(), Role: text(), Type: text(), Level: text() }),
      Seccomp: since('1.44', object({ Mode: text(), Profile: text() })),
      AppArmor: since('1.44', object({ Mode: text() })),
      NoNewPrivileges: since('1.44', bool()),
    }),
  ),
  Init: since('1.38', bool()),
  StopSignal: since('1.28', text()),
  StopGracePeriod: int(resource('nanoseconds')),
  TTY: bool(),
  OpenStdin: since('1.27', bool()),
  ReadOnly: since('1.27', bool()),
  Mounts: list(mount),
  // So in Docker's code; its document writes HealthCheck.
  Healthcheck: since('1.27', healthcheck),
  Hosts: since('1.27', list(text(address))),
  DNSConfig: object({ Nameservers: list(text(address)), Search: list(text()), Options: list(text()) }),
  Secrets: since(
    '1.27',
    list(object({ File: file, SecretID: text(uses('secret', 'id')), SecretName: text(uses('secret', 'name')) })),
  ),
  Configs: since(
    '1.30',
    list(
      object({
        File: file,
        Runtime: since('1.40', object({})),
        ConfigID: text(uses('config', 'id')),
        ConfigName: text(uses('config', 'name')),
      }),
    ),
  ),
  Isolation: since('1.35', text()),
  Sysctls: since('1.40', map(text())),
  CapabilityAdd: since('1.41', list(text())),
  CapabilityDrop: since('1.41', list(text())),
  Capabilities: until('1.40', list(text())),
  Ulimits: since('1.41', list(ulimit)),
  OomScoreAdj: since('1.46', int(resource('oom-score'))),
});

const pluginSpec = object({
  name: text(makes('plugin')),
  remote: text(fetches),
  disabled: bool(),
  env: list(text(env)),
  privileges: list(object({ name: text(), description: text(), value: list(text()) })),
});

const limits = object({
  NanoCPUs: int(resource('nanocpus')),
  MemoryBytes: int(resource('bytes')),
  Pids: since('1.41', int(resource('processes'))),
  GenericResources: until('1.40', genericResources()),
});

const reservations = object({
  NanoCPUs: int(resource('nanocpus')),
  MemoryBytes: int(resource('bytes')),
  GenericResources: genericResources(),
});

export const networkAttachments = list(
  object({ Target: text(uses('network')), Aliases: list(text(address)), DriverOpts: since('1.39', map(text())) }),
);

export const taskSpec = object({
  PluginSpec: since('1.31', pluginSpec),
  ContainerSpec: containerSpec,
  NetworkAttachmentSpec: since('1.38', object({ ContainerID: text(uses('container', 'id')) })),
  Resources: object({
    Limits: limits,
    Reservations: reservations,
    SwapBytes: since('1.52', int(resource('bytes'))),
    MemorySwappiness: since('1.52', int()),
  }),
  RestartPolicy: object({ Condition: text(), Delay: int(), MaxAttempts: int(), Window: int() }),
  Placement: object({
    Constraints: list(text()),
    Preferences: list(object({ Spread: object({ SpreadDescriptor: text() }) })),
    MaxReplicas: since('1.40', int()),
    Platforms: since('1.30', list(object({ Architecture: text(), OS: text() }))),
  }),
  ForceUpdate: int(),
  Runtime: since('1.30', text()),
  Networks: networkAttachments,
  LogDriver: clusterDriver,
});

export const publishedPorts = list(
  object({
    Name: text(),
    Protocol: text(),
    TargetPort: int(),
    PublishedPort: int(publishes('port')),
    PublishMode: since('1.34', text()),
  }),
);
