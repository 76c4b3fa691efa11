/** Requests to a bucket of S3 or of a server that speaks like it: signed, through the way out of the site, tried again. */

import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { Out } from '../../wire/way-out.ts';
import { type Signer, sign } from './signature.ts';

export interface BucketOptions extends Signer {
  /** Of the bucket itself, ends with a slash: `https://BUCKET.s3.REGION.amazonaws.com/`. */
  readonly url: URL;
  readonly out: Out;
}

export interface BucketRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  /** Of the object, without a leading slash; characters of URLs alone. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for each try. */
  readonly body?: { readonly sha256: string; readonly size: number; content(): Buffer | Readable };
}

export interface BucketAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable & { dump(): Promise<void>; arrayBuffer(): Promise<ArrayBuffer>; text(): Promise<string> };
}

const TRIES = 3;
const WAIT_MS = 200;
const OK = 200;
const PARTIAL = 206;
const NO_CONTENT = 204;
const NOT_FOUND = 404;
const TOO_MANY = 429;
const SERVER_FAULTS = 500;

/** What the hash of nothing is called in a signature that has none. */
const UNHASHED = 'UNSIGNED-PAYLOAD';

export class Bucket {
  readonly #options: BucketOptions;

  constructor(options: BucketOptions) {
    this.#options = options;
  }

  /** Null for what is not there. @throws Error that says what the server said */
  async ask(request: BucketRequest): Promise<BucketAnswer | null> {
    for (let tried = 1; ; tried++) {
      const answer = await this.#send(request).catch((fault: Error) => fault);
      if (!(answer instanceof Error)) {
        const { status } = answer;
        if (status === OK || status === PARTIAL || status === NO_CONTENT) return answer;
        if (status === NOT_FOUND) {
          await answer.body.dump();
          return null;
        }
        if (tried === TRIES || (status !== TOO_MANY && status < SERVER_FAULTS)) throw await refusal(request, answer);
        await answer.body.dump();
      } else if (tried === TRIES) throw answer;
      await pause(WAIT_MS * 2 ** tried * (0.5 + Math.random()));
    }
  }

  async #send({ method, key, query = {}, headers = {}, body }: BucketRequest): Promise<BucketAnswer> {
    const { url: base, out } = this.#options;
    const url = new URL(key, base);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const signed = sign(this.#options, { method, url, headers, sha256: body?.sha256 ?? UNHASHED, now: new Date() });
    const answer = await out.send(url, {
      method,
      headers: body === undefined ? signed : { ...signed, 'content-length': String(body.size) },
      body: body?.content() ?? null,
    });
    return { status: answer.statusCode, headers: answer.headers, body: answer.body };
  }
}

async function refusal({ method, key }: BucketRequest, { status, body }: BucketAnswer): Promise<Error> {
  const text = method === 'HEAD' ? '' : (await body.text()).slice(0, 4096);
  if (method === 'HEAD') await body.dump();
  const [, code = ''] = /<Code>([^<]*)<\/Code>/.exec(text) ?? [];
  return new Error(`the bucket answered ${method} ${key} with ${status} ${code}`.trim());
}
