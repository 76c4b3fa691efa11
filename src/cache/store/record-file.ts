/** The file of all records of a key: a line with the SHA-256 of the rest, and the rest, JSON. What does not fit is no record. */

import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { StoredRecord } from '../store.ts';

export interface RecordFile {
  readonly key: string;
  /** Newest first. */
  readonly records: readonly StoredRecord[];
}

const content = z.strictObject({
  version: z.literal(1),
  key: z.string(),
  records: z.array(
    z.strictObject({
      variant: z.string(),
      digest: z.string().regex(/^[0-9a-f]{64}$/),
      size: z.number().int().nonnegative(),
      storedAt: z.number(),
      meta: z.unknown(),
    }),
  ),
});

export function printRecordFile({ key, records }: RecordFile): Buffer {
  const rest = JSON.stringify({
    version: 1,
    key,
    records: records.map(({ variant, digest, size, storedAt, meta }) => ({ variant, digest, size, storedAt, meta })),
  });
  return Buffer.from(`${sha256(rest)}\n${rest}`);
}

/** Null where it is not what `printRecordFile` has written. */
export function readRecordFile(bytes: Buffer): RecordFile | null {
  const text = bytes.toString();
  const line = text.indexOf('\n');
  const rest = text.slice(line + 1);
  if (line === -1 || text.slice(0, line) !== sha256(rest)) return null;
  const read = content.safeParse(JSON.parse(rest));
  if (!read.success) return null;
  const { key, records } = read.data;
  return { key, records: records.map((record) => ({ ...record, key })) };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
