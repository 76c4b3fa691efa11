/**
 * Which frontend a Dockerfile asks for, seen as the client sends the file. The engine's own frontend reads it whatever it
 * says (`withOwnFrontend`); here whoever means another one is told so, in place of a file that is not built as it was meant.
 */

import { familiarReference, formatReference, readReference, tagged } from '../../docker/image-reference.ts';
import { filePieceIn } from '../../docker/transferred-file.ts';
import { compileGlob, type Glob } from '../../ground/glob.ts';

/** A byte-order mark, `#!`, and directives, of which the first line that is none is the end. */
const DIRECTIVES =
  /^(?:\u00ef\u00bb\u00bf)?(?:#![^\n]*\n)?((?:[ \t]*#[ \t]*[a-zA-Z][a-zA-Z0-9]*[ \t]*=[^\n]*(?:\n|$))*)/;

/** More than any name of an image has. */
const MOST_NAME = 1000;

/** What the beginning of a Dockerfile names in `# syntax=`; null where it names nothing. */
export function askedFrontend(dockerfile: string): string | null {
  const [, directives = ''] = DIRECTIVES.exec(dockerfile) ?? [];
  const [, image] = /^[ \t]*#[ \t]*syntax[ \t]*=[ \t]*(\S+)/im.exec(directives) ?? [];
  return image ?? null;
}

/** Images whose place the engine's own frontend may take: patterns of names, with or without a tag. */
export class Frontends {
  private readonly listed: readonly Glob[];
  private readonly patterns: readonly string[];

  constructor(patterns: readonly string[]) {
    this.patterns = patterns;
    this.listed = patterns.map((pattern) => compileGlob(pattern, { separator: '/' }));
  }

  permits(image: string): boolean {
    const reference = readReference(image);
    if (reference === null) return false;
    const bare = { ...reference, tag: null, digest: null };
    const spellings = [tagged(reference), bare].flatMap((one) => [familiarReference(one), formatReference(one)]);
    return this.listed.some((matches) => spellings.some(matches));
  }

  /** For one transfer of the Dockerfile: why a packet of it does not go to the engine; null where it may. */
  watch(): (packet: Uint8Array) => string | null {
    const begun = new Set<number>();
    return (packet) => {
      const piece = filePieceIn(packet);
      if (piece === null || begun.has(piece.file)) return null;
      begun.add(piece.file);
      const image = askedFrontend(piece.bytes);
      if (image === null || (image.length <= MOST_NAME && this.permits(image))) return null;
      const allowed = this.patterns.length === 0 ? 'none' : this.patterns.join(', ');
      return `berthgate: # syntax=${Buffer.from(image.slice(0, MOST_NAME), 'latin1')} is not served here: the engine's own frontend reads a Dockerfile (allowed: ${allowed})`;
    };
  }
}
