/** An archive that an engine saves, with the names in it as the client knows them; everything else passes as it comes. */

import { archiveDocument, withSavedNames } from '../../../docker/image-archive.ts';
import type { BodyStage } from '../../../exchange/body-stage.ts';
import { printJson, readJson } from '../../../ground/json.ts';
import { cleanPath } from '../../../wire/tar/clean-path.ts';
import { modeOf, padded, printHeader, TarFault } from '../../../wire/tar/tar-header.ts';
import { TarWalker } from '../../../wire/tar/tar-walker.ts';

const MOST_DOCUMENT_BYTES = 16 * 1024 * 1024;
const MAX_DEPTH = 32;
const NOTHING = Buffer.alloc(0);

/** `told`: an engine's name in the client's words; nothing for one that is not to be said. */
export function savedArchive(told: (name: string) => string | undefined): BodyStage {
  return (onward, fail) =>
    new TarWalker(
      onward,
      {
        treat({ name, size }) {
          if (size === 0 || archiveDocument(cleanPath(name) ?? '') === null) return 'pass';
          if (size > MOST_DOCUMENT_BYTES) throw new TarFault(`holds a ${name} that is too large to be read`);
          return 'hold';
        },
        read({ header: { name }, headerBlocks, content }) {
          const kind = archiveDocument(cleanPath(name) ?? '');
          if (kind === null || content.length === 0) return null;
          const document = Buffer.from(`${printJson(withSavedNames(kind, readJson(content, MAX_DEPTH), told))}\n`);
          return Buffer.concat([printHeader(name, document.length, modeOf(headerBlocks)), padded(document)]);
        },
        finish: async () => NOTHING,
      },
      fail,
    );
}
