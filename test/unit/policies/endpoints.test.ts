import { describe, expect, test } from 'vitest';
import { table } from '../../../src/docker/table.ts';
import { endpointsKind } from '../../../src/rules/policies/endpoints.ts';
import { create, judgeBy, refusalBy } from './judging.ts';

/** Whether `METHOD /path` passes. */
async function passes(options: object, said: string): Promise<boolean> {
  const [method = '', path = ''] = said.split(' ');
  try {
    await judgeBy(create(endpointsKind, options), { method, path });
    return true;
  } catch {
    return false;
  }
}

async function passing(options: object, all: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(all.map(async (said) => ((await passes(options, said)) ? [said] : [])));
  return found.flat();
}

const some = [
  'GET /containers/json',
  'GET /containers/web/json',
  'POST /containers/web/start',
  'POST /containers/web/stop',
  'POST /containers/web/kill',
  'POST /containers/web/exec',
  'DELETE /containers/web',
  'GET /images/json',
  'GET /events',
  'GET /_ping',
  'HEAD /_ping',
  'GET /version',
  'GET /info',
  'POST /build',
];

describe('endpoints', () => {
  test('lets everything pass where nothing is said', async () => {
    expect(await passing({}, some)).toEqual(some);
  });

  test('allows by name, by class of risk and by pattern, and denies before it allows', async () => {
    expect(await passing({ allow: ['ContainerList'] }, some)).toEqual(['GET /containers/json']);
    expect(await passing({ allow: ['build'] }, some)).toEqual(['POST /build']);
    expect(await passing({ allow: ['/containers/*/*'] }, some)).toEqual([
      'GET /containers/web/json',
      'POST /containers/web/start',
      'POST /containers/web/stop',
      'POST /containers/web/kill',
      'POST /containers/web/exec',
    ]);
    expect(await passing({ allow: ['GET /containers/**'], deny: ['ContainerList'] }, some)).toEqual([
      'GET /containers/web/json',
    ]);
    expect(await passing({ deny: ['write', 'exec'] }, some)).toEqual(
      some.filter((said) => !/web(\/[sek]|$)/.test(said)),
    );
  });

  test('allows nothing where the list is empty', async () => {
    expect(await passing({ allow: [] }, some)).toEqual([]);
  });

  test('read-only lets pass what only looks', async () => {
    expect(await passing({ preset: 'read-only' }, some)).toEqual(some.filter((said) => !/^(POST|DELETE)/.test(said)));
    const writes = table.filter(
      ({ method, risk }) => ['ping', 'read'].includes(risk) && !['GET', 'HEAD', 'OPTIONS'].includes(method),
    );
    expect(writes.map(({ id }) => id)).toEqual(['ContainerWait']);
  });

  test('says what it refuses, and how the endpoint is called', async () => {
    const refusal = await refusalBy(create(endpointsKind, { preset: 'read-only' }), { path: '/containers/web/start' });
    expect(refusal).toMatchObject({
      status: 403,
      policy: 'endpoints',
      rule: 'not-allowed',
      message: 'POST /containers/{id}/start is not open here',
      hint: 'the endpoint is called ContainerStart',
    });
  });

  test.each([[['ContainerCreat']], [['Read']], [['containers/json']], [['POST /a***']]])(
    'does not take %j',
    (allow) => {
      expect(endpointsKind.options.safeParse({ allow }).success).toBe(false);
    },
  );
});

describe('the variables of a socket proxy', () => {
  test('open what they open by default', async () => {
    const open = ['GET /events', 'GET /_ping', 'HEAD /_ping', 'GET /version'];
    expect(await passing({ socketProxy: {} }, some)).toEqual(open);
    expect(await passing({ socketProxy: { EVENTS: 0, PING: '0', VERSION: false } }, some)).toEqual([]);
  });

  test('open a section for reading, and for writing with POST', async () => {
    const reads = ['GET /containers/json', 'GET /containers/web/json'];
    const others = { EVENTS: 0, PING: 0, VERSION: 0 };
    expect(await passing({ socketProxy: { CONTAINERS: 1, ...others } }, some)).toEqual(reads);
    expect(await passing({ socketProxy: { CONTAINERS: 1, POST: 1, ...others } }, some)).toEqual(
      some.filter((said) => said.includes('/containers')),
    );
    expect(
      await passing({ socketProxy: { CONTAINERS: 1, POST: 1, DELETE: 0, ALLOW_EXEC: 0, ...others } }, some),
    ).toEqual(some.filter((said) => said.includes('/containers') && !/exec|DELETE/.test(said)));
  });

  test('open single actions although POST is 0', async () => {
    expect(
      await passes({ socketProxy: { CONTAINERS: 1, POST: 0, ALLOW_START: 1 } }, 'POST /containers/web/start'),
    ).toBe(true);
    expect(await passing({ socketProxy: { ALLOW_RESTARTS: 1, EVENTS: 0, PING: 0, VERSION: 0 } }, some)).toEqual([
      'POST /containers/web/stop',
      'POST /containers/web/kill',
    ]);
  });

  test('do not open what is beside the section by its name', async () => {
    expect(await passes({ socketProxy: { CONTAINERS: 1 } }, 'GET /images/containers/json')).toBe(false);
    expect(await passes({ socketProxy: { INFO: 1 } }, 'GET /images/info/json')).toBe(false);
  });

  test('are not taken with a name that no proxy knows', () => {
    expect(endpointsKind.options.safeParse({ socketProxy: { CONTAINER: 1 } }).success).toBe(false);
  });
});
