/**
 * A bucket as S3 has it, in memory, as far as the store uses it. It checks what was sent against its hash, and signatures by the
 * published algorithm, written apart from the code that signs.
 */

import { createHash, createHmac } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export const accessKey = { accessKeyId: 'KEY', secretAccessKey: 'SECRET' };

/** Fewer than S3's thousand, so that listings have pages. */
const PAGE = 5;

export interface S3Server {
  readonly url: string;
  /** By key, without the bucket. */
  readonly objects: Map<string, S3Object>;
  /** Answers the next requests with 503. */
  fail(times: number): void;
  stop(): Promise<void>;
}

interface S3Object {
  readonly bytes: Buffer;
  readonly changed: Date;
}

interface Answer {
  readonly status: number;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: Buffer | string;
}

export async function startS3(bucket: string): Promise<S3Server> {
  const objects = new Map<string, S3Object>();
  let failing = 0;
  const server = http.createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const refused = failing > 0 ? 'ServiceUnavailable' : refusalOf(request, body);
    if (failing > 0) failing--;
    const {
      status,
      headers,
      body: told = '',
    } = refused === null
      ? answerOf(objects, bucket, request, body)
      : fault(refused === 'ServiceUnavailable' ? 503 : 403, refused);
    response.writeHead(status, status === 204 ? {} : { 'Content-Length': told.length, ...headers });
    response.end(request.method === 'HEAD' ? undefined : told);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    fail: (times) => {
      failing = times;
    },
    stop: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function answerOf(
  objects: Map<string, S3Object>,
  bucket: string,
  { method, url = '', headers }: http.IncomingMessage,
  body: Buffer,
): Answer {
  const { pathname, searchParams } = new URL(url, 'http://s3');
  if (!pathname.startsWith(`/${bucket}/`)) return fault(404, 'NoSuchBucket');
  const key = pathname.slice(bucket.length + 2);
  if (method === 'GET' && key === '') return list(objects, searchParams);
  if (method === 'PUT') {
    objects.set(key, { bytes: body, changed: new Date() });
    return { status: 200 };
  }
  if (method === 'DELETE') {
    objects.delete(key);
    return { status: 204 };
  }
  const found = objects.get(key);
  if (found === undefined) return fault(404, 'NoSuchKey');
  const range = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '');
  if (range === null) return { status: 200, headers: { 'Content-Length': found.bytes.length }, body: found.bytes };
  return { status: 206, body: found.bytes.subarray(Number(range[1]), Number(range[2]) + 1) };
}

function list(objects: ReadonlyMap<string, S3Object>, query: URLSearchParams): Answer {
  const after = query.get('start-after') ?? '';
  const keys = [...objects.keys()].filter((key) => key.startsWith(query.get('prefix') ?? '') && key > after).sort();
  const entries = keys.slice(0, PAGE).map((key) => {
    const { bytes, changed } = objects.get(key) as S3Object;
    const time = changed.toISOString();
    return `<Contents><Key>${key}</Key><LastModified>${time}</LastModified><Size>${bytes.length}</Size></Contents>`;
  });
  const truncated = `<IsTruncated>${keys.length > PAGE}</IsTruncated>`;
  return {
    status: 200,
    body: `<?xml version="1.0"?><ListBucketResult>${truncated}${entries.join('')}</ListBucketResult>`,
  };
}

function fault(status: number, code: string): Answer {
  return { status, body: `<?xml version="1.0"?><Error><Code>${code}</Code></Error>` };
}

/** By https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html */
function refusalOf({ method, url = '', headers }: http.IncomingMessage, body: Buffer): string | null {
  const said =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)$/.exec(
      headers.authorization ?? '',
    );
  if (said === null) return 'AccessDenied';
  const [, key, day = '', region = '', names = '', signature] = said;
  const hash = String(headers['x-amz-content-sha256']);
  if (key !== accessKey.accessKeyId) return 'InvalidAccessKeyId';
  if (hash !== 'UNSIGNED-PAYLOAD' && hash !== sha256(body)) return 'XAmzContentSHA256Mismatch';
  const { pathname, searchParams } = new URL(url, 'http://s3');
  const query = [...searchParams].map(([name, value]) => `${encode(name)}=${encode(value)}`).sort();
  const signed = names.split(';');
  if (!signed.includes('host') || !signed.includes('x-amz-content-sha256')) return 'AccessDenied';
  const lines = signed.map((name) => `${name}:${String(headers[name]).trim()}\n`);
  const canonical = [method, pathname, query.join('&'), lines.join(''), names, hash].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical)].join('\n');
  const signingKey = [day, region, 's3', 'aws4_request'].reduce<Buffer | string>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${accessKey.secretAccessKey}`,
  );
  const right = createHmac('sha256', signingKey).update(text).digest('hex');
  return right === signature ? null : 'SignatureDoesNotMatch';
}

function sha256(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}
