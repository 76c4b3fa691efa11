/** Images as lists, inspections and histories show them. */

import { reveals, uses } from '../marks.ts';
import { any, bool, int, list, map, neutral, object, since, text, until, word } from '../shape.ts';
import { containerConfig } from './container-config.ts';
import { imageIdentity } from './image-identity.ts';
import { labelMap } from './labels.ts';
import { descriptor, platform } from './oci.ts';

const imageId = text(uses('image', 'id'));
const imageNames = list(text(uses('image', 'name')));

/** One manifest of an image for several platforms. */
const imageManifest = object({
  ID: text(),
  Descriptor: descriptor,
  Available: bool(),
  Size: object({ Total: int(), Content: int() }),
  Kind: word(['image', 'attestation', 'unknown']),
  ImageData: object({
    Platform: platform,
    Containers: list(text(uses('container', 'id'))),
    Size: object({ Unpacked: int() }),
    Identity: since('1.54', imageIdentity),
  }),
  AttestationData: object({ For: text() }),
});

export const imageSummary = object({
  Id: imageId,
  ParentId: imageId,
  RepoTags: imageNames,
  RepoDigests: imageNames,
  Created: int(),
  Size: int(),
  /** -1: nobody has asked for it. */
  SharedSize: neutral(int(reveals('others')), -1),
  VirtualSize: until('1.43', int()),
  Labels: labelMap,
  /** How many containers use it: everybody's. */
  Containers: neutral(int(reveals('others')), -1),
  Manifests: since('1.47', list(imageManifest)),
  Descriptor: since('1.48', descriptor),
});

export const imageInspect = object({
  Id: imageId,
  RepoTags: imageNames,
  RepoDigests: imageNames,
  Parent: until('1.51', imageId),
  Comment: text(),
  Created: text(),
  Container: until('1.44', text(uses('container', 'id'))),
  ContainerConfig: until('1.44', containerConfig),
  DockerVersion: until('1.51', text()),
  Author: text(),
  Config: containerConfig,
  Architecture: text(),
  Variant: since('1.39', text()),
  Os: text(),
  OsVersion: since('1.28', text()),
  Size: int(),
  VirtualSize: until('1.43', int()),
  GraphDriver: object({ Name: text(), Data: map(text(reveals('host'))) }),
  RootFS: object({ Type: text(), Layers: list(text()), BaseLayer: text() }),
  Metadata: since('1.31', object({ LastTagTime: text() })),
  Descriptor: since('1.48', descriptor),
  Manifests: since('1.48', list(imageManifest)),
  Identity: since('1.53', imageIdentity),
});

export const imageHistoryEntry = object({
  /** `<missing>` where the layer was made elsewhere. */
  Id: imageId,
  Created: int(),
  CreatedBy: text(),
  Tags: imageNames,
  Size: int(),
  Comment: text(),
});

export const imageDeletion = object({ Untagged: text(uses('image')), Deleted: imageId });

export const attestationStatement = object({
  Descriptor: descriptor,
  PredicateType: text(),
  Statement: any(),
});
