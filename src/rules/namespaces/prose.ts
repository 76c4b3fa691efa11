/**
 * Names in sentences of the engine. What is another's is hidden only where the client cannot have said it: a word that
 * comes back as it went tells nothing, and one that is missing tells that somebody has a thing of that name.
 */

import { SOCKET_PATHS } from '../../docker/asked-sockets.ts';
import type { Directory } from './directory.ts';
import type { ImageNames } from './image-names.ts';

const HIDDEN = '(hidden)';
const ENGINE_NAME = /[a-z0-9-]+\.[A-Za-z0-9][A-Za-z0-9_.-]*/g;
/** Ids of things, and the links that an engine names after networks; digests of images are everybody's. */
const ENGINE_ID = /(?<!sha256:)\b(?:[0-9a-f]{64}|br-[0-9a-f]{12})\b/g;
/** The file, or the folder, of a container's own socket on the host: what it is called there is in no answer. */
const SOCKET_FILE = /\/[^\s"',:=]*\/jobs\/[0-9a-f]{20}(?:\/docker\.sock)?/g;
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
    this.own = new RegExp(`(?<![A-Za-z0-9_.-])${namespace}\\.([A-Za-z0-9][A-Za-z0-9_.-]*)(?![^\\s"',:]*/)`, 'g');
  }

  /** What the engine says by itself; `said` is everything that the client may have had it say. */
  told(text: string, spoken: readonly Spoken[], said: () => string): string {
    const isSaid = (word: string): boolean => said().includes(word);
    return this.inOwnWords(text, spoken)
      .replace(ENGINE_NAME, (word) =>
        this.directory.isAnothersName(this.namespace, word) && !isSaid(word) ? HIDDEN : word,
      )
      .replace(ENGINE_ID, (id) => (this.directory.isOwn(this.namespace, id) || isSaid(id) ? id : HIDDEN));
  }

  /** What repeats what a client has said at some time: own names are put back, and only ids, which nobody guesses, hidden. */
  repeated(text: string, spoken: readonly Spoken[]): string {
    const told = this.spelledByClient(text, spoken).replace(ENGINE_ID, (id) => (this.isAnothers(id) ? HIDDEN : id));
    return told.replace(this.own, (said, name: string) =>
      // A sentence can end with a dot; so can a name.
      [said, said.replace(/\.+$/, '')].some((one) => this.directory.mayHave(this.namespace, one)) ? name : said,
    );
  }

  private isAnothers(id: string): boolean {
    const owner = this.directory.owner(id);
    return owner !== null && owner !== this.namespace;
  }

  private inOwnWords(text: string, spoken: readonly Spoken[]): string {
    return this.spelledByClient(text, spoken).replace(this.own, '$1');
  }

  private spelledByClient(text: string, spoken: readonly Spoken[]): string {
    let told = this.images.inProse(text);
    for (const { engine, client } of spoken) {
      // Where the name is said too, the id beside it is what dockerd would say.
      const idBesideName =
        WHOLE_ID.test(engine) &&
        spoken.some((other) => other.client === client && !WHOLE_ID.test(other.engine) && text.includes(other.engine));
      if (engine !== client && !idBesideName) told = told.replaceAll(engine, client);
    }
    return told.replace(SOCKET_FILE, SOCKET_PATHS[0] as string);
  }
}
