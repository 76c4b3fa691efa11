/**
 * The file of bearer tokens: one JSON object a line. It holds the SHA-256 of each token, which is enough, since a token
 * is 256 random bits: there is nothing to guess.
 */

import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { isPlainName } from './plain-name.ts';

export const tokenPrefix = 'bgt_';
const tokenShape = /^bgt_[A-Za-z0-9_-]{43}$/;

const name = z.string().refine(isPlainName, { error: 'must be a name without control characters' });
const instant = z.iso.datetime({ offset: true, error: 'must be a time such as 2030-01-31T00:00:00Z' });

const recordSchema = z.strictObject({
  /** What the token is called in lists and for `revoke`. No secret. */
  id: z.string().regex(/^[a-z0-9]{8,32}$/, { error: 'must be 8 to 32 of a-z and 0-9' }),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, { error: 'must be 64 hexadecimal digits' }),
  user: name,
  groups: z.array(name).default([]),
  created: instant.optional(),
  expires: instant.optional(),
  note: name.optional(),
});

export type TokenRecord = z.output<typeof recordSchema>;

export interface TokenTable {
  readonly records: readonly TokenRecord[];
  readonly byHash: ReadonlyMap<string, TokenRecord>;
}

export function looksLikeToken(text: string): boolean {
  return tokenShape.test(text);
}

export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Makes a token and its record. The token is shown once and kept nowhere. */
export function makeToken(facts: Pick<TokenRecord, 'user' | 'groups' | 'expires' | 'note'>): {
  readonly token: string;
  readonly record: TokenRecord;
} {
  const token = tokenPrefix + randomBytes(32).toString('base64url');
  const id = randomBytes(6).toString('hex');
  const record = { id, sha256: hashOf(token), ...facts, created: new Date().toISOString() };
  return { token, record: recordSchema.parse(JSON.parse(JSON.stringify(record))) };
}

/** @throws Error that names the line and the field, and no value */
export function readTokenFile(bytes: Buffer): TokenTable {
  const records: TokenRecord[] = [];
  const byHash = new Map<string, TokenRecord>();
  const ids = new Set<string>();
  for (const [i, line] of bytes.toString('utf8').split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const record = readRecord(line, i + 1);
    if (byHash.has(record.sha256)) throw new Error(`line ${i + 1}: this token stands there a second time`);
    if (ids.has(record.id)) throw new Error(`line ${i + 1}: the id ${record.id} stands there a second time`);
    ids.add(record.id);
    byHash.set(record.sha256, record);
    records.push(record);
  }
  return { records, byHash };
}

export function printRecord(record: TokenRecord): string {
  return `${JSON.stringify(record)}\n`;
}

function readRecord(line: string, number: number): TokenRecord {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // The parser's own words would quote the line.
    throw new Error(`line ${number}: is not JSON`);
  }
  const read = recordSchema.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new Error(`line ${number}: ${issue!.path.join('.') || 'the line'}: ${issue!.message}`);
}

export function expired({ expires }: TokenRecord, now: number): boolean {
  return expires !== undefined && Date.parse(expires) <= now;
}
