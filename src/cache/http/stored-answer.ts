/** What is kept of an answer beside its body. */

import type { RawHeaders } from '../../wire/message.ts';
import type { StoredRecord } from '../store.ts';

export interface StoredAnswer {
  readonly status: number;
  readonly reason: string;
  /** Without fields of one connection, without `Set-Cookie`, and without what the origin wants nobody else to be told. */
  readonly headers: RawHeaders;
  /** When it was asked for, in milliseconds since 1970. */
  readonly requestedMs: number;
  /** When its head came. */
  readonly answeredMs: number;
  /** The fields of requests that it was chosen by, normalised: flat name and value; null for one that was not there. */
  readonly selectedBy: readonly (string | null)[];
  /** Of the body. */
  readonly length: number;
}

/** Null where the record is none of ours. */
export function answerOf({ meta, size }: StoredRecord): StoredAnswer | null {
  const read = meta as Partial<StoredAnswer> | null;
  if (typeof read?.status !== 'number' || !Array.isArray(read.headers) || !Array.isArray(read.selectedBy)) return null;
  return { ...(read as StoredAnswer), length: size };
}
