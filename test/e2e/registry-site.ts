/**
 * Debian's docker-registry as registries with images of one name: over HTTP, over HTTPS, one that asks for a password, and
 * one in the place of Docker Hub; and Berthgate with all its ways to them.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Agent, fetch } from 'undici';
import { serveListeners } from '../engine/in-process.ts';
import { makeTar } from '../engine/tar.ts';
import {
  run as command,
  dockerCli,
  freePort,
  startRegistry,
  type TestEngine,
  type TestRegistry,
} from '../engines/index.ts';
import { ELSEWHERE, LIES, type LyingRegistry, startLyingRegistry } from './lying-registry.ts';
import { makeCertificates } from './registry-certificates.ts';

const run = randomBytes(3).toString('hex');
const TRUE = `team/true-${run}`;
export const APP = `team/cached-${run}`;
export const ONE = 'one.example.org';
/** With a CA of its own. */
export const OTHER = 'other.example.org:5000';
/** Lets alice in alone, and has the same CA. */
export const CLOSED = 'closed.example.org';
/** The first and the last once more, by names that DNS sends to us. */
export const DNS = { one: 'one.dns.example.org', closed: 'closed.dns.example.org' };
/** And by names that nothing leads to but what hosts say of their mirrors. */
export const HOSTS = { one: 'one.hosts.example.org', closed: 'closed.hosts.example.org' };

type Names = 'one' | 'other' | 'closed' | 'hub';
type Served = Awaited<ReturnType<typeof serveListeners<string>>>;

export interface Registries {
  readonly by: Readonly<Record<Names, TestRegistry>>;
  readonly liar: LyingRegistry;
  /** The file of the CA. */
  readonly ca: string;
  /** Puts an image into each that says in its layer, and in the label `word`, whose it is. */
  put(tag: string): Promise<void>;
  /** The same for what the liar says when it is true. */
  putTrue(tag: string): Promise<void>;
  /** Requests that a registry has answered, of a method, for what the path says. */
  requests(name: Names, method: string, path: string): number;
  stop(): Promise<void>;
}

export async function startRegistries(): Promise<Registries> {
  const { stdout: htpasswd } = await command('htpasswd', ['-nbB', 'alice', 'secret']);
  const folder = await mkdtemp(join(tmpdir(), 'berthgate-registries-'));
  await makeCertificates(folder);
  const ca = join(folder, 'ca.pem');
  const tls = { certificate: join(folder, 'server.pem'), key: join(folder, 'server.key') };
  const [one, other, closed, hub] = await Promise.all([
    startRegistry(),
    startRegistry({ tls }),
    startRegistry({ htpasswd, tls }),
    startRegistry(),
  ]);
  const by = { one, other, closed, hub };
  const liar = await startLyingRegistry(one.url, TRUE);
  return {
    by,
    liar,
    ca,
    put: async (tag) => {
      for (const [name, registry] of Object.entries(by)) await putImage(registry, APP, tag, name);
    },
    putTrue: (tag) => putImage(one, TRUE, tag, 'true'),
    requests: (name, method, path) =>
      by[name]
        .log()
        .split('\n')
        .filter((line) => line.includes(`"${method} /v2/${APP}/${path}`)).length,
    stop: async () => {
      await Promise.all([...Object.values(by), liar].map((registry) => registry.stop()));
      await rm(folder, { recursive: true });
    },
  };
}

/** By the registry's own interface: an engine takes seconds for it. */
async function putImage({ url }: TestRegistry, repository: string, tag: string, word: string): Promise<void> {
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  const authorization = `Basic ${Buffer.from('alice:secret').toString('base64')}`;
  const send = async (method: string, path: string, type: string, body: Uint8Array | null): Promise<string> => {
    const headers = { authorization, 'content-type': type };
    const answer = await fetch(new URL(path, url), { method, headers, body, dispatcher });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.headers.get('location') ?? '';
  };
  const describe = (bytes: Buffer, mediaType: string): object => ({
    mediaType,
    size: bytes.length,
    digest: sha256(bytes),
  });
  const layer = makeTar({ word, large: randomBytes(300_000) });
  const [packed, config] = [
    gzipSync(layer, { level: 1 }),
    Buffer.from(
      JSON.stringify({
        architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
        os: 'linux',
        config: { Labels: { word }, Cmd: ['/word'] },
        rootfs: { type: 'layers', diff_ids: [sha256(layer)] },
      }),
    ),
  ];
  for (const blob of [packed, config]) {
    const place = await send('POST', `/v2/${repository}/blobs/uploads/`, 'application/octet-stream', null);
    const target = `${place}${place.includes('?') ? '&' : '?'}digest=${sha256(blob)}`;
    await send('PUT', target, 'application/octet-stream', blob);
  }
  const mediaType = 'application/vnd.docker.distribution.manifest.v2+json';
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: describe(config, 'application/vnd.docker.container.image.v1+json'),
    layers: [describe(packed, 'application/vnd.docker.image.rootfs.diff.tar.gzip')],
  };
  await send('PUT', `/v2/${repository}/manifests/${tag}`, mediaType, Buffer.from(JSON.stringify(manifest)));
  await dispatcher.close();
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Where a site is reached; known before it serves, since hosts are told of it before. */
export interface Places {
  /** `127.0.0.1:40123`, each. */
  readonly mirror: string;
  /** The same where clients log in. */
  readonly login: string;
  readonly proxy: string;
  /** An address where port 443 is ours. */
  readonly names: string;
}

export interface Site extends Places {
  /** The socket of a namespace of alice's or bob's on an engine. */
  socket(who: 'alice' | 'bob', engine: TestEngine): string;
  /** The lines of the log so far. */
  log(): readonly Readonly<Record<string, unknown>>[];
  stop(): Promise<void>;
}

export async function choosePlaces(): Promise<Places> {
  const [mirror, login, proxy] = [await freePort(), await freePort(), await freePort()];
  return {
    mirror: `127.0.0.1:${mirror}`,
    login: `127.0.0.1:${login}`,
    proxy: `127.0.0.1:${proxy}`,
    names: `127.77.${randomBytes(2).join('.')}`,
  };
}

export async function serve(
  engines: readonly TestEngine[],
  { by, liar, ca }: Registries,
  places: Places,
): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'berthgate-cache-'));
  const gateways = await Promise.all(engines.map(async () => `127.0.0.1:${await freePort()}`));
  const nameOf = ({ name }: TestEngine): string => `e${name.replace(/[^a-z0-9]/g, '')}`;
  const listeners = engines.flatMap((engine) =>
    (['alice', 'bob'] as const).map((who) => [
      `${who}-${nameOf(engine)}`,
      { engine: nameOf(engine), namespace: `rc-${run}-${who}` },
    ]),
  );
  const [engine] = engines as [TestEngine];
  const served: Served = await serveListeners(engine.host, Object.fromEntries(listeners), {
    engines: engines.map((one, i) => ({ name: nameOf(one), url: one.host, gateway: gateways[i] })),
    cache: { store: join(folder, 'store') },
    outbound: { allowPrivate: [`${ELSEWHERE}/32`] },
    registry: {
      mirror: `http://${places.mirror}`,
      login: `http://${places.login}`,
      proxy: `http://${places.proxy}`,
      impersonate: `${places.names}:443`,
      upstreams: [
        { host: ONE, url: by.one.url },
        { host: OTHER, url: by.other.url, ca },
        { host: CLOSED, url: by.closed.url, ca },
        { host: DNS.one, url: by.one.url },
        { host: DNS.closed, url: by.closed.url, ca },
        { host: HOSTS.one, url: by.one.url },
        { host: HOSTS.closed, url: by.closed.url, ca },
        { host: LIES, url: liar.url },
        { host: 'docker.io', url: by.hub.url },
      ],
    },
  });
  return {
    ...places,
    log: served.log,
    socket: (who, engine) => `unix://${served.sockets[`${who}-${nameOf(engine)}`]}`,
    async stop() {
      await served.stop();
      for (const engine of engines) {
        for (const who of ['alice', 'bob']) await dockerCli(engine, ['network', 'rm', `rc-${run}-${who}.bridge`]);
      }
      await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
    },
  };
}
