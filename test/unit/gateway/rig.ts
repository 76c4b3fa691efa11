// A gateway on loopback, and somebody who asks it as an engine would.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import {
  DirectRegistries,
  type Grant,
  MirrorTally,
  Registries,
  RegistryGateway,
  type Rights,
} from '../../../src/cache/registry/index.ts';
import type { RegistryCredentials } from '../../../src/docker/registry-credentials.ts';
import { WayOut, type WayOutOptions } from '../../../src/wire/way-out.ts';
import { digestOf } from './fake-registry.ts';

export const alice: RegistryCredentials = { kind: 'password', username: 'alice', password: 'secret' };
/** The registry as images name it, wherever it is. */
export const R = 'r.example.org:5000';
/** The path of `r.example.org:5000/team/app` at the gateway. */
export const APP = '/v2/alice/r.example.org__5000/team/app';

interface Upstream {
  readonly host: string;
  readonly url: string;
  readonly ca?: string;
  readonly private: boolean;
  readonly credentials?: string;
  readonly realms: readonly string[];
}

export interface Rig {
  readonly gateway: RegistryGateway;
  readonly state: string;
  /** The process is gone. */
  readonly die: () => Promise<void>;
  readonly port: number;
  readonly faults: string[];
  grant(rights?: Partial<Rights>): Grant;
  ask(method: string, path: string, options?: AskOptions): Promise<Answer>;
}

export interface AskOptions {
  readonly grant?: Grant;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export async function startRig(
  upstreams: readonly (Partial<Upstream> & { readonly url: string })[],
  more: {
    readonly outbound?: Partial<WayOutOptions>;
    readonly allow?: readonly string[];
    readonly wayOut?: WayOut;
    /** Of another rig, as after an upgrade. */
    readonly state?: string;
  } = {},
): Promise<Rig> {
  const state = more.state ?? mkdtempSync(join(tmpdir(), 'berthgate-gateway-'));
  const wayOut = more.wayOut ?? new WayOut({ proxy: null, noProxy: [], ca: [], allowPrivate: [], ...more.outbound });
  const named = upstreams.map((one) => ({ host: R, private: false, realms: [], ...one }));
  const registries = new Registries({ upstreams: named, allow: more.allow ?? ['*'] }, wayOut);
  const faults: string[] = [];
  const server = net.createServer((socket) => gateway.accept(socket));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const builds = net.createServer((socket) => gateway.accept(socket));
  await new Promise<void>((resolve, reject) => {
    builds.once('error', reject);
    builds.listen(port, '127.0.0.2', resolve);
  });
  const gateway = new RegistryGateway({
    addresses: { names: `127.0.0.1:${port}`, builds: `127.0.0.2:${port}` },
    state,
    registries,
    upstream: new DirectRegistries(registries, new MirrorTally(() => {})),
    onFault: (registry, fault) => faults.push(`${registry}: ${fault.message}`),
  });
  const inner = net.createServer({ allowHalfOpen: true }, (socket) => gateway.accept(socket));
  mkdirSync(dirname(gateway.innerPath), { recursive: true });
  await new Promise<void>((resolve) => void inner.listen(gateway.innerPath, resolve));
  const die = (): Promise<void> => new Promise((resolve) => void inner.close(() => resolve()));
  onTestFinished(async () => {
    gateway.close();
    inner.close();
    server.close();
    builds.close();
    await wayOut.close();
    rmSync(state, { recursive: true, force: true });
  });
  return {
    gateway,
    state,
    die,
    port,
    faults,
    grant(rights = {}) {
      const own = { registry: R, path: 'team/app' };
      return gateway.issue({ namespace: 'alice', pull: [], push: [own], credentials: () => null, ...rights });
    },
    ask: (method, path, options = {}) => ask(port, method, path, options),
  };
}

function ask(port: number, method: string, path: string, { grant, headers, body }: AskOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const authorization = grant === undefined ? {} : { authorization: `Bearer ${grant.capability}` };
    const call = http.request(
      { port, host: '127.0.0.1', method, path, agent: false, headers: { ...authorization, ...headers } },
      (answer) => {
        const pieces: Buffer[] = [];
        answer.on('data', (piece: Buffer) => pieces.push(piece));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            body: Buffer.concat(pieces).toString('latin1'),
          }),
        );
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

/** A blob in two pieces and a manifest, as an engine pushes them. */
export async function pushed(rig: Rig, grant: Grant): Promise<{ manifest: string; blob: string }> {
  const blob = 'a layer';
  const begun = await rig.ask('POST', `${APP}/blobs/uploads/`, { grant, headers: { 'content-length': 0 } });
  expect(begun).toMatchObject({ status: 202 });
  const first = await rig.ask('PATCH', begun.headers.location as string, { grant, body: blob.slice(0, 3) });
  expect(first).toMatchObject({ status: 202, headers: { range: '0-2' } });
  const seen = await rig.ask('GET', first.headers.location as string, { grant });
  expect(seen.status).toBe(204);
  const done = await rig.ask('PUT', `${seen.headers.location}?digest=${digestOf(blob)}`, {
    grant,
    body: blob.slice(3),
  });
  expect(done).toMatchObject({ status: 201, headers: { location: `${APP}/blobs/${digestOf(blob)}` } });
  const manifest = '{"schemaVersion": 2}';
  const put = await rig.ask('PUT', `${APP}/manifests/1`, {
    grant,
    body: manifest,
    headers: { 'content-type': 'application/x' },
  });
  expect(put).toMatchObject({ status: 201, headers: { location: `${APP}/manifests/${digestOf(manifest)}` } });
  return { manifest, blob };
}
