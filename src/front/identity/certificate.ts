/** What a certificate says: the fields of its subject and its alternative names, each with all its values. */

import { asciiOf, childrenOf, DerFault, type DerNode, objectIdOf, readDer, tags, textOf, timeOf } from './der.ts';

export interface ReadCertificate {
  readonly commonNames: readonly string[];
  readonly units: readonly string[];
  readonly dns: readonly string[];
  readonly emails: readonly string[];
  readonly uris: readonly string[];
  /** DER of the names, in hex: equal for equal names. */
  readonly issuer: string;
  readonly subject: string;
  /** In hex, without leading zeros. */
  readonly serial: string;
  /** Since 1970. */
  readonly notAfterMs: number;
}

const objectIds = { commonName: '2.5.4.3', unit: '2.5.4.11', alternativeName: '2.5.29.17' } as const;

/** GeneralName of RFC 5280 §4.2.1.6: context tags, IA5String. */
const generalName = { email: 0x81, dns: 0x82, uri: 0x86 } as const;

/** @throws DerFault for a certificate that cannot be read in one way */
export function readCertificate(raw: Buffer): ReadCertificate {
  const [signed] = childrenOf(readDer(raw), tags.sequence);
  if (signed === undefined) throw new DerFault('is not a certificate');
  const fields = [...childrenOf(signed, tags.sequence)];
  // [0] version is left out by version 1.
  if (fields[0]?.tag === 0xa0) fields.shift();
  const [serial, , issuer, validity, subject] = fields;
  const notAfter = validity === undefined ? undefined : childrenOf(validity, tags.sequence)[1];
  if (serial === undefined || issuer === undefined || subject === undefined || notAfter === undefined)
    throw new DerFault('is not a certificate');

  const commonNames: string[] = [];
  const units: string[] = [];
  for (const set of childrenOf(subject, tags.sequence)) {
    for (const attribute of childrenOf(set, tags.set)) {
      const [type, value] = childrenOf(attribute, tags.sequence);
      if (type === undefined || value === undefined) throw new DerFault('has a name that is none');
      const id = objectIdOf(type);
      if (id === objectIds.commonName) commonNames.push(textOf(value));
      else if (id === objectIds.unit) units.push(textOf(value));
    }
  }
  return {
    commonNames,
    units,
    ...alternativeNamesOf(fields),
    issuer: issuer.whole.toString('hex'),
    subject: subject.whole.toString('hex'),
    serial: serialOf(serial),
    notAfterMs: timeOf(notAfter),
  };
}

export function serialOf(node: DerNode): string {
  if (node.tag !== tags.integer) throw new DerFault('has no serial number');
  return node.value.toString('hex').replace(/^0+(?=.)/, '');
}

function alternativeNamesOf(fields: readonly DerNode[]): Pick<ReadCertificate, 'dns' | 'emails' | 'uris'> {
  const dns: string[] = [];
  const emails: string[] = [];
  const uris: string[] = [];
  let seen = false;
  for (const extension of extensionsOf(fields.find(({ tag }) => tag === 0xa3))) {
    if (extension.id !== objectIds.alternativeName) continue;
    if (seen) throw new DerFault('has two lists of alternative names');
    seen = true;
    for (const name of childrenOf(readDer(extension.value), tags.sequence)) {
      if (name.tag === generalName.dns) dns.push(asciiOf(name.value));
      else if (name.tag === generalName.email) emails.push(asciiOf(name.value));
      else if (name.tag === generalName.uri) uris.push(asciiOf(name.value));
    }
  }
  return { dns, emails, uris };
}

export interface Extension {
  readonly id: string;
  readonly critical: boolean;
  readonly value: Buffer;
}

/** Of the explicitly tagged list in a certificate or a revocation list. */
export function extensionsOf(tagged: DerNode | undefined): Extension[] {
  if (tagged === undefined) return [];
  const [list] = childrenOf(tagged);
  if (list === undefined) throw new DerFault('has an empty list of extensions');
  return childrenOf(list, tags.sequence).map((extension) => {
    const parts = childrenOf(extension, tags.sequence);
    const [type, value] = [parts[0], parts.at(-1)];
    if (type === undefined || value?.tag !== tags.octetString) throw new DerFault('has an extension that is none');
    return { id: objectIdOf(type), critical: parts.length === 3 && parts[1]!.value[0] !== 0, value: value.value };
  });
}
