/**
 * A registry in front of a true one that lies: what about, the repository says (`lies/LIE/ANYTHING`), until
 * it is told to be honest. It counts pulls as Docker Hub does.
 */
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export const LIES = 'lies.example.org';
/** Another host, as far as anybody can see: where it sends clients to, for credentials and for blobs. */
export const ELSEWHERE = '127.0.0.2';

interface Asked {
  readonly url: string;
  readonly authorization: string | undefined;
}

export interface LyingRegistry {
  readonly host: string;
  readonly url: string;
  /** What it tells the truth about: `LIE-ANYTHING`. */
  readonly honest: Set<string>;
  /** What it has lied about. */
  readonly told: ReadonlySet<string>;
  readonly asked: readonly Asked[];
  readonly askedElsewhere: Asked[];
  stop(): Promise<void>;
}

interface Truth {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

type Answer = (request: http.IncomingMessage, response: http.ServerResponse) => Promise<void>;

/** @param truth the URL of the true registry @param repository of it, which all of its own are */
export async function startLyingRegistry(truth: string, repository: string): Promise<LyingRegistry> {
  const [honest, told] = [new Set<string>(), new Set<string>()];
  const [asked, askedElsewhere]: [Asked[], Asked[]] = [[], []];
  /** By blob: several engines ask at once. */
  const signatures = new Map<string, number>();

  const askTruth = async ({ method = 'GET', headers }: http.IncomingMessage, what: string): Promise<Truth> => {
    const { accept = '*/*', range } = headers;
    const said = { accept, 'accept-encoding': 'identity', ...(range === undefined ? {} : { range }) };
    const answer = await fetch(`${truth}/v2/${repository}/${what}`, { method, headers: said });
    const names = ['content-type', 'content-length', 'content-range', 'docker-content-digest'];
    const kept = names.flatMap((name) => {
      const value = answer.headers.get(name);
      return value === null ? [] : [[name, value]];
    });
    const body = Buffer.from(await answer.arrayBuffer());
    return { status: answer.status, headers: Object.fromEntries(kept), body };
  };

  const main = await listen('127.0.0.1', async (request, response) => {
    const { url = '', method = '', headers } = request;
    asked.push({ url, authorization: headers.authorization });
    const [, lie, anything, what = ''] = /^\/v2\/lies\/([a-z-]+)\/([^/]+)\/(.*)$/.exec(url) ?? [];
    const about = `${lie}-${anything}`;
    const isHonest = honest.has(about);
    const tell = (): void => void told.add(about);
    if (lie === undefined || lie === 'foreign-realm') {
      // Also what a login asks for.
      const challenge = `Bearer realm="http://${elsewhere.host}/token",service="lies"`;
      response.writeHead(401, { 'www-authenticate': challenge, 'content-length': 0 }).end();
      return;
    }
    if (lie === 'dead-signature' && headers.authorization === undefined) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="lies"', 'content-length': 0 }).end();
      return;
    }
    const isManifest = what.startsWith('manifests/');
    if (isManifest) {
      response.setHeader('ratelimit-limit', '100;w=21600');
      response.setHeader('ratelimit-remaining', `${lie === 'no-pulls-left' && !isHonest ? 0 : 9};w=21600`);
    }
    const sendTruth = async (): Promise<void> => {
      const { status, headers, body } = await askTruth(request, what);
      response.writeHead(status, headers).end(method === 'HEAD' ? undefined : body);
    };
    if (isHonest || (method === 'HEAD' && !isManifest)) return sendTruth();
    if (isManifest && lie === 'wrong-digest') {
      tell();
      const { status, headers, body } = await askTruth(request, what);
      const wrong = { ...headers, 'docker-content-digest': `sha256:${'0'.repeat(64)}` };
      response.writeHead(status, wrong).end(method === 'HEAD' ? undefined : body);
      return;
    }
    if (isManifest && (lie === 'no-pulls-left' || lie === 'too-many-at-once')) {
      tell();
      // As Docker Hub says the one, and what stands before it the other.
      const message = 'You have reached your unauthenticated pull rate limit.';
      const quota = JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message }] });
      const [type, body, more] =
        lie === 'no-pulls-left'
          ? ['application/json', quota, { 'retry-after': '60' }]
          : ['text/html', '<html><body><h1>429 Too Many Requests</h1></body></html>', {}];
      response.writeHead(429, { 'content-type': type, 'content-length': body.length, ...more });
      response.end(method === 'HEAD' ? undefined : body);
      return;
    }
    if (isManifest) return sendTruth();
    const { status, headers: said, body } = await askTruth(request, what);
    switch (lie) {
      case 'wrong-bytes':
        tell();
        body[body.length >> 1] = (body[body.length >> 1] as number) ^ 1;
        response.writeHead(status, said).end(body);
        return;
      case 'short-bytes':
        tell();
        response
          .writeHead(200, { ...said, 'content-length': body.length >> 1 })
          .end(body.subarray(0, body.length >> 1));
        return;
      case 'redirect-loop':
        tell();
        response.writeHead(307, { location: url, 'content-length': 0 }).end();
        return;
      case 'dead-signature': {
        const signature = (signatures.get(what) ?? 0) + 1;
        signatures.set(what, signature);
        const location = `http://${elsewhere.host}/${what}?about=${about}&signature=${signature}`;
        response.writeHead(307, { location, 'content-length': 0 }).end();
        return;
      }
      default:
        response.writeHead(status, said).end(body);
    }
  });

  // Every other signature has died before it is used, and what begins at the first byte breaks off in the middle.
  const elsewhere = await listen(ELSEWHERE, async (request, response) => {
    const { url = '', headers } = request;
    askedElsewhere.push({ url, authorization: headers.authorization });
    const [, what, about = '', signature] = /^\/(blobs\/[^?]+)\?about=([^&]+)&signature=(\d+)$/.exec(url) ?? [];
    if (what === undefined) {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"token": "stolen"}');
      return;
    }
    if (Number(signature) % 2 === 1) {
      told.add(about);
      response.writeHead(403, { 'content-type': 'application/xml' }).end('<Error><Code>AccessDenied</Code></Error>');
      return;
    }
    const { status, headers: said, body } = await askTruth(request, what);
    response.writeHead(status, said);
    if (headers.range !== undefined || body.length < 1000) response.end(body);
    else response.write(body.subarray(0, body.length >> 1), () => response.destroy());
  });

  const registry: LyingRegistry = {
    host: main.host,
    url: `http://${main.host}`,
    honest,
    told,
    asked,
    askedElsewhere,
    stop: async () => {
      await Promise.all([main.stop(), elsewhere.stop()]);
    },
  };
  return registry;
}

async function listen(address: string, answer: Answer): Promise<{ readonly host: string; stop(): Promise<void> }> {
  const server = http.createServer((request, response) => {
    request.resume();
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(0, address, resolve));
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { host: `${address}:${(server.address() as AddressInfo).port}`, stop };
}
