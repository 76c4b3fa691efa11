/**
 * The three certificates of interception (RFC 5280): a root whose key signs one intermediate and is never seen again, the
 * intermediate that may sign for the cached hosts alone, and the leaf of one host. P-256 with SHA-256.
 */

import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import { bits, integer, octets, oid, primitive, sequence, set, tagged, time, utf8, yes } from './der.ts';

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const COMMON_NAME = oid('2.5.4.3');
const SERVER_AUTH = sequence(oid('1.3.6.1.5.5.7.3.1'));
const KEY_USAGE_CA = bits(Buffer.of(0b0000_0110), 1);
const KEY_USAGE_LEAF = bits(Buffer.of(0b1000_0000), 7);
const EVERY_IPV4 = Buffer.alloc(8);
const EVERY_IPV6 = Buffer.alloc(32);

/** What every subject of ours begins with: by it our certificates are found again wherever they were put. */
export const SUBJECT = 'Berthgate cache';

export interface Validity {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Signer {
  /** Its common name. */
  readonly name: string;
  readonly key: KeyObject;
}

/** DER. Signs itself; the caller throws the key away. */
export function makeRoot(self: Signer, hosts: readonly string[], validity: Validity): Buffer {
  const subject = createPublicKey(self.key);
  return certificate(self, { name: self.name, key: subject }, validity, [
    ...authority(1),
    nameConstraints(hosts),
    keyIdentifier(subject),
  ]);
}

/** DER. */
export function makeIntermediate(
  root: Signer,
  subject: { readonly name: string; readonly key: KeyObject },
  hosts: readonly string[],
  validity: Validity,
): Buffer {
  return certificate(root, subject, validity, [
    ...authority(0),
    extension('2.5.29.37', SERVER_AUTH),
    nameConstraints(hosts),
    keyIdentifier(subject.key),
    issuerIdentifier(root),
  ]);
}

/** DER, for one host name. */
export function makeLeaf(intermediate: Signer, host: string, key: KeyObject, validity: Validity): Buffer {
  return certificate(intermediate, { name: null, key }, validity, [
    extension('2.5.29.19', sequence(), true),
    extension('2.5.29.15', KEY_USAGE_LEAF, true),
    extension('2.5.29.37', SERVER_AUTH),
    // The subject is empty, since a common name holds 64 characters: then this one is critical.
    extension('2.5.29.17', sequence(dnsName(host)), true),
    keyIdentifier(key),
    issuerIdentifier(intermediate),
  ]);
}

export function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** By what OpenSSL looks up a certificate in a folder: `HASH.0`. Of a subject that is this common name alone. */
export function subjectHash(name: string): string {
  const canonical = name.trim().toLowerCase().replace(/\s+/g, ' ');
  const digest = createHash('sha1')
    .update(set(sequence(COMMON_NAME, utf8(canonical))))
    .digest();
  return digest.readUInt32LE(0).toString(16).padStart(8, '0');
}

function certificate(
  issuer: Signer,
  subject: { readonly name: string | null; readonly key: KeyObject },
  { fromMs, toMs }: Validity,
  extensions: readonly Buffer[],
): Buffer {
  const toBeSigned = sequence(
    tagged(0, primitive(0x02, Buffer.of(2))),
    integer(serial()),
    ECDSA_SHA256,
    nameOf(issuer.name),
    sequence(time(fromMs), time(toMs)),
    nameOf(subject.name),
    spki(subject.key),
    tagged(3, sequence(...extensions)),
  );
  return sequence(toBeSigned, ECDSA_SHA256, bits(sign('sha256', toBeSigned, issuer.key)));
}

/** 127 bits, never zero. */
function serial(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40;
  return bytes;
}

function nameOf(commonName: string | null): Buffer {
  return commonName === null ? sequence() : sequence(set(sequence(COMMON_NAME, utf8(commonName))));
}

function spki(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [yes] : []), octets(value));
}

function authority(pathLength: number): readonly Buffer[] {
  const constraints = sequence(yes, primitive(0x02, Buffer.of(pathLength)));
  return [extension('2.5.29.19', constraints, true), extension('2.5.29.15', KEY_USAGE_CA, true)];
}

/** These names (and, as RFC 5280 has it, those below them), and no address at all. */
function nameConstraints(hosts: readonly string[]): Buffer {
  const permitted = hosts.map((host) => sequence(dnsName(host.replace(/^\*\./, ''))));
  const excluded = [EVERY_IPV4, EVERY_IPV6].map((range) => sequence(primitive(0x87, range)));
  return extension('2.5.29.30', sequence(tagged(0, ...permitted), tagged(1, ...excluded)), true);
}

function dnsName(host: string): Buffer {
  return primitive(0x82, Buffer.from(host, 'latin1'));
}

function keyIdentifier(key: KeyObject): Buffer {
  return extension('2.5.29.14', octets(identifierOf(key)));
}

function issuerIdentifier({ key }: Signer): Buffer {
  const identifier = identifierOf(key.type === 'private' ? createPublicKey(key) : key);
  return extension('2.5.29.35', sequence(primitive(0x80, identifier)));
}

function identifierOf(key: KeyObject): Buffer {
  return createHash('sha1').update(spki(key)).digest();
}

export function readKey(pem: string): KeyObject {
  return createPrivateKey(pem);
}
