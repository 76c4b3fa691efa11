/** Words of the OCI image specification, as the API uses them. */

import { own } from '../marks.ts';
import { embedded, int, list, map, object, since, text } from '../shape.ts';

// Docker's documents before 1.40 spell these with capitals; the engines never did.
export const platform = object({
  architecture: text(own),
  os: text(own),
  'os.version': text(own),
  'os.features': list(text(own)),
  variant: text(own),
});

/** A platform in a query: JSON in a text. */
export const platformParameter = embedded(platform);

export const descriptor = object({
  mediaType: text(),
  digest: text(),
  size: int(),
  urls: since('1.48', list(text())),
  annotations: since('1.48', map(text())),
  data: since('1.48', text()),
  platform: since('1.48', platform),
  artifactType: since('1.48', text()),
});
