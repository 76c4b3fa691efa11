/** The words of HTTP/1.1 that the wire speaks: heads, framing, sinks for bytes, faults. Knows nothing of Docker. */

/** Header fields as they came, flat: `[name, value, name, value, …]`. Order, case and repetition are kept. */
export type RawHeaders = readonly string[];

/** How a body is delimited (RFC 9112 §6). `close` exists for answers only. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'close' };

export interface RequestHead {
  readonly method: string;
  /** The request target exactly as it came, one byte a character (latin1). */
  readonly target: string;
  readonly minorVersion: 0 | 1;
  readonly headers: RawHeaders;
  readonly framing: Framing;
  readonly keepAlive: boolean;
  /** The value of `Upgrade`, lower-cased, whether or not `Connection` names it; null where there is none. */
  readonly upgrade: string | null;
  readonly expectsContinue: boolean;
  /** For whoever reads the head: what it made of it. A head that comes again is the same object (`KnownHeads`). */
  meaning?: unknown;
}

export interface AnswerHead {
  readonly status: number;
  readonly reason: string;
  readonly headers: RawHeaders;
  readonly framing: Framing;
  readonly keepAlive: boolean;
  readonly upgrade: string | null;
  /** For the relay: what travels on of it, where it has done so before. */
  onward?: AnswerStart | undefined;
}

/**
 * What was made of an object, kept with it. It counts only for the very object that it was made of: a changed copy
 * (`{...request, target}`) would otherwise be sent as what it was copied from.
 */
export interface Kept<Made> {
  readonly of: object;
  readonly made: Made;
}

/** What an answer is printed from; the printer adds framing and connection fields itself. */
export interface AnswerStart {
  readonly status: number;
  readonly reason: string;
  readonly headers: RawHeaders;
  /** For the printer: its status line and fields, where they have been printed before. */
  kept?: Kept<string>;
  /** For `answerSame`: the whole answer. */
  whole?: Kept<Buffer> & { readonly body: Buffer };
}

/**
 * Takes the bytes of one body. `write` gives true when the chunk is done with and more may come at once; false when
 * the sink still holds it: the source then stops, and its buffer stays untouched, until `onReady` is called.
 * `last` says that nothing but `end()` without trailers follows, so that both may leave together.
 */
export interface BodySink {
  write(chunk: Buffer, last?: boolean): boolean;
  end(trailers?: RawHeaders): void;
  /** Ends the body so that the other side sees an error: never a clean end of a short body. */
  abort(cause: Error): void;
  onReady: (() => void) | null;
  /** Nothing more comes, however the message has ended: what is held beside memory is let go. */
  release?(): void;
}

/** The first value of a header, by its lower-case name. */
export function headerValue(headers: RawHeaders, lowerCaseName: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length === lowerCaseName.length && name.toLowerCase() === lowerCaseName) return headers[i + 1];
  }
  return undefined;
}
