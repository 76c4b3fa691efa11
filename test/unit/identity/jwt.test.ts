import { createHmac } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose';
import { expect, onTestFinished, test } from 'vitest';
import type { Authenticator } from '../../../src/exchange/authenticator.ts';
import { jwtOptions } from '../../../src/front/identity/jwt-options.ts';
import { RemoteKeySet } from '../../../src/front/identity/remote-key-set.ts';
import { download } from '../../../src/wire/download.ts';
import { contextOf, headOf, make, refusalOf, somePeer, started, temporaryFolder, until } from './rig.ts';

const issuer = 'https://gitlab.example.org';
const audience = 'https://docker.example.org';

interface Key {
  readonly jwk: JWK;
  sign(
    claims: object,
    changes?: { alg?: string; kid?: string | null; issuer?: string; audience?: string; expires?: number | null },
  ): Promise<string>;
  readonly publicKey: Awaited<ReturnType<typeof generateKeyPair>>['publicKey'];
}

async function makeKey(kid: string, alg = 'RS256'): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair(alg);
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
  return {
    jwk,
    publicKey,
    sign(claims, changes = {}) {
      const header = { alg: changes.alg ?? alg, ...(changes.kid === null ? {} : { kid: changes.kid ?? kid }) };
      const jwt = new SignJWT({ ...claims }).setProtectedHeader(header);
      jwt
        .setIssuer(changes.issuer ?? issuer)
        .setAudience(changes.audience ?? audience)
        .setIssuedAt();
      if (changes.expires !== null) jwt.setExpirationTime(changes.expires ?? Math.floor(Date.now() / 1000) + 300);
      return jwt.sign(privateKey);
    },
  };
}

const key = await makeKey('one');

async function withKeys(keys: readonly object[], options: object = {}): Promise<Authenticator & { file: string }> {
  const file = join(await temporaryFolder(), 'keys.json');
  await writeFile(file, JSON.stringify({ keys }), { mode: 0o644 });
  const [jwt] = await started(make('jwt', { issuer, audience: [audience], jwks: file, ...options }));
  return Object.assign(jwt!, { file });
}

const bearing = (jwt: Authenticator, token: string) =>
  jwt.identify(headOf('Authorization', `Bearer ${token}`), somePeer());

// What GitLab puts into an ID token of a job.
const job = {
  namespace_path: 'team',
  project_path: 'team/app',
  user_login: 'alice',
  user_email: 'alice@example.org',
  pipeline_source: 'push',
  job_id: '302',
  ref: 'main',
  ref_protected: 'true',
  sub: 'project_path:team/app:ref_type:branch:ref:main',
};

test('a GitLab ID token: the user, the groups, and the claims that are kept', async () => {
  const jwt = await withKeys([key.jwk], {
    user: 'user_login',
    groups: 'namespace_path',
    claims: ['project_path', 'job_id', 'absent'],
    require: { project_path: ['team/**'], ref_protected: ['true'] },
  });
  expect(await bearing(jwt, await key.sign(job))).toEqual({
    user: 'alice',
    groups: ['team'],
    claims: { project_path: 'team/app', job_id: '302' },
    by: 'jwt',
  });
});

test('who is not required to come in does not, though the issuer signed for it', async () => {
  const jwt = await withKeys([key.jwk], { user: 'user_login', require: { project_path: ['team/*'] } });
  for (const claims of [
    { ...job, project_path: 'other/app' },
    { ...job, project_path: 'team/sub/app' },
    { ...job, project_path: 'evil/team/app' },
    { ...job, project_path: undefined },
    { ...job, project_path: { toString: 'team/app' } },
  ]) {
    expect((await refusalOf(async () => bearing(jwt, await key.sign(claims)))).message).toContain('project_path');
  }
});

test('tokens that are not of this issuer, for somebody else, late, or forged are refused', async () => {
  const jwt = await withKeys([key.jwk], { algorithms: ['RS256', 'ES256'] });
  const other = await makeKey('one');
  const elliptic = await makeKey('two', 'ES256');
  const good = await key.sign({ sub: 'alice' });
  const [head, body, signature] = good.split('.') as [string, string, string];
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const asSecret = Buffer.from(await exportSPKI(key.publicKey as never));
  const hs = `${encode({ alg: 'HS256', kid: 'one' })}.${body}`;
  const now = Math.floor(Date.now() / 1000);
  const wrong: readonly [string, string][] = [
    ['another issuer', await key.sign({ sub: 'a' }, { issuer: `${issuer}.evil.test` })],
    ['another audience', await key.sign({ sub: 'a' }, { audience: 'https://other.example.org' })],
    ['expired', await key.sign({ sub: 'a' }, { expires: now - 60 })],
    ['without an end', await key.sign({ sub: 'a' }, { expires: null })],
    ['not yet', await key.sign({ sub: 'a', nbf: now + 120 })],
    ['another key of the same name', await other.sign({ sub: 'a' })],
    ['a key that the issuer does not have', await elliptic.sign({ sub: 'a' })],
    ['no algorithm', `${encode({ alg: 'none' })}.${body}.`],
    ['the public key as a secret', `${hs}.${createHmac('sha256', asSecret).update(hs).digest('base64url')}`],
    ['a key of its own', `${encode({ alg: 'RS256', kid: 'one', jwk: other.jwk })}.${body}.${signature}`],
    ['critical words', `${encode({ alg: 'RS256', kid: 'one', crit: ['x'], x: 1 })}.${body}.${signature}`],
    ['another body', `${head}.${encode({ iss: issuer, aud: audience, sub: 'root', exp: now + 300 })}.${signature}`],
    ['no user', await key.sign({})],
    ['a user with a line break', await key.sign({ sub: 'alice\nroot' })],
    ['a user that is no text', await key.sign({ sub: ['alice'] } as never)],
    ['garbage', 'x'],
    ['nothing', ''],
  ];
  for (const [what, token] of wrong) {
    const refusal = await refusalOf(() => bearing(jwt, token));
    expect([what, refusal.code]).toEqual([what, 'not-identified']);
    expect(refusal.message).not.toContain(token || '\0');
  }
  expect(await bearing(jwt, good)).toMatchObject({ user: 'alice' });
});

test('our own tokens are left to their own authenticator', async () => {
  const jwt = await withKeys([key.jwk]);
  expect(bearing(jwt, `bgt_${'A'.repeat(43)}`)).toBeNull();
  expect(jwt.identify(headOf('Authorization', 'Basic YTpi'), somePeer())).toBeNull();
});

test('keys that change in the file hold within a second, and the old ones do not', async () => {
  const jwt = await withKeys([key.jwk]);
  const next = await makeKey('two');
  const old = await key.sign({ sub: 'alice' });
  await bearing(jwt, old);
  expect(bearing(jwt, old)).not.toBeInstanceOf(Promise);
  await writeFile(jwt.file, JSON.stringify({ keys: [next.jwk] }));
  const token = await next.sign({ sub: 'alice' });
  expect(await until(async () => (await bearing(jwt, token)) !== null, 3000)).toBeLessThan(1000);
  expect((await refusalOf(() => bearing(jwt, old))).status).toBe(401);
});

test('a file with private or symmetric keys is not taken', async () => {
  for (const keys of [[], [{ kty: 'oct', k: 'c2VjcmV0' }], [{ ...key.jwk, d: 'x' }], 'keys']) {
    const file = join(await temporaryFolder(), 'keys.json');
    await writeFile(file, JSON.stringify({ keys }), { mode: 0o644 });
    await expect(make('jwt', { issuer, audience: [audience], jwks: file }).start?.()).rejects.toThrow(/holds|is not/);
  }
});

async function issuerAt(answer: (response: http.ServerResponse) => void) {
  let asked = 0;
  const server = http.createServer((_, response) => {
    asked++;
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`);
  return { url, asked: () => asked };
}

test('keys of a URL: rotation is noticed, asked for seldom, and an outage is survived', async () => {
  let body: string | null = JSON.stringify({ keys: [key.jwk] });
  const place = await issuerAt((response) => response.writeHead(body === null ? 503 : 200).end(body ?? ''));
  let now = 0;
  const set = new RemoteKeySet({
    url: place.url,
    ca: undefined,
    download: contextOf().download,
    log: contextOf().log,
    now: () => now,
  });
  await set.start();
  expect((await set.keys(false))?.has({ kid: 'one' })).toBe(true);
  // A flood of tokens with keys that nobody has.
  now += 31_000;
  for (let i = 0; i < 100; i++) await set.keys(true);
  expect(place.asked()).toBe(2);
  const next = await makeKey('two');
  body = JSON.stringify({ keys: [key.jwk, next.jwk] });
  now += 31_000;
  expect((await set.keys(true))?.has({ kid: 'two' })).toBe(true);
  body = null;
  now += 3_600_000;
  expect((await set.keys(false))?.has({ kid: 'two' })).toBe(true);
  now += 24 * 3_600_000;
  expect(await set.keys(false)).toBeNull();
});

test("keys of a URL are fetched through the site's proxy, but for hosts that are reached without it", async () => {
  const place = await issuerAt((response) => response.end(JSON.stringify({ keys: [key.jwk] })));
  const asked: string[] = [];
  const proxy = http.createServer((_, response) => response.writeHead(405).end());
  proxy.on('connect', (request, client, head) => {
    asked.push(request.url ?? '');
    const issuer = net.connect(Number(place.url.port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      issuer.write(head);
      client.pipe(issuer).pipe(client);
    });
    for (const end of [client, issuer]) end.on('error', () => end.destroy());
    onTestFinished(() => void client.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void proxy.close());
  const site = { proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, ca: [], allowPrivate: [] };
  const keysThrough = async (noProxy: readonly string[]) => {
    const context = contextOf({ download: (url, wanted) => download({ ...site, noProxy }, url, wanted) });
    const [jwt] = await started(make('jwt', { issuer, audience: [audience], jwks: place.url.href }, context));
    expect((await bearing(jwt!, await key.sign({ sub: 'alice' })))?.user).toBe('alice');
  };
  await keysThrough([]);
  expect(asked).toEqual([place.url.host]);
  await keysThrough(['127.0.0.1']);
  expect([asked.length, place.asked()]).toEqual([1, 2]);
});

test('an issuer that never answered is 503, and that is no reason not to start', async () => {
  const place = await issuerAt((response) => response.writeHead(302, { location: 'http://127.0.0.1/' }).end());
  const context = contextOf();
  const [jwt] = await started(make('jwt', { issuer, audience: [audience], jwks: place.url.href }, context));
  expect(context.logged[0]?.facts).toMatchObject({ error: 'the answer is 302, not 200' });
  const refusal = await refusalOf(async () => bearing(jwt!, await key.sign({ sub: 'alice' })));
  expect(refusal).toMatchObject({ code: 'identity-unavailable', status: 503 });
});

test('an answer without an end is cut', async () => {
  const place = await issuerAt((response) => {
    response.writeHead(200);
    const write = () => {
      while (!response.destroyed && response.write('x'.repeat(65_536))) {
        // Until the client has had enough.
      }
    };
    response.on('drain', write);
    write();
  });
  const context = contextOf();
  await new RemoteKeySet({ url: place.url, ca: undefined, download: context.download, log: context.log }).start();
  expect(context.logged[0]?.facts).toMatchObject({ error: 'the answer is larger than 512KiB' });
});

test('options that would weaken it are refused', () => {
  const fine = { issuer, audience: [audience], jwks: `${issuer}/oauth/discovery/keys` };
  expect(jwtOptions.safeParse(fine).success).toBe(true);
  for (const wrong of [
    { ...fine, jwks: 'http://gitlab.example.org/keys' },
    { ...fine, jwks: 'http://127.0.0.1.evil.test/keys' },
    { ...fine, jwks: 'https://user:secret@gitlab.example.org/keys' },
    { ...fine, jwks: 'ftp://gitlab.example.org/keys' },
    { ...fine, audience: [] },
    { issuer, jwks: fine.jwks },
    { ...fine, algorithms: ['HS256'] },
    { ...fine, algorithms: ['none'] },
    { ...fine, clockTolerance: '1h' },
    { ...fine, unknown: true },
  ]) {
    expect([wrong, jwtOptions.safeParse(wrong).success]).toEqual([wrong, false]);
  }
});
