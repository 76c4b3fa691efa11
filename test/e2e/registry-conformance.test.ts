/**
 * The conformance suite of the OCI distribution specification, once against a registry and once against the gateway, the mirror
 * or the proxy in front of another one like it: the same results, test by test. A mirror takes no pushes: what is changed goes to
 * the registry itself, and what is read to the mirror. The suite is somebody else's program, so it is built by whoever wants
 * to run it (docs/images.md says how), and named by OCI_CONFORMANCE.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect, onTestFinished, test } from 'vitest';
import { hasRegistry, run, startRegistry, type TestRegistry } from '../engines/index.ts';
import { startRig } from '../unit/gateway/rig.ts';
import { startProxyRig } from '../unit/registry-cache/proxy-rig.ts';
import { R, startRig as startMirror } from '../unit/registry-cache/rig.ts';

const suite = process.env.OCI_CONFORMANCE ?? '';
const LONG_MS = 2_400_000;

/** `passed`, `failure` or `skipped`: of all tests of one name, sorted, since the suite runs them in any order. */
type Results = ReadonlyMap<string, readonly string[]>;

/** @param prefix of the repositories */
async function conform(host: string, prefix: string, more: Readonly<Record<string, string>> = {}): Promise<Results> {
  const folder = await mkdtemp(join(tmpdir(), 'berthgate-conformance-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { code, stdout, stderr } = await run(suite, [], {
    cwd: folder,
    timeoutMs: 600_000,
    env: {
      PATH: process.env.PATH ?? '',
      OCI_REGISTRY: host,
      OCI_TLS: 'disabled',
      OCI_REPO1: `${prefix}one/app`,
      OCI_REPO2: `${prefix}two/app`,
      OCI_RESULTS_DIR: folder,
      OCI_VERSION: '1.1',
      ...more,
    },
  });
  const report = await readFile(join(folder, 'junit.xml'), 'utf8').catch(() => '');
  const results = new Map<string, readonly string[]>();
  for (const [, attributes = ''] of report.matchAll(/<testcase\b([^>]*)>/g)) {
    const said = (key: string): string => new RegExp(` ${key}="([^"]*)"`).exec(attributes)?.[1] ?? '';
    results.set(said('name'), [...(results.get(said('name')) ?? []), said('status')].sort());
  }
  if (results.size === 0) throw new Error(`the suite ended with ${code} and no report\n${stdout}${stderr}`);
  return results;
}

test.skipIf(suite === '' || !hasRegistry())(
  'the gateway conforms where the registry behind it does',
  { timeout: LONG_MS },
  async () => {
    const [direct, behind] = [await startRegistry(), await startRegistry()];
    onTestFinished(async () => void (await Promise.all([direct.stop(), behind.stop()])));
    const rig = await startRig([{ host: 'r.example.org', url: behind.url }]);
    const repositories = ['one/app', 'two/app'].map((path) => ({ registry: 'r.example.org', path }));
    const grant = rig.grant({ push: repositories });
    const alone = await conform(direct.host, '');
    const login = { OCI_USERNAME: 'berthgate', OCI_PASSWORD: grant.capability };
    const through = await conform(`127.0.0.1:${rig.port}`, 'alice/r.example.org/', login);
    expectTheSame(alone, through);
  },
);

/** What a cache has it has for ever: that things are gone again is not of the pull part. */
const KEEPING = { OCI_API_BLOBS_DELETE: 'false', OCI_API_MANIFESTS_DELETE: 'false', OCI_API_TAGS_DELETE: 'false' };

test.skipIf(suite === '' || !hasRegistry())(
  'the mirror and the proxy conform where the registry behind them does',
  { timeout: LONG_MS },
  async () => {
    const [direct, byNs, byPrefix, byProxy] = await Promise.all([1, 2, 3, 4].map(() => startRegistry()));
    const all = [direct, byNs, byPrefix, byProxy] as [TestRegistry, TestRegistry, TestRegistry, TestRegistry];
    onTestFinished(async () => void (await Promise.all(all.map((one) => one.stop()))));
    const alone = await conform(all[0].host, '', KEEPING);
    const ns = await startMirror([{ url: all[1].url }]);
    const asNs = (path: string, query: string): string => `${path}?${[`ns=${R}`, query].filter(Boolean).join('&')}`;
    expectTheSame(alone, await conform(await splitReads(ns.port, all[1], asNs), '', KEEPING));
    const prefix = await startMirror([{ url: all[2].url }]);
    const asPrefix = (path: string, query: string): string =>
      `${path.replace('/v2/', `/v2/${R.replace(':', '__')}/`)}${query === '' ? '' : `?${query}`}`;
    expectTheSame(alone, await conform(await splitReads(prefix.port, all[2], asPrefix), '', KEEPING));
    const proxy = await startProxyRig([{ host: 'r.example.org', url: all[3].url }]);
    const ca = join(await mkdtemp(join(tmpdir(), 'berthgate-ca-')), 'ca.crt');
    onTestFinished(() => rm(dirname(ca), { recursive: true }));
    await writeFile(ca, proxy.roots());
    const way = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, SSL_CERT_FILE: ca, OCI_TLS: 'enabled' };
    expectTheSame(alone, await conform('r.example.org', '', { ...KEEPING, ...way }));
  },
);

/** One host of both: what reads images goes to the mirror, everything else to its registry. Gives `127.0.0.1:PORT`. */
async function splitReads(
  mirrorPort: number,
  registry: TestRegistry,
  asMirror: (path: string, query: string) => string,
): Promise<string> {
  const server = http.createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    const [path = '', query = ''] = url.split('?');
    const reads =
      /^(GET|HEAD)$/.test(method) && /\/(manifests|tags|referrers|blobs)\//.test(path) && !/\/uploads\//.test(path);
    const to = new URL(reads ? asMirror(path, query) : url, reads ? `http://127.0.0.1:${mirrorPort}` : registry.url);
    const call = http.request(to, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.rawHeaders);
      void pipeline(answer, response).catch(() => response.destroy());
    });
    void pipeline(request, call).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function expectTheSame(alone: Results, through: Results): void {
  console.log(`registry: ${summary(alone)}\nthrough Berthgate: ${summary(through)}`);
  expect(countOf(alone).get('passed')).toBeGreaterThan(350);
  expect([...through.keys()].sort()).toEqual([...alone.keys()].sort());
  const differing = [...through].filter(([name, results]) => String(results) !== String(alone.get(name)));
  // What is no digest is a name of nothing here, and a range that is none is left alone, whatever the registry makes of them.
  const better = ['invalid-digest-format/manifest-get', 'sha256 blobs/range requests/'];
  for (const [name, results] of differing) {
    expect({ name, results, registry: alone.get(name) }).toMatchObject({ registry: ['failure'] });
    expect(results).not.toContain('failure');
    expect(better.some((one) => name.startsWith(`OCI Conformance Test/${one}`))).toBe(true);
  }
}

function countOf(results: Results): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const result of [...results.values()].flat()) counts.set(result, (counts.get(result) ?? 0) + 1);
  return counts;
}

function summary(results: Results): string {
  return [...countOf(results)].map(([result, count]) => `${count} ${result}`).join(', ');
}
