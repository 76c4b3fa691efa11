/** Whoever judges an archive of images by what is in it, which only the body of the call tells. */

/** What has come so far, in bytes. */
export interface LoadedBytes {
  /** Of the archive, unpacked where it was packed: an engine lays it aside until it has all of it. */
  readonly archive: number;
  /** Of what is in it, unpacked: what the images take. */
  readonly contents: number;
}

export interface LoadJudge {
  /** A name that the archive gives to an image, before the engine knows it. @throws Refusal */
  name?(text: string): void;
  /** As it comes. @throws Refusal */
  size?(bytes: LoadedBytes): void;
}
