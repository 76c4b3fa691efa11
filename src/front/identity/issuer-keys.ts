/** An issuer's public keys, and which of them a token's header names. */

import { createLocalJWKSet, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';

/** Asymmetric only: with a symmetric algorithm a public key would be the secret. */
export const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

export interface KeyFinder {
  readonly find: JWTVerifyGetKey;
  /** Whether the key that the header names is there. */
  has(header: { readonly kid?: string | undefined }): boolean;
}

/** Where an issuer's keys come from. */
export interface KeySource {
  /** Grows with each new set of keys. */
  readonly generation: number;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** `unknownKey` when those that were given last do not hold the one that a token names. Null: none to be had. */
  keys(unknownKey: boolean): Promise<KeyFinder | null>;
}

const kinds = ['RSA', 'EC', 'OKP'];
const keySet = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string().optional() })) });
type PublicKeys = Parameters<typeof createLocalJWKSet>[0];

/** @throws Error for what is no key set, and for one without public keys */
export function readKeySet(bytes: Buffer): KeyFinder {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new Error('is not JSON', { cause });
  }
  const read = keySet.safeParse(value);
  if (!read.success) throw new Error('is not a set of keys: {"keys": [...]}');
  // Kinds that are not known yet may stand beside those that are (RFC 7517 §5).
  const keys = read.data.keys.filter(({ kty, use }) => kinds.includes(kty) && (use === undefined || use === 'sig'));
  if (keys.length === 0) throw new Error('holds no public key for signatures');
  if (keys.some((key) => 'd' in key)) throw new Error('holds a private key: whoever reads it could sign');
  const find = createLocalJWKSet({ keys } as unknown as PublicKeys);
  const ids = new Set(keys.map(({ kid }) => kid));
  return { find, has: ({ kid }) => kid === undefined || ids.has(kid) };
}
