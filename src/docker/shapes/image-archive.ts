/** The documents of an archive of images, as `docker save` writes it, and as the OCI image layout has it. */

import { any, int, list, map, object, text } from '../shape.ts';
import { platform } from './oci.ts';

/** One image of `manifest.json` (moby, tarexport). */
const archivedImage = object({
  Config: text(),
  RepoTags: list(text()),
  Layers: list(text()),
  /** An image on the engine whose child it becomes, and in whose place builds take it from their cache. */
  Parent: text(),
  LayerSources: map(any()),
});

export const archiveManifest = list(archivedImage);

const descriptor = object({
  mediaType: text(),
  digest: text(),
  size: int(),
  urls: list(text()),
  annotations: map(text()),
  data: any(),
  platform,
  artifactType: text(),
});

/** `index.json`, an index of several platforms, or the manifest of an image: what it is, what has come with it says. */
export const ociDocument = object({
  schemaVersion: int(),
  mediaType: text(),
  artifactType: text(),
  manifests: list(descriptor),
  config: descriptor,
  layers: list(descriptor),
  blobs: list(descriptor),
  subject: descriptor,
  annotations: map(text()),
});

/** Of the configuration of an image: what decides of its files. */
export const imageRootfs = object({ rootfs: object({ type: text(), diff_ids: list(text()) }) });
