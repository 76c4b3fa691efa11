/** Bodies that are small and must be known whole. */

import type { Readable } from 'node:stream';

/** Null for what is larger. @throws what the body breaks with */
export async function readWhole(body: Readable, mostBytes: number): Promise<Buffer | null> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > mostBytes) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

export function letGo(body: Readable): void {
  body.on('error', () => {});
  body.resume();
}
