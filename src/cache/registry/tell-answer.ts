/** How what a registry, or the cache, has answered goes on to an engine. */

import type http from 'node:http';
import { Readable, Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { OutFault } from '../../wire/way-out.ts';
import { FillBroken, WrongBody } from '../store.ts';
import { OciError } from './oci-error.ts';
import { readWhole } from './read-whole.ts';
import type { KeptPart, UpstreamAnswer } from './upstream.ts';

/** RFC 4918 §11.4: what it hangs on has failed. */
const FAILED_DEPENDENCY = 424;
const MOST_LIST_BYTES = 8 * 1024 * 1024;

/** The fields that are for engines. */
export const TOLD = [
  'content-type',
  'content-length',
  'content-encoding',
  'content-range',
  'accept-ranges',
  'range',
  'etag',
  'last-modified',
  'retry-after',
  'warning',
  'cache-status',
  'age',
  'docker-content-digest',
  'docker-distribution-api-version',
  'docker-upload-uuid',
  'oci-subject',
  'oci-tag',
  'oci-filters-applied',
  'oci-chunk-min-length',
  'ratelimit-limit',
  'ratelimit-remaining',
];

/**
 * dockerd shows what is wrong only where the status is one of 4xx (distribution, HandleErrorResponse): of a registry that is
 * gone it would say "unexpected HTTP status: 502", and nobody would know whose.
 */
export function statusFor(request: http.IncomingMessage, kind: string, status: number): number {
  return kind === 'manifest' || kind === 'blob' ? ownStatusFor(request, status) : status;
}

/** The same for what Berthgate itself says, which always tells what is wrong. */
export function ownStatusFor({ headers }: http.IncomingMessage, status: number): number {
  const isDocker = headers['user-agent']?.startsWith('docker/') === true;
  return isDocker && status >= 500 ? FAILED_DEPENDENCY : status;
}

const LONGEST_REASON = 300;

/** What can stand in the first line of an answer (RFC 9112 §4), where it is all that a client shows. */
export function reasonPhrase(why: string): string {
  return why.replace(/[^\x20-\x7e]/g, '?').slice(0, LONGEST_REASON);
}

/**
 * @param why also said in the first line (RFC 9112 §4): an answer to HEAD, by which containerd and BuildKit ask, has no other
 * words, and of what is 500 or more skopeo shows no others
 */
export function beginAnswer(
  response: http.ServerResponse,
  status: number,
  headers: http.OutgoingHttpHeaders,
  why: string | undefined,
): void {
  if (why === undefined) response.writeHead(status, headers);
  else response.writeHead(status, reasonPhrase(why), headers);
}

/**
 * Asked for before the one before it was answered. Engines do not, and of who waits so Node does not tell when it has gone:
 * what is fetched for it would never be let go.
 */
export function isPipelined({ socket }: http.ServerResponse): boolean {
  return socket === null;
}

/** An answer that is let go must not end the process. */
export function ignoreFaults({ body }: UpstreamAnswer): void {
  if (body instanceof Readable) body.on('error', () => {});
}

export function dropBody({ body }: UpstreamAnswer): void {
  if (body instanceof Readable) body.resume();
  else body.kept.close();
}

/**
 * Whole, or the connection is broken. @param name of the repository @param most bytes that it may have
 * @throws OutFault where the registry broke off, OciError where it is too much
 */
export async function sendBody(
  name: string,
  answer: UpstreamAnswer,
  request: http.IncomingMessage,
  response: http.ServerResponse,
  most: number,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const { body } = answer;
  if (request.method === 'HEAD') {
    dropBody(answer);
    response.end();
    return;
  }
  if (!(body instanceof Readable)) return sendKept(name, body, response, onBytes);
  try {
    await pipeline(body, new Counting(most, onBytes), response);
  } catch (fault) {
    const { errored } = body;
    if (fault instanceof OciError || errored === null || errored.name === 'AbortError') throw fault;
    throw new OutFault('broken', `${name}: the registry broke off`, fault);
  }
}

async function sendKept(
  name: string,
  { kept, range }: KeptPart,
  response: http.ServerResponse,
  onBytes: (bytes: number) => void,
): Promise<void> {
  // What is not proved may break at once, and not before its head has left.
  if (kept.digest === null) response.flushHeaders();
  try {
    onBytes(await kept.sendTo(response, range));
    response.end();
  } catch (fault) {
    if (fault instanceof WrongBody) throw new OutFault('broken', `${name}: the registry sent wrong bytes`, fault);
    if (fault instanceof FillBroken) throw new OutFault('broken', `${name}: the registry broke off`, fault);
    throw fault;
  } finally {
    kept.close();
  }
}

/** `?last=…` of the page that follows (RFC 8288), whatever the registry counts its pages by. */
export function nextOf(link: string | string[] | undefined, url: URL): string | null {
  const target = /<([^<>]*)>\s*;\s*rel="?next"?/.exec([link ?? ''].flat().join(', '))?.[1];
  if (target === undefined || !URL.canParse(target, url.href)) return null;
  return new URL(target, url).search;
}

/** The list names its repository, so it is read and printed. */
export async function answerTags(
  name: string,
  { headers, body, url }: UpstreamAnswer,
  response: http.ServerResponse,
): Promise<void> {
  if (!(body instanceof Readable)) throw new Error('a list of tags is never in the store');
  const read = await readWhole(body, MOST_LIST_BYTES);
  if (read === null) throw new OciError('UNAVAILABLE', 'the list of tags is too long');
  let tags: unknown;
  try {
    ({ tags } = JSON.parse(read.toString()) as { readonly tags?: unknown });
  } catch (fault) {
    throw new OciError('UNAVAILABLE', 'the registry answered with no list of tags', fault);
  }
  const told = Buffer.from(JSON.stringify({ name, tags: Array.isArray(tags) ? tags : null }));
  const next = nextOf(headers.link, url);
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': told.length,
    ...(next === null ? {} : { link: `</v2/${name}/tags/list${next}>; rel="next"` }),
  });
  response.end(told);
}

/** Counts what passes, and ends what is too much. */
export class Counting extends Transform {
  private readonly most: number;
  private readonly tell: (bytes: number) => void;
  private bytes = 0;

  constructor(most: number, tell: (bytes: number) => void) {
    super();
    this.most = most;
    this.tell = tell;
  }

  override _transform(piece: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.bytes += piece.length;
    this.tell(piece.length);
    if (this.bytes > this.most) done(new OciError('MANIFEST_INVALID', `it is larger than ${this.most} bytes`));
    else done(null, piece);
  }
}
