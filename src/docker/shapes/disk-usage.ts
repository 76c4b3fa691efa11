/** What `GET /system/df` tells: lists of everybody's things, and sums over them. */

import { reveals, uses } from '../marks.ts';
import { bool, int, list, object, type Shape, since, text, until } from '../shape.ts';
import { containerSummary } from './container-summary.ts';
import { imageSummary } from './image.ts';
import { volume } from './volume.ts';

const record = text(uses('build', 'id'));

const buildCacheRecord = object({
  ID: record,
  Parent: until('1.41', record),
  Parents: since('1.42', list(record)),
  // The blank is real: api/types/build/cache.go.
  ' Parents': since('1.42', list(record)),
  Type: text(),
  /** The step that was built: a command line of somebody's Dockerfile. */
  Description: text(reveals('others')),
  InUse: bool(),
  Shared: bool(),
  Size: int(),
  CreatedAt: text(),
  LastUsedAt: text(),
  UsageCount: int(),
});

function usage(item: Shape) {
  const sum = int(reveals('others'));
  return since(
    '1.52',
    object({ ActiveCount: sum, TotalCount: sum, Reclaimable: sum, TotalSize: sum, Items: list(item) }),
  );
}

export const diskUsage = object({
  // 1.52 still has the lists where `verbose` is not asked for; Docker's document left them out already.
  LayersSize: until('1.52', int(reveals('others'))),
  Images: until('1.52', list(imageSummary)),
  Containers: until('1.52', list(containerSummary)),
  Volumes: until('1.52', list(volume)),
  BuildCache: until('1.52', list(buildCacheRecord)),
  BuilderSize: until('1.41', int(reveals('others'))),
  ImageUsage: usage(imageSummary),
  ContainerUsage: usage(containerSummary),
  VolumeUsage: usage(volume),
  BuildCacheUsage: usage(buildCacheRecord),
});
