/**
 * Signatures of version 4 for S3: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. Paths and
 * queries must be written as the signature wants them, which our own are.
 */

import { createHash, createHmac } from 'node:crypto';

export interface Signer {
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

export interface Unsigned {
  readonly method: string;
  readonly url: URL;
  /** Lower-case names; all are signed. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of the body, or UNSIGNED-PAYLOAD. */
  readonly sha256: string;
  readonly now: Date;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';

/** The headers to send, `host` left out, which the request has by itself. */
export function sign(
  signer: Signer,
  { method, url, headers, sha256, now }: Unsigned,
): Readonly<Record<string, string>> {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, '');
  const own: Readonly<Record<string, string>> = {
    ...headers,
    'x-amz-content-sha256': sha256,
    'x-amz-date': time,
    ...(signer.sessionToken === undefined ? {} : { 'x-amz-security-token': signer.sessionToken }),
  };
  const signed = Object.entries({ ...own, host: url.host }).sort(([a], [b]) => (a < b ? -1 : 1));
  const names = signed.map(([name]) => name).join(';');
  const query = [...url.searchParams].map(([name, value]) => `${encode(name)}=${encode(value)}`).sort();
  const lines = signed.map(([name, value]) => `${name}:${value.trim()}\n`).join('');
  const canonical = [method, url.pathname, query.join('&'), lines, names, sha256].join('\n');
  const day = time.slice(0, 'YYYYMMDD'.length);
  const scope = `${day}/${signer.region}/s3/aws4_request`;
  const text = [ALGORITHM, time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n');
  const signature = hmac(signingKey(signer, day), text).toString('hex');
  const authorization = `${ALGORITHM} Credential=${signer.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return { ...own, authorization };
}

function signingKey({ secretAccessKey, region }: Signer, day: string): Buffer {
  const ofDay = hmac(`AWS4${secretAccessKey}`, day);
  return hmac(hmac(hmac(ofDay, region), 's3'), 'aws4_request');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** RFC 3986: also what `encodeURIComponent` leaves. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}
