import { describe, expect, test } from 'vitest';
import { table } from '../../../src/docker/table.ts';
import type { Call } from '../../../src/exchange/call.ts';
import { refuse } from '../../../src/exchange/judge.ts';
import type { CallRecord } from '../../../src/exchange/recorder.ts';
import type { Json } from '../../../src/ground/json.ts';
import { auditEntries } from '../../../src/operate/signals/audit-entry.ts';

const identity = { user: 'alice', groups: ['ci'], claims: { project_path: 'web/shop' }, by: 'jwt' };

function recordOf(id: string, said: Partial<Call>, more: Partial<CallRecord>): CallRecord {
  const endpoint = table.find((one) => one.id === id)!;
  const call: Call = {
    listener: 'people',
    identity,
    namespace: 'shop',
    endpoint,
    version: 51,
    parameters: {},
    query: {},
    headers: {},
    body: null,
    unknown: [],
    ...said,
  };
  return {
    listener: 'people',
    method: endpoint.method,
    target: '/v1.51/containers/create?name=web&secret=1',
    endpoint,
    identity,
    call,
    status: 201,
    refusal: null,
    decisions: [],
    durationMs: 1,
    bytesIn: 0,
    bytesOut: 0,
    ...more,
  };
}

const passed = { policy: 'images', rule: 'allowed', changes: [], wouldRefuse: null, labels: {} };

function entriesOf(record: CallRecord): readonly Record<string, Json>[] {
  return auditEntries(record, Date.UTC(2026, 0, 2), 'c0ffee00') as readonly Record<string, Json>[];
}

describe('the audit', () => {
  test('tells of a refusal who, what, by which rule, which field and value, and what can be done', () => {
    const body = { Image: 'debian', HostConfig: { Privileged: true } };
    const refusal = refuse('conservative', 'root', 'must be false', {
      place: 'HostConfig.Privileged',
      hint: 'leave it out',
    });
    const [entry, ...more] = entriesOf(
      recordOf('ContainerCreate', { query: { name: 'web' }, body }, { status: 403, refusal, decisions: [passed] }),
    );
    expect(more).toEqual([]);
    expect(entry).toEqual({
      v: 1,
      time: '2026-01-02T00:00:00.000Z',
      call: 'c0ffee00',
      listener: 'people',
      user: 'alice',
      groups: ['ci'],
      by: 'jwt',
      owner: null,
      claims: { project_path: 'web/shop' },
      namespace: 'shop',
      project: 'web/shop',
      endpoint: 'ContainerCreate',
      method: 'POST',
      path: '/v1.51/containers/create',
      objects: [
        { kind: 'container', name: 'web', place: 'query.name' },
        { kind: 'image', name: 'debian', place: 'Image' },
      ],
      status: 403,
      decision: 'refused',
      policy: 'conservative',
      rule: 'root',
      refusal: refusal.id,
      field: 'HostConfig.Privileged',
      value: true,
      message: 'must be false',
      remedy: 'leave it out',
      changes: [],
    });
  });

  test('tells of each policy that changed the call, and of each that would have refused it', () => {
    const changes = [
      { rule: 'default-memory', place: 'HostConfig.Memory', from: null, to: 1024, warning: null, given: null },
    ];
    const decisions = [
      passed,
      { ...passed, policy: 'limits', rule: 'default-memory', changes },
      { ...passed, policy: 'conservative', rule: 'root', wouldRefuse: 'HostConfig.Privileged must be false' },
    ];
    const entries = entriesOf(recordOf('ContainerCreate', { body: {} }, { decisions }));
    expect(entries.map(({ decision, policy, message }) => [decision, policy, message])).toEqual([
      ['changed', 'limits', null],
      ['would-refuse', 'conservative', 'HostConfig.Privileged must be false'],
    ]);
    expect(entries[0]?.changes).toEqual([{ rule: 'default-memory', field: 'HostConfig.Memory', from: null, to: 1024 }]);
  });

  test('says nothing of calls that passed as they were', () => {
    expect(entriesOf(recordOf('ContainerCreate', { body: {} }, { decisions: [passed] }))).toEqual([]);
  });

  const secrets: readonly [string, string, Partial<Call>, string][] = [
    ['an environment variable', 'ContainerCreate', { body: { Env: ['A=hush-hush'] } }, 'Env[0]'],
    ['all of them', 'ContainerCreate', { body: { Env: ['A=hush-hush'] } }, 'Env'],
    ['a build argument', 'ImageBuild', { query: { buildargs: { A: 'hush-hush' } } }, 'query.buildargs.A'],
    ['the build arguments', 'ImageBuild', { query: { buildargs: { A: 'hush-hush' } } }, 'query.buildargs'],
    [
      'the credentials of a registry',
      'ImageCreate',
      { headers: { 'x-registry-auth': ['hush-hush'] } },
      'header x-registry-auth',
    ],
    [
      'options of a volume',
      'VolumeCreate',
      { body: { DriverOpts: { o: 'username=a,password=hush-hush' } } },
      'DriverOpts.o',
    ],
    ['options of a volume, whole', 'VolumeCreate', { body: { DriverOpts: { o: 'password=hush-hush' } } }, 'DriverOpts'],
    [
      'an option of a log driver',
      'ContainerCreate',
      { body: { HostConfig: { LogConfig: { Config: { 'splunk-token': 'hush-hush' } } } } },
      'HostConfig.LogConfig.Config["splunk-token"]',
    ],
    ['a password for a registry', 'SystemAuth', { body: { password: 'hush-hush' } }, 'password'],
  ];
  test.for(secrets)('never tells %s', ([, id, said, place]) => {
    const refusal = refuse('p', 'r', 'must not', { place });
    const [entry] = entriesOf(recordOf(id, said, { refusal }));
    expect(JSON.stringify(entry)).not.toContain('hush-hush');
    expect(JSON.stringify(entry?.value)).toContain('(secret)');
    const change = { rule: 'r', place, from: null, to: valueIn(said, place), warning: null, given: null };
    const changed = entriesOf(recordOf(id, said, { decisions: [{ ...passed, changes: [change] }] }));
    expect(JSON.stringify(changed)).not.toContain('hush-hush');
  });

  test('keeps lines in one line, and short', () => {
    const name = `a\n{"v":1}${'x'.repeat(5000)}`;
    const refusal = refuse('p', 'r', 'must not', { place: 'query.name' });
    const [entry] = entriesOf(recordOf('ContainerCreate', { query: { name }, body: {} }, { refusal }));
    const line = JSON.stringify(entry);
    expect(line).not.toContain('\n');
    expect(line.length).toBeLessThan(4000);
  });
});

function valueIn(said: Partial<Call>, place: string): Json {
  const whole = (said.body ?? said.query ?? said.headers) as Record<string, Json>;
  const [first = ''] = place.replace(/^(query\.|header )/, '').split(/[.[]/);
  const value = whole[first] ?? null;
  return place.includes('[0]') && Array.isArray(value)
    ? (value[0] as Json)
    : place.endsWith('.A')
      ? 'hush-hush'
      : value;
}
