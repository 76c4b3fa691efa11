/**
 * Certificate revocation lists (RFC 5280 §5), PEM or DER, several in one file. Checked here and not by TLS, since a
 * connection lives longer than a list, and a resumed TLS session is not checked again.
 */

import { type KeyObject, verify, X509Certificate } from 'node:crypto';
import { extensionsOf, readCertificate, serialOf } from './certificate.ts';
import { childrenOf, DerFault, type DerNode, eachChildOf, objectIdOf, readDer, tags, timeOf } from './der.ts';

export interface RevocationList {
  /** DER of the issuer's name, in hex. */
  readonly issuer: string;
  /** Since 1970. Later than this the list says nothing any more. */
  readonly nextUpdateMs: number;
  readonly revoked: ReadonlySet<string>;
}

/** Signature algorithms by object identifier; null: the key says all. */
const digests: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null,
  '1.3.101.113': null,
};

/** The extensions that change nothing in what a list says: authorityKeyIdentifier, cRLNumber. */
const harmless: ReadonlySet<string> = new Set(['2.5.29.35', '2.5.29.20']);

/** Every list must be signed by one of the CAs. @throws Error */
export function readRevocationLists(bytes: Buffer, authorities: readonly X509Certificate[]): RevocationList[] {
  const lists = blocksOf(bytes).map((der, i) => {
    try {
      return readList(der, authorities);
    } catch (cause) {
      throw new Error(`the revocation list no. ${i + 1} ${(cause as Error).message}`, { cause });
    }
  });
  if (lists.length === 0) throw new Error('holds no revocation list');
  return lists;
}

export function readAuthorities(bytes: Buffer): X509Certificate[] {
  const blocks = pemBlocks(bytes, 'CERTIFICATE');
  if (blocks.length === 0) throw new Error('holds no certificate');
  return blocks.map((der) => new X509Certificate(der));
}

function blocksOf(bytes: Buffer): Buffer[] {
  return bytes[0] === tags.sequence ? [bytes] : pemBlocks(bytes, 'X509 CRL');
}

function pemBlocks(bytes: Buffer, label: string): Buffer[] {
  const begin = `-----BEGIN ${label}-----`;
  const end = `-----END ${label}-----`;
  const text = bytes.toString('latin1');
  const blocks: Buffer[] = [];
  for (let at = text.indexOf(begin); at !== -1; at = text.indexOf(begin, at + 1)) {
    const stop = text.indexOf(end, at);
    if (stop === -1) throw new Error('breaks off in the middle');
    blocks.push(Buffer.from(text.slice(at + begin.length, stop), 'base64'));
  }
  return blocks;
}

function readList(der: Buffer, authorities: readonly X509Certificate[]): RevocationList {
  const [signed, algorithm, signature] = childrenOf(readDer(der), tags.sequence);
  if (signed === undefined || algorithm === undefined || signature?.tag !== tags.bitString) {
    throw new DerFault('is not a revocation list');
  }
  const fields = [...childrenOf(signed, tags.sequence)];
  if (fields[0]?.tag === tags.integer) fields.shift();
  const innerAlgorithm = fields.shift();
  const issuer = fields.shift();
  const thisUpdate = fields.shift();
  if (innerAlgorithm === undefined || issuer?.tag !== tags.sequence || thisUpdate === undefined) {
    throw new DerFault('is not a revocation list');
  }
  if (!innerAlgorithm.whole.equals(algorithm.whole)) throw new DerFault('names two algorithms');
  timeOf(thisUpdate);
  const next = fields[0];
  if (next?.tag !== tags.utcTime && next?.tag !== tags.generalizedTime) throw new DerFault('has no nextUpdate');
  fields.shift();
  const entries = fields[0]?.tag === tags.sequence ? fields.shift() : undefined;
  refuseExtensions(fields[0]);

  const issuerName = issuer.whole.toString('hex');
  const signers = authorities.filter(({ raw }) => readCertificate(raw).subject === issuerName);
  refuseForged(signed.whole, algorithm, signature, signers);
  const revoked = new Set<string>();
  for (const entry of entries === undefined ? [] : eachChildOf(entries)) {
    const [serial, , extensions] = childrenOf(entry, tags.sequence);
    if (serial === undefined) throw new DerFault('has an entry without a serial number');
    // A critical extension of an entry may say that it is another issuer's certificate.
    if (extensions !== undefined) refuseCriticalIn(extensions);
    revoked.add(serialOf(serial));
  }
  return { issuer: issuerName, nextUpdateMs: timeOf(next), revoked };
}

/** Deltas, partitions and indirect lists say less, or other things, than "these are all that are revoked". */
function refuseExtensions(tagged: DerNode | undefined): void {
  for (const { id, critical } of extensionsOf(tagged)) {
    if (critical && !harmless.has(id)) throw new Error(`has the critical extension ${id}, which is not understood`);
  }
}

function refuseCriticalIn(extensions: DerNode): void {
  for (const extension of childrenOf(extensions, tags.sequence)) {
    const parts = childrenOf(extension, tags.sequence);
    if (parts.length === 3 && parts[1]!.value[0] !== 0) {
      throw new Error(`has an entry with the critical extension ${objectIdOf(parts[0]!)}, which is not understood`);
    }
  }
}

function refuseForged(
  signed: Buffer,
  algorithm: DerNode,
  signature: DerNode,
  authorities: readonly X509Certificate[],
): void {
  const [id] = childrenOf(algorithm, tags.sequence);
  const name = id === undefined ? '' : objectIdOf(id);
  const digest = digests[name];
  if (digest === undefined) throw new Error(`is signed with ${name}, which is not taken`);
  // The first octet of a bit string counts the bits that are not used.
  if (signature.value[0] !== 0) throw new DerFault('has a signature that is none');
  const bits = signature.value.subarray(1);
  const signs = (key: KeyObject): boolean => {
    try {
      return verify(digest, signed, key, bits);
    } catch {
      // A key of another kind than the algorithm: not its signature.
      return false;
    }
  };
  if (!authorities.some(({ publicKey }) => signs(publicKey))) throw new Error('is not signed by the CA');
}
