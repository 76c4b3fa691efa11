// RED-TEAM 73: plugins that throw, hang or lie harm the call alone.
import { utimesSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { AuthenticatorContext } from '../../../src/exchange/authenticator.ts';
import { guardAuthenticator } from '../../../src/rules/plugins/guard-authenticator.ts';
import { type AuthenticatorPlugin, defineAuthenticator } from '../../../src/rules/plugins/index.ts';
import type { RequestHead } from '../../../src/wire/message.ts';
import { judgeBy, refusalBy } from '../policies/judging.ts';
import { authenticatorFrom, logged, pluginFile, policyFrom, policyText } from './plugin-file.ts';

const said = { path: '/containers/create', body: { Image: 'debian' } };
const peer = { transport: 'unix', address: null } as const;
const head = { headers: [] as readonly string[] } as RequestHead;

describe("a plugin's policy", () => {
  test('judges with what it is given', async () => {
    const text = policyText(`(call) => {
      if (call.body.Image !== options.image) throw context.refuse('other', 'must be ' + options.image, { place: 'Image', hint: 'so' });
      return { call, rule: 'mine', changes: [] };
    }`);
    const policy = await policyFrom(pluginFile(text), { image: 'alpine' });
    expect(await refusalBy(policy, said)).toMatchObject({
      policy: 'own',
      rule: 'other',
      place: 'Image',
      hint: 'so',
      status: 403,
    });
    const { decisions } = await judgeBy(policy, { ...said, body: { Image: 'alpine' } });
    expect(decisions).toMatchObject([{ policy: 'own', rule: 'mine' }]);
  });

  test('changes the call where it tells what it has changed', async () => {
    const text = policyText(`async (call) => ({
      call: { ...call, body: { ...call.body, User: '1000' }, query: { ...call.query, name: 'web' } },
      rule: 'user',
      changes: [{ rule: 'user', place: 'User', from: null, to: '1000' }],
    })`);
    const { call, decisions } = await judgeBy(await policyFrom(pluginFile(text)), said);
    expect(call.body).toEqual({ Image: 'debian', User: '1000' });
    expect(call.query).toEqual({ name: 'web' });
    expect(decisions[0]?.changes).toEqual([
      { rule: 'user', place: 'User', from: null, to: '1000', warning: null, given: null },
    ]);
  });

  const failures: readonly [string, string, string][] = [
    ['throws', '() => { throw new Error("secret of the plugin") }', 'plugin-throws'],
    ['throws nothing', '() => { throw undefined }', 'plugin-throws'],
    ['rejects', 'async () => { throw new Error("x") }', 'plugin-throws'],
    ['hangs', '() => new Promise(() => {})', 'plugin-hangs'],
    ['answers nothing', '() => {}', 'plugin-nonsense'],
    ['answers true', '() => true', 'plugin-nonsense'],
    ['answers without a rule', '(call) => ({ call, changes: [] })', 'plugin-nonsense'],
    ['answers without changes', '(call) => ({ call, rule: "r" })', 'plugin-nonsense'],
    [
      'answers with labels of ours',
      '(call) => ({ call, rule: "r", changes: [], labels: { "berthgate.user": "root" } })',
      'plugin-nonsense',
    ],
    [
      'changes without a word',
      '(call) => ({ call: { ...call, body: { Image: "evil" } }, rule: "r", changes: [] })',
      'plugin-nonsense',
    ],
    [
      'changes who asks',
      '(call) => ({ call: { ...call, identity: { ...call.identity, user: "root" } }, rule: "r", changes: [] })',
      'plugin-nonsense',
    ],
    [
      'changes the endpoint',
      '(call) => ({ call: { ...call, endpoint: { ...call.endpoint } }, rule: "r", changes: [] })',
      'plugin-nonsense',
    ],
    [
      'changes what it was given',
      '(call) => { call.body.Image = "evil"; return { call, rule: "r", changes: [] } }',
      'plugin-throws',
    ],
    ['says what is no JSON', changing('body: { Image: 1.5 }'), 'plugin-nonsense'],
    ['says what the endpoint does not take', changing('body: { Imagine: "evil" }'), 'plugin-nonsense'],
    ['says a parameter that there is not', changing('query: { evil: "1" }'), 'plugin-nonsense'],
    ['says a header in two lines', changing('headers: { "user-agent": ["a\\r\\nB: c"] }'), 'plugin-nonsense'],
    ['gives a list as a query', changing('query: { name: ["a"] }'), 'plugin-nonsense'],
  ];
  test.for(failures)('that %s refuses the call', async ([, judge, rule]) => {
    const log = logged();
    const policy = await policyFrom(pluginFile(policyText(judge)), { deadline: '50ms' }, log);
    const refusal = await refusalBy(policy, said);
    expect(refusal).toMatchObject({ policy: 'own', rule, status: 403 });
    expect(refusal.message).not.toContain('secret');
    expect(log.lines).toMatchObject([{ facts: { policy: 'own', rule }, message: 'a plugin failed' }]);
  });

  test('harms nothing where it fails at the end of a call', async () => {
    const log = logged();
    const end = '() => { throw new Error("late") }';
    const text = policyText(
      `(call) => ({ call, rule: 'r', changes: [], onEnd: options.slow ? async ${end} : ${end} })`,
    );
    for (const slow of [false, true]) {
      const judgement = await judgeBy(await policyFrom(pluginFile(text), { slow }, log), said);
      judgement.ended(200);
    }
    await expect.poll(() => log.lines.length).toBe(2);
  });

  test('cannot make rules without end', async () => {
    const policy = await policyFrom(
      pluginFile(policyText('(call) => ({ call, rule: "r" + Math.random().toString(36).slice(2), changes: [] })')),
    );
    const rules = new Set<string>();
    for (let i = 0; i < 300; i++) rules.add((await judgeBy(policy, said)).decisions[0]?.rule ?? '');
    expect(rules.size).toBeLessThanOrEqual(101);
    expect(rules).toContain('other');
  });

  test('cannot refuse in the name of another, or with a code that is not for policies', async () => {
    const thrown = '() => { throw Object.assign(context.notIdentified("no"), { policy: "conservative" }) }';
    const refusal = await refusalBy(await policyFrom(pluginFile(policyText(thrown))), said);
    expect(refusal).toMatchObject({ policy: 'own', code: 'refused' });
  });

  test('that does not start is told with its name', async () => {
    const start = 'start: () => Promise.reject(new Error("no database"))';
    const policy = await policyFrom(pluginFile(policyText('() => {}', start)));
    await expect(policy.start?.()).rejects.toThrow('the policy own does not start: no database');
  });
});

function changing(what: string): string {
  const changes = '[{ rule: "r", place: "x", from: null, to: null }]';
  return `(call) => ({ call: { ...call, ${what} }, rule: 'r', changes: ${changes} })`;
}

describe("a plugin's authenticator", () => {
  test('has to say no more in TypeScript than in JavaScript', async () => {
    const plugin = defineAuthenticator({
      name: 'key',
      options: ({ user }) => ({ user: String(user) }),
      create: ({ user }) => ({ schemes: ['key'], identify: () => ({ user }) }),
    });
    const context = { log: logged() } as unknown as AuthenticatorContext;
    const options = { user: 'alice' };
    const made = guardAuthenticator(plugin as AuthenticatorPlugin, context, { options, deadlineMs: 60_000 });
    expect(await made.identify(head, peer)).toEqual({ user: 'alice', groups: [], claims: {}, by: 'key' });
    expect(made.challenge).toBeNull();
  });

  const text = (identify: string, more = ''): string => `export default {
    kind: 'authenticator',
    name: 'own',
    options: (given) => given,
    create: (options, context) => ({ identify: ${identify}, ${more} }),
  };`;

  test('says who somebody is, in a copy of our own', async () => {
    const file = pluginFile(
      text('() => ({ user: "alice", groups: ["ci"], claims: { a: "b" }, by: "peer", admin: true })'),
    );
    const authenticator = await authenticatorFrom(file);
    expect(await authenticator.identify(head, peer)).toEqual({
      user: 'alice',
      groups: ['ci'],
      claims: { a: 'b' },
      by: 'own',
    });
  });

  test('that has nothing to say leaves it to the next', async () => {
    const authenticator = await authenticatorFrom(pluginFile(text('() => null')));
    expect(await authenticator.identify(head, peer)).toBeNull();
  });

  test('may say that a credential is wrong', async () => {
    const authenticator = await authenticatorFrom(pluginFile(text('() => { throw context.notIdentified("wrong") }')));
    await expect(authenticator.identify(head, peer)).rejects.toMatchObject({
      code: 'not-identified',
      message: 'wrong',
    });
  });

  test.for([
    ['throws', '() => { throw new Error("x") }'],
    ['hangs', '() => new Promise(() => {})'],
    ['answers true', '() => true'],
    ['says no user', '() => ({ groups: [] })'],
    ['says a user with a line break', '() => ({ user: "a\\nb" })'],
    ['says groups that are no names', '() => ({ user: "a", groups: [1] })'],
    ['says claims that are no texts', '() => ({ user: "a", claims: { admin: true } })'],
    ['refuses with a code that is not for authenticators', '() => { throw context.refuse("r", "m") }'],
  ] as const)('that %s identifies nobody', async ([, identify]) => {
    const log = logged();
    const authenticator = await authenticatorFrom(pluginFile(text(identify)), { deadline: '50ms' }, log);
    await expect(authenticator.identify(head, peer)).rejects.toMatchObject({
      code: 'identity-unavailable',
      status: 503,
    });
    expect(log.lines).toHaveLength(1);
  });

  test('cannot put headers of its own into an answer', async () => {
    const file = pluginFile(text('() => null', 'challenge: "Basic\\r\\nSet-Cookie: a=b"'));
    await expect(authenticatorFrom(file)).rejects.toThrow('must be one line');
  });
});

describe('a module', () => {
  test.for([
    ['is not there', null, 'cannot be loaded'],
    ['cannot be read', 'export default {', 'cannot be loaded'],
    ['throws', 'throw new Error("at once")', 'cannot be loaded: at once'],
    ['has no default export', 'export const a = 1', 'is no plugin'],
    [
      'is of another kind',
      'export default { kind: "authenticator", name: "a", options: () => 1, create() {} }',
      'is an authenticator, not a policy',
    ],
    ['has no name', 'export default { kind: "policy", options: () => 1, create() {} }', 'name'],
    [
      'has a name that is none',
      'export default { kind: "policy", name: "A b", options: () => 1, create() {} }',
      'name: must be lower-case',
    ],
    [
      'reads no options',
      'export default { kind: "policy", name: "a", options: {}, create() {} }',
      'options: must be a function',
    ],
    [
      'says what nobody knows',
      'export default { kind: "policy", name: "a", options: () => 1, create() {}, judge() {} }',
      'judge',
    ],
    [
      'makes no policy',
      'export default { kind: "policy", name: "a", options: () => 1, create: () => ({}) }',
      'has made no policy',
    ],
  ] as const)('that %s is told', async ([, text, message]) => {
    const file = text === null ? '/nowhere/plugin.mjs' : pluginFile(text);
    await expect(policyFrom(file)).rejects.toThrow(message);
  });

  test('is read again when it has changed', async () => {
    const file = pluginFile(policyText('(call) => ({ call, rule: "one", changes: [] })'));
    expect((await judgeBy(await policyFrom(file), said)).decisions[0]?.rule).toBe('one');
    writeFileSync(file, policyText('(call) => ({ call, rule: "two", changes: [] })'));
    utimesSync(file, new Date(), new Date(Date.now() + 5000));
    expect((await judgeBy(await policyFrom(file), said)).decisions[0]?.rule).toBe('two');
  });

  test('tells the faults of its options with their places', async () => {
    const zod = `import { z } from '${import.meta.resolve('zod')}';
      export default { kind: 'policy', name: 'a', options: z.strictObject({ list: z.array(z.object({ n: z.number() })) }), create() {} };`;
    const { loadPolicyPlugin } = await import('../../../src/rules/plugins/load.ts');
    const kind = await loadPolicyPlugin(pluginFile(zod));
    const paths = (options: object) => kind.options.safeParse(options).error?.issues.map(({ path }) => path.join('.'));
    expect(paths({ list: [{ n: 1 }, { n: 'x' }] })).toEqual(['list.1.n']);
    expect(paths({ list: [], other: 1 })).toEqual(['']);
    expect(paths({ list: [], deadline: 'soon' })).toEqual(['deadline']);
    expect(paths({ list: [], deadline: '1s' })).toBeUndefined();
  });
});
