/** Bundles of certificates (PEM) with ours, and without. */

import { SUBJECT } from '../certificates.ts';

const BEGIN = '# Berthgate: the CA of the cache, put here for this container alone';
const END = '# Berthgate: end';
const CERTIFICATE = /-----BEGIN (TRUSTED )?CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END \1?CERTIFICATE-----\r?\n?/g;

/** Ours at the end, and no older ones of ours. */
export function withRoots(bundle: Buffer, roots: readonly string[]): Buffer {
  const rest = withoutOurs(bundle).toString('latin1');
  const gap = rest === '' || rest.endsWith('\n') ? '' : '\n';
  return Buffer.from(`${rest}${gap}${BEGIN}\n${roots.join('')}${END}\n`, 'latin1');
}

/** Whoever put them there: a job's own update-ca-certificates takes ours up. The same bytes where there are none. */
export function withoutOurs(bundle: Buffer): Buffer {
  const text = bundle.toString('latin1');
  let found = false;
  const rest = text.replace(CERTIFICATE, (whole, _kind, base64: string) => {
    if (!Buffer.from(base64, 'base64').includes(SUBJECT)) return whole;
    found = true;
    return '';
  });
  if (!found) return bundle;
  const lines = rest.split('\n').filter((line) => line !== BEGIN && line !== END);
  return Buffer.from(lines.join('\n'), 'latin1');
}
