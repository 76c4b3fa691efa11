// RED-TEAM 69: what clients say in the log and what of it is never there.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { HttpCacheTally } from '../../../src/cache/http/index.ts';
import type { Endpoint } from '../../../src/docker/endpoint.ts';
import { table } from '../../../src/docker/table.ts';
import type { CallRecord } from '../../../src/exchange/recorder.ts';
import { Refusal } from '../../../src/ground/refusal.ts';
import {
  CallRecorder,
  describedMetrics,
  type LogOptions,
  makeRegistry,
  openLog,
} from '../../../src/operate/signals/index.ts';

const inspect = table.find(({ id }) => id === 'ContainerInspect') as Endpoint;

const record: CallRecord = {
  listener: 'people',
  method: 'GET',
  target: '/v1.41/containers/web/json?size=1',
  endpoint: inspect,
  identity: { user: 'alice', groups: [], claims: {}, by: 'peer' },
  call: null,
  status: 200,
  refusal: null,
  decisions: [],
  durationMs: 1.23456,
  bytesIn: 200,
  bytesOut: 4000,
};

async function logged(records: readonly CallRecord[], options: Partial<LogOptions> = {}): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'bg-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const to = join(folder, 'log');
  const opened = openLog({ level: 'info', format: 'json', to, ...options });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const recorder = new CallRecorder(opened);
  for (const one of records) recorder.callEnded(one);
  await opened.close();
  return readFileSync(to, 'utf8');
}

test('a call is one line with who, what, how it ended and how long it took', async () => {
  const line = JSON.parse(await logged([record]));
  expect(line).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    listener: 'people',
    user: 'alice',
    endpoint: 'ContainerInspect',
    method: 'GET',
    path: '/v1.41/containers/web/json',
    status: 200,
    ms: 1.23,
    in: 200,
    out: 4000,
    refusal: null,
    msg: 'call',
  });
});

test('what a client says cannot forge a line, and no query is told', async () => {
  const forged = 'x","status":999}\n{"level":"info","user":"root","msg":"call"}';
  const lines = await logged([
    { ...record, target: `/a"b\\c?token=${forged}`, method: 'G"T', identity: { ...record.identity!, user: forged } },
  ]);
  expect(lines.trimEnd().split('\n')).toHaveLength(1);
  expect(JSON.parse(lines)).toMatchObject({ path: '/a"b\\c', user: forged, method: 'G"T', status: 200 });
  expect(lines).not.toContain('token=');
});

test('text for people has one line a call too, without commands to the terminal', async () => {
  const user = 'eve\n2026 info call\u001b[2J\u009b2J\u202e';
  const text = await logged([{ ...record, identity: { ...record.identity!, user } }], { format: 'text' });
  expect(text.trimEnd().split('\n')).toHaveLength(1);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
  expect(text.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  expect(text).toContain('endpoint=ContainerInspect');
});

test('a refusal has its code; a fault of the engine or of ours has its cause and a higher level', async () => {
  const client = new Refusal('page-not-found', 'page not found');
  const engine = new Refusal('engine-refused', 'the engine is not reachable', {
    cause: new Error('no connection', { cause: new Error('connect ECONNREFUSED') }),
  });
  const own = new Refusal('own-fault', 'a fault', { cause: new Error('boom') });
  const lines = await logged([
    { ...record, endpoint: null, identity: null, status: 404, refusal: client },
    { ...record, status: 503, refusal: engine },
    { ...record, status: 500, refusal: own },
  ]);
  const [first, second, third] = lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(first).toMatchObject({ level: 'info', endpoint: 'none', user: null, refusal: 'page-not-found' });
  expect(second).toMatchObject({
    level: 'warn',
    refusal: 'engine-refused',
    cause: 'no connection: connect ECONNREFUSED',
  });
  expect(third).toMatchObject({ level: 'error', refusal: 'own-fault', cause: expect.stringContaining('boom') });
});

test('below its level a log is silent', async () => {
  expect(await logged([record], { level: 'warn' })).toBe('');
});

test('calls are counted by listener, endpoint and status, with their time, bytes and refusals', async () => {
  const recorder = new CallRecorder(openLog({ level: 'error', format: 'json', to: '/dev/null' }));
  recorder.callEnded(record);
  recorder.callEnded({ ...record, durationMs: 30 });
  recorder.callEnded({ ...record, status: 404, refusal: new Refusal('page-not-found', 'x'), endpoint: null });
  recorder.streamOpened('hijack');
  recorder.streamOpened('hijack');
  recorder.streamClosed('hijack');
  const registry = makeRegistry({
    calls: recorder.calls,
    openStreams: recorder.openStreams,
    decisions: () => [],
    connections: () => new Map([['people', 3]]),
    engines: () => [
      { name: 'local', up: true, version: '20.10.24', api: { oldest: 12, newest: 41 } },
      { name: 'far', up: false, version: null, api: null },
    ],
    gateways: () => [
      { requests: new Map([['blob 200', 2]]), faults: new Map([['tls', 1]]), bytesIn: 7, bytesOut: 11 },
      { requests: new Map([['blob 200', 3]]), faults: new Map(), bytesIn: 1, bytesOut: 2 },
    ],
    store: () => ({
      bytes: 5000,
      maxBytes: 9000,
      bodies: 2,
      kinds: { http: { records: 3 } },
      fills: 1,
      evicted: { records: 4, bytes: 400 },
      notKept: { 'disk full': 6 },
      corrupt: 7,
    }),
    interception: () => null,
    jobs: () => ({ living: 2, began: 5, ended: 3, leaks: 1, sweepSeconds: 2.5, removed: new Map([['container', 7]]) }),
    registryCache: () => ({
      answers: new Map([['manifest checked', 8]]),
      quotas: new Map([['docker.io none', { registry: 'docker.io', account: 'none', limit: 100, remaining: 9 }]]),
      manifestsSaved: new Map([['docker.io', 8]]),
      bypasses: 2,
      bytesFromOrigins: 10,
      bytesFromCache: 30,
    }),
    httpCache: new HttpCacheTally(),
    version: '0.1.0',
  });
  const text = await registry.metrics();
  for (const line of [
    'berthgate_gateway_requests_total{kind="blob",status="200"} 5',
    'berthgate_store_bytes 5000',
    'berthgate_registry_cache_answers_total{kind="manifest",outcome="checked"} 8',
    'berthgate_registry_cache_bytes_total{from="cache"} 30',
    'berthgate_registry_manifests_saved_total{registry="docker.io"} 8',
    'berthgate_registry_quota_remaining{registry="docker.io",account="none"} 9',
    'berthgate_registry_mirror_bypasses_total 2',
    'berthgate_store_limit_bytes 9000',
    'berthgate_store_bodies 2',
    'berthgate_store_records{kind="http"} 3',
    'berthgate_store_fills 1',
    'berthgate_store_evicted_records_total 4',
    'berthgate_store_evicted_bytes_total 400',
    'berthgate_store_not_kept_total{reason="disk full"} 6',
    'berthgate_store_corrupt_total 7',
    'berthgate_gateway_bytes_total{direction="pull"} 13',
    'berthgate_gateway_bytes_total{direction="push"} 8',
    'berthgate_gateway_upstream_faults_total{reason="tls"} 1',
    'berthgate_calls_total{listener="people",endpoint="ContainerInspect",status="200"} 2',
    'berthgate_calls_total{listener="people",endpoint="none",status="404"} 1',
    'berthgate_call_duration_seconds_bucket{listener="people",endpoint="ContainerInspect",le="0.001"} 0',
    'berthgate_call_duration_seconds_bucket{listener="people",endpoint="ContainerInspect",le="0.005"} 1',
    'berthgate_call_duration_seconds_bucket{listener="people",endpoint="ContainerInspect",le="0.1"} 2',
    'berthgate_call_duration_seconds_bucket{listener="people",endpoint="ContainerInspect",le="+Inf"} 2',
    'berthgate_call_duration_seconds_count{listener="people",endpoint="ContainerInspect"} 2',
    'berthgate_refusals_total{listener="people",code="page-not-found"} 1',
    'berthgate_received_bytes_total{listener="people"} 600',
    'berthgate_sent_bytes_total{listener="people"} 12000',
    'berthgate_open_streams{kind="hijack"} 1',
    'berthgate_connections{listener="people"} 3',
    'berthgate_jobs 2',
    'berthgate_jobs_began_total 5',
    'berthgate_jobs_ended_total 3',
    'berthgate_job_leaks_total 1',
    'berthgate_job_sweep_seconds_total 2.5',
    'berthgate_job_objects_removed_total{kind="container"} 7',
    'berthgate_engine_up{engine="local"} 1',
    'berthgate_engine_up{engine="far"} 0',
    'berthgate_engine_info{engine="local",version="20.10.24",api="1.41",min_api="1.12"} 1',
  ]) {
    expect(text.split('\n').map((one) => one.replaceAll(/"(\d+)"/g, '"$1"'))).toContain(line);
  }
  for (const { name } of describedMetrics) expect(text).toContain(`# HELP ${name} `);
});
