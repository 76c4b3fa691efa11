/** The closed lists of words that host configurations and mounts speak in, and which of them reach further. */

import { own, privilege } from '../marks.ts';
import { each, oneOf } from './one-of.ts';

export const restartPolicyName = oneOf(
  'restart-policy',
  {
    ...each(['', 'no', 'on-failure'], own),
    ...each(['always', 'unless-stopped'], privilege('lifetime', 'is started again when the engine is')),
  },
  undefined,
  ['Always', 'ALWAYS', 'on-failure:5'],
);

export const cgroupNamespaceMode = oneOf(
  'cgroup-namespace',
  {
    ...each(['', 'private'], own),
    host: [privilege('host-namespace', "sees the host's tree of cgroups")],
  },
  undefined,
  ['Host', 'HOST', 'shareable'],
);

export const userNamespaceMode = oneOf(
  'user-namespace',
  { '': [own] },
  [privilege('host-namespace', "its root is the host's root, also where the engine remaps users")],
  ['host', 'HOST', 'private', '0:0:1'],
);

export const isolation = oneOf(
  'isolation',
  each(['', 'default'], own),
  [privilege('runtime', 'another way of isolation (Windows)')],
  ['process', 'hyperv', 'Default'],
);

/** Drivers that keep what is logged on the engine; all others speak to something from the host. */
export const logDriver = oneOf(
  'log-driver',
  each(['', 'json-file', 'local', 'none'], own),
  [privilege('logging', "speaks from the host, with the host's files and credentials")],
  [
    'syslog',
    'gelf',
    'fluentd',
    'splunk',
    'awslogs',
    'gcplogs',
    'journald',
    'etwlogs',
    'JSON-FILE',
    'json-file ',
    '/run/x.sock',
  ],
);

/** Options of the drivers above that only say how much is kept and what stands in a line. */
export const logOption = oneOf(
  'log-option',
  each(
    [
      'max-size',
      'max-file',
      'compress',
      'mode',
      'max-buffer-size',
      'cache-disabled',
      'cache-max-size',
      'cache-max-file',
      'cache-compress',
      'labels',
      'labels-regex',
      'env',
      'env-regex',
      'tag',
    ],
    own,
  ),
  [privilege('logging', 'an option of a log driver that can read files of the host or connect from it')],
  [
    'syslog-address',
    'syslog-tls-ca-cert',
    'gelf-address',
    'fluentd-address',
    'splunk-capath',
    'awslogs-group',
    'path',
    'MAX-SIZE',
    'x',
  ],
);

const spreads = privilege('host-namespace', 'mounts spread between the host and the container');

export const propagation = oneOf(
  'propagation',
  {
    ...each(['', 'private', 'rprivate'], own),
    ...each(['shared', 'rshared', 'slave', 'rslave'], spreads),
  },
  undefined,
  ['RSHARED', 'rshared,ro'],
);

export const mountType = oneOf(
  'mount-type',
  each(['bind', 'volume', 'tmpfs', 'image'], own),
  [privilege('driver', 'a kind of mount that reaches pipes of the host or volumes of the cluster')],
  ['npipe', 'cluster', 'BIND', 'nfs'],
);

/** Volumes of `local` without options are directories that the engine makes itself. */
export const volumeDriver = oneOf(
  'volume-driver',
  each(['', 'local'], own),
  [privilege('driver', 'a volume driver is a program on the host')],
  ['nfs', 'rexray/ebs', 'LOCAL', 'local '],
);

export const storageOption = oneOf(
  'storage-option',
  { size: [own] },
  [privilege('driver', 'an option of the storage driver')],
  ['dm.basesize', 'btrfs.min_space', 'Size'],
);
