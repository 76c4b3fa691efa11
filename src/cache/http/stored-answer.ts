/** What is kept of an answer beside its body. */

import type { RawHeaders } from '../../wire/message.ts';

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
  /** The request had credentials, and the origin said that the answer is for all the same (RFC 9111 §3.5). */
  readonly openToAll: boolean;
}
