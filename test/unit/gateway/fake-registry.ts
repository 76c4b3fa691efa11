// A registry and its token realm, small and obedient: what it was asked, with which credentials, and what it shall say.
import { createHash, randomUUID } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export interface FakeRegistry {
  /** `127.0.0.1:40123` */
  readonly host: string;
  readonly url: string;
  readonly asked: Asked[];
  /** Says what to answer instead; false for what the registry would say. */
  answer: (asked: Asked, response: http.ServerResponse) => boolean;
  close(): Promise<void>;
}

type Auth = 'none' | 'basic' | 'bearer';

/** The only client that it knows is alice, with the password `secret`. */
async function startFakeRegistry(auth: Auth = 'none', realm?: string): Promise<FakeRegistry> {
  const manifests = new Map<string, Buffer>();
  const blobs = new Map<string, Buffer>();
  const uploads = new Map<string, Buffer[]>();
  const server = http.createServer(async (request, response) => {
    const { method = '', url = '', headers } = request;
    const pieces: Buffer[] = [];
    try {
      for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
    } catch {
      return;
    }
    const body = Buffer.concat(pieces);
    const asked = { method, url, headers, body: body.toString('latin1') };
    fake.asked.push(asked);
    if (fake.answer(asked, response)) return;
    const { pathname, searchParams } = new URL(url, fake.url);
    if (pathname === '/token') return sayToken(asked, searchParams, response);
    if (!isAuthorised(headers.authorization)) {
      const bearer = `Bearer realm="${realm ?? `${fake.url}/token`}",service="fake"`;
      response.setHeader('WWW-Authenticate', auth === 'basic' ? 'Basic realm="fake"' : bearer);
      return say(response, 401, { errors: [{ code: 'UNAUTHORIZED' }] });
    }
    const [, name = '', what = '', reference = ''] = /^\/v2\/(.+)\/(manifests|blobs|tags)\/(.*)$/.exec(pathname) ?? [];
    if (pathname === '/v2/') return say(response, 200, {});
    if (what === 'tags') return say(response, 200, { name, tags: ['1', '2'] });
    if (what === 'manifests') return serveManifest(asked, `${name} ${reference}`, body, response);
    if (what === 'blobs') return serveBlob(asked, name, reference, searchParams, body, response);
    say(response, 404, { errors: [{ code: 'NAME_UNKNOWN' }] });
  });
  const fake: FakeRegistry = {
    host: '',
    url: '',
    asked: [],
    answer: () => false,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  function isAuthorised(said: string | undefined): boolean {
    if (auth === 'none') return true;
    return auth === 'basic' ? said === basic('alice:secret') : said?.startsWith('Bearer good-') === true;
  }
  function sayToken({ headers, method, body }: Asked, query: URLSearchParams, response: http.ServerResponse): unknown {
    const said = headers.authorization;
    const refreshed = method === 'POST' && new URLSearchParams(body).get('refresh_token') === 'identity';
    if (said !== undefined && said !== basic('alice:secret'))
      return say(response, 401, { details: 'incorrect username or password' });
    const known = refreshed || said !== undefined;
    const offline = query.get('offline_token') === 'true' && known ? { refresh_token: 'identity' } : {};
    say(response, 200, { token: `${known ? 'good' : 'anonymous'}-${randomUUID()}`, expires_in: 300, ...offline });
  }
  function serveManifest(
    { method, headers }: Asked,
    key: string,
    body: Buffer,
    response: http.ServerResponse,
  ): unknown {
    if (method === 'PUT') {
      manifests.set(key, body);
      response.setHeader('Docker-Content-Digest', digestOf(body));
      response.setHeader('Location', `${fake.url}/v2/somewhere/manifests/${digestOf(body)}`);
      return say(response, 201, null);
    }
    const found = manifests.get(key);
    if (found === undefined) return say(response, 404, { errors: [{ code: 'MANIFEST_UNKNOWN' }] });
    response.writeHead(200, {
      'Content-Type': headers.accept ?? 'x',
      'Content-Length': found.length,
      'Docker-Content-Digest': digestOf(found),
    });
    response.end(method === 'HEAD' ? undefined : found);
  }
  function serveBlob(
    { method, headers }: Asked,
    name: string,
    reference: string,
    query: URLSearchParams,
    body: Buffer,
    response: http.ServerResponse,
  ): unknown {
    const begin = `/v2/${name}/blobs/uploads/`;
    if (method === 'POST') {
      if (query.has('mount')) {
        response.setHeader('Location', `/v2/${name}/blobs/${query.get('mount')}`);
        return say(response, 201, null);
      }
      const id = randomUUID();
      uploads.set(id, []);
      response.setHeader('Location', `${fake.url}${begin}${id}?_state=${id.slice(0, 8)}`);
      return say(response, 202, null);
    }
    if (reference.startsWith('uploads/')) {
      const id = reference.slice('uploads/'.length);
      const upload = uploads.get(id);
      if (upload === undefined || query.get('_state') !== id.slice(0, 8))
        return say(response, 404, { errors: [{ code: 'BLOB_UPLOAD_UNKNOWN' }] });
      upload.push(body);
      const whole = Buffer.concat(upload);
      if (method === 'PUT') {
        if (digestOf(whole) !== query.get('digest'))
          return say(response, 400, { errors: [{ code: 'DIGEST_INVALID' }] });
        blobs.set(digestOf(whole), whole);
        response.setHeader('Location', `/v2/${name}/blobs/${digestOf(whole)}`);
        return say(response, 201, null);
      }
      // Relative, as some registries say it, and with a range.
      response.setHeader('Location', `${id}?_state=${id.slice(0, 8)}`);
      response.setHeader('Range', `0-${whole.length - 1}`);
      return say(response, method === 'GET' ? 204 : 202, null);
    }
    const found = blobs.get(reference);
    if (found === undefined) return say(response, 404, { errors: [{ code: 'BLOB_UNKNOWN' }] });
    const [, first] = /^bytes=(\d+)-$/.exec(headers.range ?? '') ?? [];
    const part = first === undefined ? found : found.subarray(Number(first));
    response.writeHead(first === undefined ? 200 : 206, {
      'Content-Length': part.length,
      ...(first === undefined ? {} : { 'Content-Range': `bytes ${first}-${found.length - 1}/${found.length}` }),
    });
    response.end(method === 'HEAD' ? undefined : part);
  }
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(fake, { host, url: `http://${host}` });
}

export function digestOf(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function basic(pair: string): string {
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

export function say(response: http.ServerResponse, status: number, value: unknown): void {
  const body = value === null ? '' : JSON.stringify(value);
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

/** One that ends with its test. */
export async function registry(...args: Parameters<typeof startFakeRegistry>): Promise<FakeRegistry> {
  const fake = await startFakeRegistry(...args);
  onTestFinished(() => fake.close());
  return fake;
}
