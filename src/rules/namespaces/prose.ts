/**
 * Names in sentences of the engine. What is another's is hidden only where the client cannot have said it: a word that
 * comes back as it went tells nothing, and one that is missing tells that somebody has a thing of that name.
 */

import { SOCKET_PATHS } from '../../docker/asked-sockets.ts';
import { inEngineFolder } from '../../docker/engine-folders.ts';
import type { Directory } from './directory.ts';
import type { ImageNames } from './image-names.ts';
import { clientName } from './names.ts';

const HIDDEN = '(hidden)';
// A client can have an engine repeat megabytes: each of these looks at a character a bounded number of times. What has
// `+` in it begins where its characters begin, never in the middle of them.
const ENGINE_NAME = /(?<![a-z0-9-])[a-z0-9-]+\.[A-Za-z0-9][A-Za-z0-9_.-]*/g;
/** Ids of things, and the links that an engine names after networks; digests of images are everybody's. */
const ENGINE_ID = /(?<!sha256:)\b(?:[0-9a-f]{64}|br-[0-9a-f]{12})\b/g;
const WORD = /[^\s"',:]+/g;
const PATH = /(?<![^\s"',:=])[^\s"',:=/]*\/[^\s"',:=]*/g;
/** The file, or the folder, of a container's own socket on the host: what it is called there is in no answer. */
const SOCKET_FILE = /\/jobs\/[0-9a-f]{20}(?:\/docker\.sock)?/g;
const WHOLE_ID = /^[0-9a-f]{64}$/;

/** What a call has said, and what the engine was told instead. */
export interface Spoken {
  /** The engine's name or id, and the client's spelling. */
  readonly engine: string;
  readonly client: string;
}

export class Prose {
  private readonly namespace: string;
  private readonly directory: Directory;
  private readonly own: RegExp;
  private readonly images: ImageNames;

  constructor(namespace: string, directory: Directory, images: ImageNames) {
    this.namespace = namespace;
    this.directory = directory;
    this.images = images;
    this.own = new RegExp(`(?<![A-Za-z0-9_.-])${namespace}\\.([A-Za-z0-9][A-Za-z0-9_.-]*)`, 'g');
  }

  /** What the engine says by itself; `said` is everything that the client may have had it say. */
  told(text: string, spoken: readonly Spoken[], said: () => string): string {
    const saidWords = new SaidWords(said);
    return this.inOwnWords(text, spoken)
      .replace(ENGINE_NAME, (word) =>
        this.directory.isAnothersName(this.namespace, word) && !saidWords.hasName(word) ? HIDDEN : word,
      )
      .replace(ENGINE_ID, (id) => (this.directory.isOwn(this.namespace, id) || saidWords.hasId(id) ? id : HIDDEN));
  }

  /** What repeats what a client has said at some time: own names are put back, and only ids, which nobody guesses, hidden. */
  repeated(text: string, spoken: readonly Spoken[]): string {
    const told = this.spelledByClient(text, spoken).replace(ENGINE_ID, (id) => (this.isAnothers(id) ? HIDDEN : id));
    return this.withOwn(told, (said, name) =>
      // A sentence can end with a dot; so can a name.
      [said, withoutDots(said)].some((one) => this.directory.mayHave(this.namespace, one)) ? name : said,
    );
  }

  private isAnothers(id: string): boolean {
    const owner = this.directory.owner(id);
    return owner !== null && owner !== this.namespace;
  }

  private inOwnWords(text: string, spoken: readonly Spoken[]): string {
    return this.withOwn(this.spelledByClient(text, spoken), (_, name) => name);
  }

  /** Own names, but those of folders. */
  private withOwn(text: string, spell: (said: string, name: string) => string): string {
    return text.replace(WORD, (word) => {
      const last = word.lastIndexOf('/') + 1;
      return word.slice(0, last) + word.slice(last).replace(this.own, spell);
    });
  }

  private spelledByClient(text: string, spoken: readonly Spoken[]): string {
    let told = this.images.inProse(text.replace(PATH, (path) => this.pathTold(path)));
    for (const { engine, client } of spoken) {
      // Where the name is said too, the id beside it is what dockerd would say.
      const idBesideName =
        WHOLE_ID.test(engine) &&
        spoken.some((other) => other.client === client && !WHOLE_ID.test(other.engine) && text.includes(other.engine));
      if (engine !== client && !idBesideName) told = told.replaceAll(engine, client);
    }
    return told;
  }

  /** Files of the host that are a container's socket, its own files, or a volume's. What stands before the path stays. */
  private pathTold(text: string): string {
    const start = text.indexOf('/');
    const [before, path] = [text.slice(0, start), text.slice(start)];
    const socket = [...path.matchAll(SOCKET_FILE)].at(-1);
    if (socket !== undefined) return `${before}${SOCKET_PATHS[0]}${path.slice(socket.index + socket[0].length)}`;
    const found = inEngineFolder(path);
    if (found === null) return text;
    if (found.volume === null) return before + (found.path || '/');
    return before + (clientName(this.namespace, found.volume) ?? HIDDEN) + found.path;
  }
}

/** What a client has said, looked into only where that matters. */
class SaidWords {
  private readonly said: () => string;
  private text: string | undefined;
  private ids: ReadonlySet<string> | undefined;
  private readonly names = new Map<string, boolean>();

  constructor(said: () => string) {
    this.said = said;
  }

  hasName(name: string): boolean {
    const known = this.names.get(name) ?? this.whole().includes(name);
    this.names.set(name, known);
    return known;
  }

  hasId(id: string): boolean {
    this.ids ??= new Set(this.whole().match(ENGINE_ID));
    return this.ids.has(id);
  }

  private whole(): string {
    this.text ??= this.said();
    return this.text;
  }
}

function withoutDots(text: string): string {
  let end = text.length;
  while (text[end - 1] === '.') end--;
  return text.slice(0, end);
}
