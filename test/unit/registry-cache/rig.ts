// A mirror over a store in a temporary folder, registries behind it, and somebody who asks.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import {
  CachedRegistries,
  type CheckLogin,
  Mirror,
  MirrorLogin,
  MirrorTally,
  Registries,
  TagRules,
} from '../../../src/cache/registry/index.ts';
import { FolderStore } from '../../../src/cache/store/index.ts';
import { WayOut } from '../../../src/wire/way-out.ts';
import type { FakeRegistry } from '../gateway/fake-registry.ts';

export { registry } from '../gateway/fake-registry.ts';

/** The registry as images name it, wherever it is. */
export const R = 'r.example.org:5000';
/** The path of `r.example.org:5000/team/app` at the mirror. */
export const APP = '/v2/r.example.org__5000/team/app';

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  /** The connection was broken before the end of the body. */
  readonly broken: boolean;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  /** Called with each piece as it comes. */
  readonly onPiece?: (piece: Buffer, call: http.ClientRequest) => void;
}

export interface Rig {
  readonly store: FolderStore;
  readonly tally: MirrorTally;
  readonly faults: string[];
  /** Registries that were low, as they were told: `REGISTRY ACCOUNT`. */
  readonly low: string[];
  /** Where registries have sent us to, as `KIND HOST`. */
  readonly hosts: ReadonlySet<string>;
  readonly port: number;
  ask(path: string, options?: AskOptions): Promise<Answer>;
}

/** For registries that send us to another host of the test. */
export const loopback = [{ family: 'ipv4', address: '127.0.0.0', prefix: 8 }] as const;

interface Upstream {
  readonly host: string;
  readonly url: string;
  readonly private: boolean;
  readonly credentials?: string;
  readonly realms: readonly string[];
}

export async function startRig(
  upstreams: readonly (Partial<Upstream> & { readonly url: string })[],
  more: {
    readonly tags?: readonly { readonly match: string; readonly fresh: number }[];
    readonly staleMs?: number;
    readonly allow?: readonly string[];
    readonly allowPrivate?: ConstructorParameters<typeof WayOut>[0]['allowPrivate'];
    readonly folder?: string;
    readonly maxBytes?: number;
    /** Then clients log in: whose credentials are taken. */
    readonly login?: CheckLogin;
  } = {},
): Promise<Rig> {
  const folder = more.folder ?? mkdtempSync(join(tmpdir(), 'berthgate-mirror-'));
  const store = await FolderStore.open({ folder, maxBytes: more.maxBytes ?? 2 ** 30 });
  const wayOut = new WayOut({ proxy: null, noProxy: [], ca: [], allowPrivate: more.allowPrivate ?? [] });
  const named = upstreams.map((one) => ({ host: R, private: false, realms: [], ...one }));
  const registries = new Registries({ upstreams: named, allow: [...(more.allow ?? ['*'])] }, wayOut);
  const [faults, low]: [string[], string[]] = [[], []];
  const hosts = new Set<string>();
  const tally = new MirrorTally(({ registry, account }) => low.push(`${registry} ${account}`));
  const onFault = (registry: string, fault: Error): void => void faults.push(`${registry}: ${fault.message}`);
  const upstream = new CachedRegistries({
    store,
    registries,
    tagRules: new TagRules([...(more.tags ?? [])]),
    staleMs: more.staleMs ?? 7 * 86_400_000,
    tally,
    onFault,
    onHost: (_, kind, host) => hosts.add(`${kind} ${host}`),
  });
  const login = more.login === undefined ? null : new MirrorLogin(more.login);
  const mirror = new Mirror({ upstream: () => upstream, tally, onFault, login });
  const server = net.createServer((socket) => mirror.accept(socket));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  onTestFinished(async () => {
    mirror.close();
    server.close();
    await settled(store);
    await wayOut.close();
    await store.close();
    if (more.folder === undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  });
  return { store, tally, faults, low, hosts, port, ask: (path, options = {}) => ask(port, path, options) };
}

function ask(port: number, path: string, { method = 'GET', headers, onPiece }: AskOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = http.request(
      { port, host: '127.0.0.1', method, path, agent: false, headers: { ...headers } },
      (answer) => {
        const pieces: Buffer[] = [];
        answer.on('data', (piece: Buffer) => {
          pieces.push(piece);
          onPiece?.(piece, call);
        });
        const done = (broken: boolean) => (): void =>
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(pieces), broken });
        answer.on('end', done(false));
        answer.on('error', done(true));
      },
    );
    call.on('error', reject);
    call.end();
  });
}

/** One that ends with the test. */
export interface Image {
  readonly layer: Buffer;
  readonly layerDigest: string;
  readonly manifest: Buffer;
  readonly manifestDigest: string;
}

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

export function makeImage(layerBytes = 300_000): Image {
  const layer = randomBytes(layerBytes);
  const layerDigest = sha(layer);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha('{}'), size: 2 },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layerDigest, size: layer.length }],
    }),
  );
  return { layer, layerDigest, manifest, manifestDigest: sha(manifest) };
}

/** Into the registry itself, as alice. */
export async function push({ url }: FakeRegistry, name: string, tag: string, image: Image): Promise<void> {
  const basic = `Basic ${Buffer.from('alice:secret').toString('base64')}`;
  const { token } = (await (await fetch(`${url}/token`, { headers: { authorization: basic } })).json()) as {
    token: string;
  };
  const asks = (await fetch(`${url}/v2/`)).headers.get('www-authenticate') ?? '';
  const headers = { authorization: asks.startsWith('Bearer') ? `Bearer ${token}` : basic };
  const begun = await fetch(`${url}/v2/${name}/blobs/uploads/`, { method: 'POST', headers });
  const place = new URL(begun.headers.get('location') as string, url);
  place.searchParams.set('digest', image.layerDigest);
  await fetch(place, { method: 'PUT', headers, body: new Uint8Array(image.layer) });
  for (const reference of [tag, image.manifestDigest]) {
    await fetch(`${url}/v2/${name}/manifests/${reference}`, {
      method: 'PUT',
      headers: { ...headers, 'content-type': MANIFEST_TYPE },
      body: new Uint8Array(image.manifest),
    });
  }
}

/** What a registry was asked for, but for its tokens. */
export function asked(fake: FakeRegistry, from = 0): readonly string[] {
  return fake.asked.slice(from).flatMap(({ method, url }) => (url.startsWith('/token') ? [] : [`${method} ${url}`]));
}

export function credentialsFile(username: string, password: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'berthgate-own-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'own.json');
  writeFileSync(file, JSON.stringify({ username, password }));
  return file;
}

export function sha(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** As the mirror takes it: whom it is for stands in the name of the user. */
export function loginFor(host: string, user: string, password: string): { readonly authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${host.replace(':', '__')}/${user}:${password}`).toString('base64')}` };
}

/** What was given may still be on its way to its place: a fill ends when it lies there. */
export async function settled(store: FolderStore): Promise<void> {
  await expect.poll(() => store.stats(), { timeout: 60_000 }).toMatchObject({ fills: 0 });
}
