/**
 * A build context of which the engine reads another Dockerfile than the client's, which stays what the client sent: the
 * other one is added under a name that `.dockerignore` leaves out, as the docker command does with a Dockerfile from
 * elsewhere, so that no image gets it.
 */

import type { BodySink } from '../../wire/message.ts';
import { cleanPath } from '../../wire/tar/clean-path.ts';
import { Unpacking } from '../../wire/tar/compression.ts';
import { kindOf, modeOf, padded, printHeader, type RawHeader, TarFault } from '../../wire/tar/tar-header.ts';
import { type Entry, TarWalker, type Treatment } from '../../wire/tar/tar-walker.ts';
import { ContextTree } from './context-tree.ts';
import { isIgnored } from './ignored.ts';

const IGNORE_FILE = '.dockerignore';
const MOST_IGNORE_BYTES = 1024 * 1024;
/** Of the Dockerfile, by ways that lead through links: each is held. */
const MOST_WAYS = 8;

export interface ContextRewriter {
  /** As the client's call names it; empty where it does not. */
  readonly dockerfile: string;
  /** As the engine's call names it, at the root of the context. */
  readonly sentAs: string;
  /** What the engine is to read. `file` is latin1, and so is what comes back. Ends the build by what it throws. */
  rewrite(file: string): Promise<string>;
}

/** `fail` is told once of what ends the build: a TarFault, or what the rewriter has thrown. */
export function rewrittenContext(
  onward: BodySink,
  { dockerfile, sentAs, rewrite }: ContextRewriter,
  fail: (fault: unknown) => void,
): BodySink {
  const tree = new ContextTree(dockerfile);
  const held = new HeldFiles();
  const walker = new TarWalker(
    onward,
    {
      treat(header) {
        const treatment = tree.treat(header);
        return held.treat(header, treatment, tree.isDockerfile());
      },
      read(entry) {
        tree.read(entry);
        held.read(entry);
        return null;
      },
      async finish() {
        const { path, content } = tree.dockerfile();
        const rewritten = Buffer.from(await rewrite(content.toString('latin1')), 'latin1');
        return Buffer.concat([...held.files(path, sentAs), printHeader(sentAs, rewritten.length), padded(rewritten)]);
      },
    },
    fail,
  );
  return new Unpacking(walker, fail);
}

/** The Dockerfile that an engine would remove itself, were it the one that it reads; and what decides about that. */
class HeldFiles {
  /** By path: entries replace each other. */
  private readonly dockerfiles = new Map<string, Entry>();
  private ignore: Entry | null = null;
  private holding = false;

  /** @throws TarFault for what would not be told from what is held */
  treat(header: RawHeader, treatment: Treatment, isDockerfile: boolean): Treatment {
    const path = cleanPath(header.name);
    const kind = kindOf(header);
    this.holding = (path === IGNORE_FILE || isDockerfile) && kind === 'file';
    if (kind === 'hard-link' && this.dockerfiles.has(cleanPath(header.linkName) ?? '')) {
      throw new TarFault('holds a hard link to its Dockerfile, which is not read in a namespace');
    }
    if (path === IGNORE_FILE) {
      if (kind !== 'file') throw new TarFault(`has something else than a file for its ${IGNORE_FILE}`);
      if (header.size > MOST_IGNORE_BYTES) throw new TarFault(`holds a ${IGNORE_FILE} of more than 1 MiB`);
    }
    if (this.holding) return 'hold';
    // What takes its place, another entry or that of a folder above, is met behind it.
    for (const held of this.dockerfiles.keys()) {
      if (path !== null && kind !== 'folder' && (held === path || held.startsWith(`${path}/`))) {
        this.dockerfiles.delete(held);
      }
    }
    return treatment;
  }

  /** @throws TarFault */
  read(entry: Entry): void {
    if (!this.holding) return;
    const path = cleanPath(entry.header.name);
    if (path === IGNORE_FILE) this.ignore = entry;
    else if (path !== null) this.dockerfiles.set(path, entry);
    if (this.dockerfiles.size > MOST_WAYS) throw new TarFault('holds its Dockerfile under too many names');
  }

  /** As they are to come to the engine, which would have removed the one that it `reads`, and is to leave `extra` out. */
  *files(reads: string, extra: string): Generator<Buffer> {
    const ignore = this.ignore?.content.toString() ?? '';
    for (const [path, { headerBlocks, content }] of this.dockerfiles) {
      if (path !== reads || !isIgnored(ignore, path)) yield Buffer.concat([headerBlocks, padded(content)]);
    }
    if (this.ignore !== null && isIgnored(ignore, extra)) {
      yield Buffer.concat([this.ignore.headerBlocks, padded(this.ignore.content)]);
      return;
    }
    const lines = this.ignore === null ? `${IGNORE_FILE}\n` : `${ignore}\n`;
    const content = Buffer.from(`${lines}${extra}\n`);
    yield Buffer.concat([
      printHeader(IGNORE_FILE, content.length, this.ignore === null ? undefined : modeOf(this.ignore.headerBlocks)),
      padded(content),
    ]);
  }
}
