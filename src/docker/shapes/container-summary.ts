/** One container in a list. */

import { imageReference } from '../grammars/image-reference.ts';
import { containerPath } from '../grammars/link.ts';
import { networkMode } from '../grammars/network-mode.ts';
import { publishes, uses } from '../marks.ts';
import { int, language, list, map, object, since, text, word } from '../shape.ts';
import { labelMap } from './labels.ts';
import { mountPoint } from './mounts.ts';
import { attachedNetworks } from './networking-config.ts';
import { descriptor } from './oci.ts';

export const containerStates = ['created', 'running', 'paused', 'restarting', 'exited', 'removing', 'dead'] as const;
export const healthStates = ['none', 'starting', 'healthy', 'unhealthy'] as const;

export const containerSummary = object({
  Id: text(uses('container', 'id')),
  Names: list(language(containerPath)),
  // The name that was asked for, or the id where the tag has moved on.
  Image: language(imageReference),
  ImageID: text(uses('image', 'id')),
  ImageManifestDescriptor: since('1.48', descriptor),
  Command: text(),
  Created: int(),
  Ports: list(
    object({
      IP: text(publishes('address')),
      PrivatePort: int(),
      PublicPort: int(publishes('port')),
      Type: word(['tcp', 'udp', 'sctp']),
    }),
  ),
  SizeRw: int(),
  SizeRootFs: int(),
  Labels: labelMap,
  State: word(containerStates),
  Status: text(),
  HostConfig: object({
    NetworkMode: language(networkMode),
    Annotations: since('1.46', map(text())),
  }),
  Health: since('1.52', object({ Status: word(healthStates), FailingStreak: int() })),
  NetworkSettings: object({ Networks: attachedNetworks }),
  Mounts: list(mountPoint),
});
