/**
 * Heads that have been read before. Clients that poll, and engines that answer them, begin their messages with the same
 * bytes again and again: the same bytes are the same head, object for object, and what is made of it is made once.
 */

/** Longer heads hold something of their own: a token, a registry's credentials. */
const MOST_CHARACTERS = 768;
const MOST_HEADS = 256;

export class KnownHeads<Head> {
  #heads = new Map<string, Head>();
  #lastText = '';
  #last: Head | undefined = undefined;

  /** `text` is a whole head as it came, its empty line too. */
  find(text: string): Head | undefined {
    // To compare two texts costs less than to look one up.
    if (text === this.#lastText) return this.#last;
    if (text.length > MOST_CHARACTERS) return undefined;
    const head = this.#heads.get(text);
    if (head !== undefined) {
      this.#lastText = text;
      this.#last = head;
    }
    return head;
  }

  keep(text: string, head: Head): void {
    if (text.length > MOST_CHARACTERS) return;
    // Those that still come are back after one reading; to know which they are would cost every call.
    if (this.#heads.size >= MOST_HEADS) this.#heads = new Map();
    this.#heads.set(text, head);
  }
}
