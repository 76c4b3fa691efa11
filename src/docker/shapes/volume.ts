/** Volumes as the engine shows them. */

import { reveals, uses } from '../marks.ts';
import { any, int, map, object, since, text, word } from '../shape.ts';
import { clusterVolume } from './cluster-volume.ts';
import { labelMap } from './labels.ts';

export const volume = object({
  Name: text(uses('volume', 'name')),
  Driver: text(),
  Mountpoint: text(reveals('host')),
  CreatedAt: since('1.31', text()),
  Status: map(any(reveals('host'))),
  Labels: labelMap,
  Scope: word(['local', 'global']),
  Options: map(text()),
  UsageData: object({ Size: int(), RefCount: int() }),
  ClusterVolume: since('1.42', clusterVolume),
});
