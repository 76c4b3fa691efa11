/**
 * Java's lists of trusted certificates, with ours and without: JKS, and PKCS #12 as JDK 18 and later ship it, without a
 * password. What is encrypted stays as it is: nobody tells us how to open it.
 */

import { createHash, X509Certificate } from 'node:crypto';
import { SUBJECT } from '../certificates.ts';
import { bmp, type Der, octets, oid, partsOf, readDer, sequence, set, tagged } from '../der.ts';
import { fileNameOf } from './places.ts';

export interface TrustedRoot {
  readonly name: string;
  readonly pem: string;
}

const JKS = 0xfeedfeed;
const JKS_TRUSTED = 2;
const JKS_VERSION = 2;
/** Everybody's, and nobody's secret: it only tells that the file is whole. */
const PASSWORD = 'changeit';
const DIGEST_BYTES = 20;
const DATA = oid('1.2.840.113549.1.7.1');
const CERT_BAG = oid('1.2.840.113549.1.12.10.1.3');
const X509 = oid('1.2.840.113549.1.9.22.1');
const FRIENDLY_NAME = oid('1.2.840.113549.1.9.20');
/** Oracle's: without it Java takes the certificate for nobody's. */
const TRUSTED_KEY_USAGE = oid('2.16.840.1.113894.746875.1.1');
const ANY_USAGE = oid('2.5.29.37.0');

/** Ours at the end, and no older ones of ours; null for what cannot be read, or is protected. */
export function storeWith(store: Buffer, roots: readonly TrustedRoot[]): Buffer | null {
  try {
    return store.length > 4 && store.readUInt32BE(0) === JKS ? jksWith(store, roots) : pkcs12With(store, roots);
  } catch {
    return null;
  }
}

function jksWith(store: Buffer, roots: readonly TrustedRoot[]): Buffer | null {
  const body = store.subarray(0, -DIGEST_BYTES);
  if (!jksDigest(body).equals(store.subarray(-DIGEST_BYTES)) || body.readUInt32BE(4) !== JKS_VERSION) return null;
  const entries: Buffer[] = [];
  let at = 12;
  for (let left = body.readUInt32BE(8); left > 0; left--) {
    const start = at;
    const tag = body.readUInt32BE(at);
    // A private key: no list of what is trusted.
    if (tag !== JKS_TRUSTED) return null;
    at += 4;
    at += 2 + body.readUInt16BE(at) + 8;
    at += 2 + body.readUInt16BE(at);
    const size = body.readUInt32BE(at);
    const certificate = body.subarray(at + 4, at + 4 + size);
    at += 4 + size;
    if (!certificate.includes(SUBJECT)) entries.push(body.subarray(start, at));
  }
  if (at !== body.length) return null;
  for (const root of roots) entries.push(jksEntry(root));
  const head = Buffer.alloc(12);
  head.writeUInt32BE(JKS, 0);
  head.writeUInt32BE(JKS_VERSION, 4);
  head.writeUInt32BE(entries.length, 8);
  const made = Buffer.concat([head, ...entries]);
  return Buffer.concat([made, jksDigest(made)]);
}

function jksEntry({ name, pem }: TrustedRoot): Buffer {
  const certificate = new X509Certificate(pem);
  const tag = Buffer.alloc(4);
  tag.writeUInt32BE(JKS_TRUSTED);
  const date = Buffer.alloc(8);
  date.writeBigUInt64BE(BigInt(Date.parse(certificate.validFrom)));
  const size = Buffer.alloc(4);
  size.writeUInt32BE(certificate.raw.length);
  return Buffer.concat([tag, javaText(fileNameOf(name)), date, javaText('X.509'), size, certificate.raw]);
}

function javaText(text: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(text.length);
  return Buffer.concat([length, Buffer.from(text, 'latin1')]);
}

function jksDigest(body: Buffer): Buffer {
  return createHash('sha1')
    .update(Buffer.from(PASSWORD, 'utf16le').swap16())
    .update('Mighty Aphrodite')
    .update(body)
    .digest();
}

function pkcs12With(store: Buffer, roots: readonly TrustedRoot[]): Buffer | null {
  const [version, content, mac] = partsOf(readDer(store));
  if (version === undefined || content === undefined || mac !== undefined) return null;
  const safes = partsOf(readDer(dataIn(content)));
  const kept = safes.map((safe) => partsOf(readDer(dataIn(safe))).filter((bag) => !bag.whole.includes(SUBJECT)));
  if (kept.length === 0) return null;
  const bags = kept.map((some) => some.map(({ whole }) => whole));
  (bags.at(-1) as Buffer[]).push(...roots.map(bagOf));
  const authenticated = sequence(...bags.map((some) => dataOf(sequence(...some))));
  return sequence(version.whole, dataOf(authenticated));
}

/** @throws Error for what is encrypted */
function dataIn(contentInfo: Der): Buffer {
  const [type, wrapped] = partsOf(contentInfo);
  if (type === undefined || wrapped === undefined || !type.whole.equals(DATA)) throw new Error('is encrypted');
  const [content] = partsOf(wrapped);
  if (content === undefined) throw new Error('is empty');
  return content.content;
}

function dataOf(content: Buffer): Buffer {
  return sequence(DATA, tagged(0, octets(content)));
}

function bagOf({ name, pem }: TrustedRoot): Buffer {
  const certificate = sequence(X509, tagged(0, octets(new X509Certificate(pem).raw)));
  const attributes = set(
    sequence(FRIENDLY_NAME, set(bmp(fileNameOf(name)))),
    sequence(TRUSTED_KEY_USAGE, set(ANY_USAGE)),
  );
  return sequence(CERT_BAG, tagged(0, certificate), attributes);
}
