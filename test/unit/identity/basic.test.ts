import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashSync } from '@node-rs/bcrypt';
import { expect, test } from 'vitest';
import { Attempts, budgets, sourceOf } from '../../../src/front/identity/attempts.ts';
import { readHtpasswd } from '../../../src/front/identity/htpasswd.ts';
import { nobodysHash, PasswordCheck } from '../../../src/front/identity/password-check.ts';
import {
  ask,
  contextOf,
  headOf,
  listenWith,
  make,
  refusalOf,
  somePeer,
  started,
  temporaryFolder,
  until,
} from './rig.ts';

/** A line as `htpasswd -B` writes it. */
function htpasswd(user: string, password: string, cost = 4): string {
  return `${user}:${hashSync(password, cost).replace(/^\$2.\$/, '$2y$')}`;
}

const credentials = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

async function passwords(lines: readonly string[], more: { groups?: string } = {}) {
  const folder = await temporaryFolder();
  const file = join(folder, 'htpasswd');
  await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  const context = contextOf({ resolve: (name) => join(folder, name) });
  if (more.groups !== undefined) await writeFile(join(folder, 'groups'), more.groups, { mode: 0o644 });
  const options = { htpasswd: 'htpasswd', ...(more.groups === undefined ? {} : { groups: 'groups' }) };
  const [basic] = await started(make('basic', options, context));
  const as = (user: string, password: string, address = '192.0.2.1') =>
    basic!.identify(headOf('Authorization', credentials(user, password)), somePeer(address));
  return { file, basic: basic!, as, logged: context.logged };
}

test('a user and a password of the file, with the groups of the other file', async () => {
  const { as } = await passwords(['# people', htpasswd('alice', 's3cret'), htpasswd('bob', 'x')], {
    groups: 'ci: alice bob\nadmins: alice\n',
  });
  expect(await as('alice', 's3cret')).toEqual({ user: 'alice', groups: ['ci', 'admins'], claims: {}, by: 'basic' });
  expect(await as('bob', 'x')).toMatchObject({ user: 'bob', groups: ['ci'] });
});

test('wrong passwords and unknown users are answered alike, over a real socket', async () => {
  const { basic } = await passwords([htpasswd('alice', 's3cret')]);
  const port = await listenWith([basic], { tcp: true });
  const call = (authorization: string) => ask({ port, headers: { authorization } });
  const wrong = await call(credentials('alice', 'no'));
  const unknown = await call(credentials('mallory', 'no'));
  expect(unknown).toEqual(wrong);
  expect(wrong).toMatchObject({ status: 401, challenges: ['Basic realm="berthgate", charset="UTF-8"'] });
  expect((await call(credentials('alice', 's3cret'))).identity?.user).toBe('alice');
});

test('a user who does not exist costs the computation of one who does', async () => {
  const costs: string[] = [];
  const check = new PasswordCheck((_, hash) => {
    costs.push(hash.slice(4, 6));
    return Promise.resolve(false);
  });
  const hash = htpasswd('a', 'b', 6).split(':')[1]!;
  await check.ask(check.question(Buffer.from('x'), hash), () => true);
  await check.ask(
    check.question(Buffer.from('x'), nobodysHash(readHtpasswd(Buffer.from(`a:${hash}`)).cost)),
    () => true,
  );
  expect(costs).toEqual(['06', '06']);
});

test('a password that was right is not computed again, until the file says another one', async () => {
  const { as, file } = await passwords([htpasswd('alice', 'old')]);
  await as('alice', 'old');
  const known = as('alice', 'old');
  expect(known).not.toBeInstanceOf(Promise);
  await writeFile(file, `${htpasswd('alice', 'new')}\n`);
  await until(async () => (await as('alice', 'new', '192.0.2.2')) !== null, 3000);
  expect(await refusalOf(() => as('alice', 'old'))).toMatchObject({ code: 'not-identified' });
});

test('credentials that can be read in two ways are refused', async () => {
  const { basic } = await passwords([htpasswd('alice', 's3cret')]);
  const encoded = Buffer.from('alice:s3cret').toString('base64');
  const spelt = [
    'Basic',
    'Basic ====',
    `Basic ${encoded}!`,
    `Basic ${encoded} x`,
    `Basic ${Buffer.from('alice').toString('base64')}`,
    `Basic ${Buffer.from(':s3cret').toString('base64')}`,
    `Basic ${Buffer.from('alice:s3cret\0x').toString('base64')}`,
    `Basic ${Buffer.from('ali\nce:s3cret').toString('base64')}`,
    `Basic ${Buffer.from([0xff, 0x3a, 0x61]).toString('base64')}`,
  ];
  for (const value of spelt) {
    const refusal = await refusalOf(() => basic.identify(headOf('Authorization', value), somePeer()));
    expect([value, refusal.status]).toEqual([value, 401]);
    expect(refusal.message).not.toContain('s3cret');
  }
});

test('passwords may hold colons and any characters of UTF-8', async () => {
  const { as } = await passwords([htpasswd('jürgen', 'a:b:ä€')]);
  expect(await as('jürgen', 'a:b:ä€')).toMatchObject({ user: 'jürgen' });
});

test('after ten wrong passwords of one user no more is computed, and others are not touched', async () => {
  const { as } = await passwords([htpasswd('alice', 's3cret'), htpasswd('bob', 'x')]);
  for (let i = 0; i < budgets.pair.burst; i++) expect((await refusalOf(() => as('alice', `no${i}`))).status).toBe(401);
  expect((await refusalOf(() => as('alice', 's3cret'))).status).toBe(429);
  expect(await as('bob', 'x')).toMatchObject({ user: 'bob' });
  expect(await as('alice', 's3cret', '192.0.2.2')).toMatchObject({ user: 'alice' });
  expect(await as('alice', 's3cret')).toMatchObject({ user: 'alice' });
});

test('one wrong password again and again is computed once, and answered late', async () => {
  const { as } = await passwords([htpasswd('alice', 's3cret')]);
  await refusalOf(() => as('alice', 'no'));
  const begin = performance.now();
  // The more wait, the later each is answered.
  for (const refusal of await Promise.all(Array.from({ length: 25 }, () => refusalOf(() => as('alice', 'no'))))) {
    expect(refusal.status).toBe(401);
  }
  expect(performance.now() - begin).toBeGreaterThan(1000);
  expect(await as('alice', 's3cret')).toMatchObject({ user: 'alice' });
});

test('many first calls with one right password cost one computation and no attempt', async () => {
  let computed = 0;
  const check = new PasswordCheck(async () => {
    computed++;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return true;
  });
  const question = () => check.question(Buffer.from('x'), nobodysHash(4));
  const verdicts = await Promise.all(Array.from({ length: 100 }, () => check.ask(question(), () => true)));
  expect([computed, new Set(verdicts)]).toEqual([1, new Set(['right'])]);
});

test('what waits is bounded, and what is not wanted any more is not computed', async () => {
  let computed = 0;
  const release: (() => void)[] = [];
  const check = new PasswordCheck(() => {
    computed++;
    return new Promise((resolve) => release.push(() => resolve(false)));
  });
  const asked = Array.from({ length: 400 }, (_, i) => {
    return check.ask(check.question(Buffer.from(String(i)), nobodysHash(4)), () => i === 0);
  });
  expect(asked.filter((answer) => answer === null).length).toBeGreaterThan(100);
  const first = computed;
  const done = Promise.all(asked);
  await until(() => release.length > 0, 1000);
  for (const go of release) go();
  expect(new Set(await done)).toEqual(new Set(['wrong', 'dropped', null]));
  expect(computed).toBe(first === 0 ? 1 : first);
});

test('the budgets refill slowly and never beyond their burst', () => {
  let now = 0;
  const attempts = new Attempts(() => now);
  for (let i = 0; i < budgets.source.burst; i++) attempts.charge('client', `user${i}`);
  expect(attempts.spent('client', 'anybody')).toBe(true);
  expect(attempts.spent('other', 'anybody')).toBe(false);
  now += budgets.source.everyMs;
  expect(attempts.spent('client', 'anybody')).toBe(false);
  attempts.charge('client', 'anybody');
  expect(attempts.spent('client', 'somebody')).toBe(true);
  now += 1e9;
  for (let i = 0; i < budgets.source.burst; i++) {
    expect(attempts.spent('client', `u${i}`)).toBe(false);
    attempts.charge('client', `u${i}`);
  }
  expect(attempts.spent('client', 'x')).toBe(true);
});

test('a client with a network of IPv6 is one client', () => {
  expect(sourceOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2');
  expect(sourceOf('2001:db8:1:2::9')).toBe('2001:db8:1:2');
  expect(sourceOf('2001:db8::9')).toBe('2001:db8:0:0');
  expect(sourceOf('::1')).toBe('0:0:0:0');
  expect(sourceOf('192.0.2.1')).toBe('192.0.2.1');
  expect(sourceOf(null)).toBe('unix');
});

test('other kinds of hashes are refused with their line, and without a word of them', () => {
  const good = htpasswd('alice', 's3cret');
  const cases: readonly [string, RegExp][] = [
    [`${good}\nbob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=`, /line 2: the password of bob is not a bcrypt hash/],
    ['bob:$apr1$abc$def', /line 1: .*bcrypt/],
    [`bob:${good.slice(6).replace('$2y$', '$2x$')}`, /line 1: .*bcrypt/],
    [`\n\n${good}\n${good}`, /line 4: the user alice stands there a second time/],
    ['just a line', /line 1: must be USER:HASH/],
    [`bob:${good.slice(6).replace('$04$', '$31$')}`, /line 1: the bcrypt cost of bob must be from 4 to 15, not 31/],
  ];
  for (const [text, message] of cases) {
    expect(() => readHtpasswd(Buffer.from(text))).toThrow(message);
    expect(() => readHtpasswd(Buffer.from(text))).not.toThrow(/apr1\$|5en6G6|[./A-Za-z0-9]{53}/);
  }
});

test('a file that others can write, or everybody can read, is not taken', async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'htpasswd');
  await writeFile(file, htpasswd('alice', 'x'));
  const basic = () => make('basic', { htpasswd: file });
  for (const [mode, why] of [
    [0o660, /can be written by others: its mode is 0660/],
    [0o644, /can be read by everybody/],
  ] as const) {
    await chmod(file, mode);
    await expect(basic().start?.()).rejects.toThrow(why);
  }
  await chmod(file, 0o640);
  await started(basic());
  await expect(make('basic', { htpasswd: folder }).start?.()).rejects.toThrow(/not a regular file/);
  await expect(make('basic', { htpasswd: join(folder, 'none') }).start?.()).rejects.toThrow(/ENOENT/);
});

test('a broken file keeps the old one, and is logged once and without secrets', async () => {
  const { as, file, logged } = await passwords([htpasswd('alice', 's3cret')]);
  await writeFile(file, 'alice:plain-password\n');
  await until(() => logged.length > 0, 3000);
  await new Promise((resolve) => setTimeout(resolve, 1200));
  expect(logged).toHaveLength(1);
  expect(JSON.stringify(logged)).not.toContain('plain-password');
  expect(await as('alice', 's3cret')).toMatchObject({ user: 'alice' });
});
