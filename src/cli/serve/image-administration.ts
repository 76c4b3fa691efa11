/** What administrators see and do of the cached images of a running server. */

import { listImages, type Upstream, warmImage } from '../../cache/registry/index.ts';
import type { Store } from '../../cache/store.ts';
import { readReference } from '../../docker/image-reference.ts';
import type { ImageAdministration, WarmLine } from '../../operate/admin/images-api.ts';

export function imageAdministration(store: () => Store | null, upstream: () => Upstream): ImageAdministration {
  return {
    list: () => {
      const current = store();
      return current === null ? null : listImages(current);
    },
    warm: (text, platform, signal) => {
      const reference = readReference(text);
      return reference === null ? null : lines(warmImage(upstream(), reference, platform, signal));
    },
  };
}

async function* lines(progress: ReturnType<typeof warmImage>): AsyncIterable<WarmLine> {
  let last = { bytes: 0, of: 0, blobs: 0 };
  try {
    for await (const one of progress) {
      last = one;
      yield { step: 'progress', ...one };
    }
  } catch (fault) {
    yield { step: 'failed', reason: (fault as Error).message };
    return;
  }
  yield { step: 'done', ...last };
}
