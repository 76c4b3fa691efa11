/** Mounts as requests write them, and as answers tell them. What `Source` is depends on `Type`. */

import { imageReference } from '../grammars/image-reference.ts';
import { oneOf } from '../grammars/one-of.ts';
import { mountType, propagation, volumeDriver } from '../grammars/words.ts';
import { borrows, hostPath, makes, mountedPath, own, privilege, resource, reveals, uses } from '../marks.ts';
import { bool, int, language, list, map, neutral, object, since, text, varying, word } from '../shape.ts';
import { labelMap } from './labels.ts';

const tmpfsWord = oneOf(
  'tmpfs-word',
  { exec: [own], noexec: [own] },
  [privilege('confinement', 'an option of the kernel for a tmpfs')],
  ['suid', 'dev', 'size=1g', 'EXEC'],
);

export const mount = varying(
  object({
    Type: language(mountType),
    Source: text(mountedPath('write')),
    Target: text(own),
    ReadOnly: bool(own),
    Consistency: since('1.28', text(own)),
    BindOptions: object({
      Propagation: language(propagation),
      NonRecursive: since('1.40', bool(own)),
      // These three act on the source, which is judged itself.
      CreateMountpoint: since('1.42', bool(own)),
      ReadOnlyNonRecursive: since('1.44', bool(own)),
      ReadOnlyForceRecursive: since('1.44', bool(own)),
    }),
    VolumeOptions: object({
      NoCopy: bool(own),
      Labels: labelMap,
      Subpath: since('1.45', text(own)),
      DriverConfig: object({
        Name: neutral(language(volumeDriver), 'local'),
        Options: map(
          text(own),
          text(
            privilege('driver', 'a volume of the driver `local` can be any path or device of the host by its options'),
          ),
        ),
      }),
    }),
    ImageOptions: since('1.48', object({ Subpath: text(own) })),
    TmpfsOptions: object({
      SizeBytes: int(resource('bytes')),
      Mode: int(own),
      Options: since('1.46', list(list(language(tmpfsWord)))),
    }),
    ClusterOptions: since('1.42', object({})),
  }),
  'Type',
  {
    volume: { Source: text(uses('volume', 'name'), makes('volume', 'name'), borrows) },
    image: { Source: language(imageReference) },
    // The engine refuses a source here.
    tmpfs: { Source: text(own) },
  },
);

const pathOnHost = text(hostPath('read'), reveals('host'));

/** A mount of a container that is there. */
export const mountPoint = varying(
  object({
    Type: word(['bind', 'tmpfs', 'volume', 'npipe', 'cluster', 'image']),
    Name: text(),
    Source: pathOnHost,
    Destination: text(),
    Driver: text(),
    Mode: text(),
    RW: bool(),
    Propagation: text(),
  }),
  'Type',
  {
    volume: { Name: text(uses('volume', 'name')) },
    cluster: { Name: text(uses('volume', 'name')) },
    image: { Name: text(uses('image')), Source: text(uses('image')) },
  },
);
