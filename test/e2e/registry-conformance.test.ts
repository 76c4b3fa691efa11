/**
 * The conformance suite of the OCI distribution specification, once against a registry and once against the gateway in
 * front of another one like it: the same results, test by test. The suite is somebody else's program, so it is built by
 * whoever wants to run it (docs/images.md says how), and named by OCI_CONFORMANCE.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { hasRegistry, run, startRegistry } from '../engines/index.ts';
import { startRig } from '../unit/gateway/rig.ts';

const suite = process.env.OCI_CONFORMANCE ?? '';

/** `passed`, `failure` or `skipped`: of all tests of one name, sorted, since the suite runs them in any order. */
type Results = ReadonlyMap<string, readonly string[]>;

/** @param prefix of the repositories */
async function conform(host: string, prefix: string, password: string): Promise<Results> {
  const folder = await mkdtemp(join(tmpdir(), 'berthgate-conformance-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { code, stdout, stderr } = await run(suite, [], {
    cwd: folder,
    timeoutMs: 170_000,
    env: {
      PATH: process.env.PATH ?? '',
      OCI_REGISTRY: host,
      OCI_TLS: 'disabled',
      OCI_REPO1: `${prefix}one/app`,
      OCI_REPO2: `${prefix}two/app`,
      OCI_RESULTS_DIR: folder,
      OCI_VERSION: '1.1',
      ...(password === '' ? {} : { OCI_USERNAME: 'berthgate', OCI_PASSWORD: password }),
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

test.skipIf(suite === '' || !hasRegistry())('the gateway conforms where the registry behind it does', async () => {
  const [direct, behind] = [await startRegistry(), await startRegistry()];
  onTestFinished(async () => void (await Promise.all([direct.stop(), behind.stop()])));
  const rig = await startRig([{ host: 'r.example.org', url: behind.url }]);
  const repositories = ['one/app', 'two/app'].map((path) => ({ registry: 'r.example.org', path }));
  const grant = rig.grant({ push: repositories });
  const alone = await conform(direct.host, '', '');
  const through = await conform(`127.0.0.1:${rig.port}`, 'alice/r.example.org/', grant.capability);
  console.log(`registry: ${summary(alone)}\ngateway: ${summary(through)}`);
  expect(countOf(alone).get('passed')).toBeGreaterThan(500);
  expect([...through.keys()].sort()).toEqual([...alone.keys()].sort());
  const differing = [...through].filter(([name, results]) => String(results) !== String(alone.get(name)));
  // What the gateway does not take for a digest is a name of nothing, whatever its registry says.
  const stricter = ['OCI Conformance Test/invalid-digest-format/manifest-get'];
  for (const [name, results] of differing) {
    expect({ name, results, registry: alone.get(name) }).toMatchObject({ results: ['passed'], registry: ['failure'] });
    expect(stricter).toContain(name);
  }
});

function countOf(results: Results): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const result of [...results.values()].flat()) counts.set(result, (counts.get(result) ?? 0) + 1);
  return counts;
}

function summary(results: Results): string {
  return [...countOf(results)].map(([result, count]) => `${count} ${result}`).join(', ');
}
