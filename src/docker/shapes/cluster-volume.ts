/** Volumes of a swarm, which plugins on its nodes provide. */

import { reveals, uses } from '../marks.ts';
import { any, int, list, map, object, text, word } from '../shape.ts';
import { clusterWide } from './cluster-mark.ts';
import { objectVersion } from './object-version.ts';

const topology = object({ Segments: map(text()) });

const claim = {
  Secrets: list(object({ Key: text(), Secret: text(uses('secret')) })),
  AccessibilityRequirements: object({ Requisite: list(topology), Preferred: list(topology) }),
  CapacityRange: object({ RequiredBytes: int(), LimitBytes: int() }),
  Availability: word(['active', 'pause', 'drain']),
};

const spec = object({
  Group: text(),
  AccessMode: object({
    Scope: word(['single', 'multi']),
    Sharing: word(['none', 'readonly', 'onewriter', 'all']),
    MountVolume: object({ FsType: text(), MountFlags: list(text()) }),
    BlockVolume: any(),
    // Docker's document has them here, its code beside this object.
    ...claim,
  }),
  ...claim,
});

/** As a client asks for it. */
export const clusterVolumeSpec = clusterWide(spec);

export const clusterVolume = object({
  ID: text(uses('volume', 'id')),
  Version: objectVersion,
  CreatedAt: text(),
  UpdatedAt: text(),
  Spec: spec,
  Info: object({
    CapacityBytes: int(),
    VolumeContext: map(text(reveals('host'))),
    VolumeID: text(),
    AccessibleTopology: list(topology),
  }),
  PublishStatus: list(
    object({
      NodeID: text(uses('node', 'id')),
      State: word(['pending-publish', 'published', 'pending-node-unpublish', 'pending-controller-unpublish']),
      PublishContext: map(text(reveals('host'))),
    }),
  ),
});
