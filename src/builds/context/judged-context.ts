/**
 * A build context of which the Dockerfile is judged before the engine has it whole. The file that was judged is sent
 * once more as the very last entry: of entries of the same name the last one counts, so that the engine builds what was
 * judged, whatever else it may have read in the archive before.
 */

import type { BodySink } from '../../wire/message.ts';
import { Unpacking } from '../../wire/tar/compression.ts';
import { padded, printHeader } from '../../wire/tar/tar-header.ts';
import { type Entry, TarWalker } from '../../wire/tar/tar-walker.ts';
import { ContextTree } from './context-tree.ts';

export interface ContextJudge {
  /** As the call names it; empty where it does not. */
  readonly dockerfile: string;
  /** `file` is latin1. Ends the build by what it throws. */
  judge(file: string): Promise<void>;
}

/** `fail` is told once of what ends the build: a TarFault, or what the judge has thrown. */
export function judgedContext(onward: BodySink, judge: ContextJudge, fail: (fault: unknown) => void): BodySink {
  const tree = new ContextTree(judge.dockerfile);
  const walker = new TarWalker(
    onward,
    {
      treat: (header) => tree.treat(header),
      read(entry) {
        tree.read(entry);
        return null;
      },
      async finish() {
        const { path, content, entry } = tree.dockerfile();
        await judge.judge(content.toString('latin1'));
        return blocksOf(path, content, entry);
      },
    },
    fail,
  );
  return new Unpacking(walker, fail);
}

/** With the headers that it came with, so that nothing of the context changes. */
function blocksOf(path: string, content: Buffer, entry: Entry | null): Buffer {
  return Buffer.concat([entry?.headerBlocks ?? printHeader(path, content.length), padded(content)]);
}
