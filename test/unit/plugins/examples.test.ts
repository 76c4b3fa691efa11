import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Authenticator } from '../../../src/exchange/authenticator.ts';
import type { RequestHead } from '../../../src/wire/message.ts';
import { contextOf, judgeBy, refusalBy } from '../policies/judging.ts';
import { authenticatorFrom, logged, policyFrom } from './plugin-file.ts';
import { hasSlapd, type Slapd, startSlapd } from './slapd.ts';

const examples = resolve(import.meta.dirname, '../../../examples');
const run = (Image: string) => ({ path: '/containers/create', body: { Image } });
const digest = `sha256:${'a1'.repeat(32)}`;

describe('the example pin-to-digest', () => {
  const file = join(examples, 'pin-to-digest.mjs');

  test('refuses images without a digest, and says what to do', async () => {
    const policy = await policyFrom(file);
    const refusal = await refusalBy(policy, run('debian:12'));
    expect(refusal).toMatchObject({ policy: 'pin-to-digest', rule: 'unpinned', place: 'Image', status: 403 });
    expect(refusal.hint).toContain('IMAGE@sha256:');
    for (const image of [`debian@${digest}`, 'a1'.repeat(32)]) await judgeBy(policy, run(image));
    await judgeBy(policy, { method: 'GET', path: '/containers/json' });
  });

  test('lets pass what begins as an administrator says', async () => {
    const policy = await policyFrom(file, { except: ['localhost:5000/'] });
    await judgeBy(policy, run('localhost:5000/app:1'));
    expect((await refusalBy(policy, run('localhost/app:1'))).rule).toBe('unpinned');
  });

  test('pins to what the engine has where it is told to, and the client sees what it has said', async () => {
    const policy = await policyFrom(file, { resolve: true });
    const known = { RepoDigests: [`other@sha256:${'00'.repeat(32)}`, `debian@${digest}`] };
    const { call, decisions } = await judgeBy(policy, run('debian:12'), contextOf({ 'ImageInspect debian:12': known }));
    expect(call.body).toEqual({ Image: `docker.io/library/debian@${digest}` });
    expect(decisions[0]?.changes).toMatchObject([{ place: 'Image', from: 'debian:12', given: ['Image'] }]);
    expect((await refusalBy(policy, run('alpine'))).rule).toBe('unpinned');
  });

  test('knows its options', async () => {
    await expect(policyFrom(file, { excpet: [] })).rejects.toThrow('there is no option excpet');
    await expect(policyFrom(file, { except: 'a' })).rejects.toThrow('except must be a list of texts');
  });
});

describe.skipIf(!hasSlapd)('the example ldap, with a real server', () => {
  const file = join(examples, 'ldap.mjs');
  const peer = { transport: 'tcp', address: '10.0.0.1' } as const;
  let slapd: Slapd;
  let authenticator: Authenticator;

  beforeAll(async () => {
    slapd = await startSlapd();
    authenticator = await authenticatorFrom(file, options());
    await authenticator.start?.();
  });
  afterAll(() => slapd.stop());

  const options = (more: object = {}) => ({
    url: slapd.url,
    user: 'uid={user},ou=people,dc=example,dc=org',
    groups: { base: 'ou=groups,dc=example,dc=org', filter: '(memberUid={user})', name: 'cn' },
    ...more,
  });

  function identify(user: string, password: string, by = authenticator) {
    const credentials = Buffer.from(`${user}:${password}`).toString('base64');
    return by.identify({ headers: ['Authorization', `Basic ${credentials}`] } as unknown as RequestHead, peer);
  }

  test('knows a user with the right password, and the groups', async () => {
    expect(await identify('alice', 'wonder land')).toEqual({ user: 'alice', groups: ['ci'], claims: {}, by: 'ldap' });
    expect(await identify('bob, jr', 'builder')).toMatchObject({ user: 'bob, jr', groups: ['ci'] });
  });

  test.for([
    ['alice', 'wrong'],
    ['alice', ''],
    ['mallory', 'wonder land'],
    ['alice,ou=people', 'wonder land'],
    ['*', 'wonder land'],
    ['', 'wonder land'],
  ] as const)('refuses %j with %j', async ([user, password]) => {
    await expect(identify(user, password)).rejects.toMatchObject({ code: 'not-identified', status: 401 });
  });

  test('leaves others their credentials', async () => {
    expect(
      await authenticator.identify({ headers: ['Authorization', 'Bearer x'] } as unknown as RequestHead, peer),
    ).toBeNull();
    expect(await authenticator.identify({ headers: [] } as unknown as RequestHead, peer)).toBeNull();
  });

  test('identifies nobody while the server is away, but those that it remembers', async () => {
    const away = await authenticatorFrom(file, options({ url: 'ldap://127.0.0.1:1' }), logged());
    await expect(identify('alice', 'wonder land', away)).rejects.toMatchObject({ code: 'identity-unavailable' });
    const other = await startSlapd();
    const remembering = await authenticatorFrom(file, options({ url: other.url }));
    await identify('alice', 'wonder land', remembering);
    await other.stop();
    expect(await identify('alice', 'wonder land', remembering)).toMatchObject({ user: 'alice' });
    await expect(identify('alice', 'wrong', remembering)).rejects.toMatchObject({ code: 'identity-unavailable' });
  });

  test('knows its options', async () => {
    await expect(authenticatorFrom(file, options({ tls: true }))).rejects.toThrow('there is no option tls');
    await expect(authenticatorFrom(file, options({ user: 'uid=alice' }))).rejects.toThrow('with {user}');
  });
});
