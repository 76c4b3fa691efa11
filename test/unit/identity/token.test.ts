import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../../src/cli/program.ts';
import { tokens } from '../../../src/cli/tokens.ts';
import { makeToken, readTokenFile } from '../../../src/front/identity/token-file.ts';
import { ask, contextOf, listenWith, make, started, temporaryFolder, until } from './rig.ts';

async function command(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const terminal = {
    env: {},
    uid: 0,
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
  };
  const code = await run(['tokens', ...args], [tokens], terminal);
  return { code, out, err };
}

async function listener(file: string) {
  const port = await listenWith(await started(make('token', { file }, contextOf())), { tcp: true });
  return (token: string) => ask({ port, headers: { authorization: `Bearer ${token}` } });
}

test('a token that is added works within a second, one that is revoked does not, and nothing restarts', async () => {
  const file = join(await temporaryFolder(), 'tokens');
  const first = (await command('add', '-f', file, '-u', 'alice', '-g', 'ci', '-g', 'staff', '-n', 'laptop')).out.trim();
  expect(first).toMatch(/^bgt_[A-Za-z0-9_-]{43}$/);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const call = await listener(file);
  expect((await call(first)).identity).toMatchObject({ user: 'alice', groups: ['ci', 'staff'], by: 'token' });

  const { token, id } = JSON.parse((await command('add', '-f', file, '-u', 'bob', '--json')).out) as Record<
    string,
    string
  >;
  expect(await until(async () => (await call(token!)).status === 200, 3000)).toBeLessThan(1000);
  expect((await command('revoke', '-f', file, id!)).out).toBe(`revoked ${id} of bob\n`);
  expect(await until(async () => (await call(token!)).status === 401, 3000)).toBeLessThan(1000);
  expect((await call(first)).status).toBe(200);
});

test('no token stands in the file or in a list', async () => {
  const file = join(await temporaryFolder(), 'tokens');
  const token = (await command('add', '-f', file, '-u', 'alice')).out.trim();
  expect(await readFile(file, 'utf8')).not.toContain(token.slice(4));
  const { out } = await command('list', '-f', file);
  expect(out).toMatch(/^ID +USER +GROUPS +EXPIRES +NOTE\n[0-9a-f]{12} +alice +never\n$/);
  const { sha256 } = readTokenFile(await readFile(file)).records[0]!;
  expect((await command('list', '-f', file, '--json')).out).not.toContain(sha256);
});

test('unknown, expired and mistyped tokens are told in the words of RFC 6750', async () => {
  const file = join(await temporaryFolder(), 'tokens');
  const { token, record } = makeToken({ user: 'alice', groups: [], expires: '2020-01-01T00:00:00Z', note: undefined });
  await writeFile(file, JSON.stringify(record), { mode: 0o600 });
  const call = await listener(file);
  const unknown = `bgt_${'A'.repeat(43)}`;
  for (const [wrong, words] of [
    [token, 'has expired'],
    [unknown, 'not known'],
    [`${unknown}x`, 'not known'],
    ['bgt_', 'not known'],
  ] as const) {
    const told = await call(wrong);
    expect(told).toMatchObject({ status: 401, challenges: ['Bearer realm="berthgate", error="invalid_token"'] });
    expect(told.message).toContain(words);
    expect(told.message).not.toContain(wrong.slice(4, 20) || '\0');
  }
  // A bearer token of another kind belongs to nobody here.
  expect(await call('eyJhbGciOiJub25lIn0.e30.')).toMatchObject({ status: 401 });
});

test('of many commands at one time no token is lost, and readers never see half a file', async () => {
  const file = join(await temporaryFolder(), 'tokens');
  await command('add', '-f', file, '-u', 'first');
  let done = false;
  const reading = (async () => {
    while (!done) expect(readTokenFile(await readFile(file)).records.length).toBeGreaterThan(0);
  })();
  const made = await Promise.all(Array.from({ length: 20 }, (_, i) => command('add', '-f', file, '-u', `user${i}`)));
  done = true;
  await reading;
  expect(made.every(({ code }) => code === 0)).toBe(true);
  expect(readTokenFile(await readFile(file)).records).toHaveLength(21);
});

test('a file with a fault is not changed, and the fault names line and field, not the value', async () => {
  const file = join(await temporaryFolder(), 'tokens');
  for (const [text, message] of [
    ['{"id":"abcdefgh","sha256":"short","user":"alice"}', /line 1: sha256: must be 64 hexadecimal digits/],
    ['\n{"id": bgt_secret}', /line 2: is not JSON/],
    ['{"id":"abcdefgh","secret":"bgt_secret"}', /line 1: /],
  ] as const) {
    await writeFile(file, text, { mode: 0o600 });
    const { code, err } = await command('add', '-f', file, '-u', 'bob');
    expect([code, err]).toEqual([1, expect.stringMatching(message)]);
    expect(err).not.toContain('bgt_secret');
    expect(await readFile(file, 'utf8')).toBe(text);
  }
});

test('comments stay when a token is revoked; what is not there cannot be revoked', async () => {
  const file = join(await temporaryFolder(), 'tokens');
  await writeFile(file, '# made by hand\n', { mode: 0o600 });
  await command('add', '-f', file, '-u', 'alice');
  await command('add', '-f', file, '-u', 'alice');
  expect(await command('revoke', '-f', file, 'nothing')).toMatchObject({ code: 1 });
  expect((await command('revoke', '-f', file, '--user', 'alice')).code).toBe(0);
  expect(await readFile(file, 'utf8')).toBe('# made by hand\n');
  expect((await command('revoke', '-f', file)).code).toBe(2);
  expect((await command('add', '-f', file, '-u', 'al\nice')).code).toBe(2);
  expect((await command('add', '-f', file, '-u', 'alice', '-e', 'soon')).code).toBe(2);
});
