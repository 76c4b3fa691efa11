// RED-TEAM 54: any certificate of the CA, and names in the wrong field.
import { readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import tls from 'node:tls';
import { expect, test } from 'vitest';
import { type Made, TestCa } from './certificates.ts';
import { ask, contextOf, type Logged, listenWith, make, started, type Told, temporaryFolder, until } from './rig.ts';

const client = 'extendedKeyUsage=clientAuth';

interface House {
  readonly folder: string;
  readonly ca: TestCa;
  readonly logged: Logged[];
  call(certificate?: Made): Promise<Told>;
  readonly port: number;
}

async function house(
  options: object = {},
  prepare: (ca: TestCa, folder: string) => object = () => ({}),
): Promise<House> {
  const folder = await temporaryFolder();
  const ca = new TestCa(folder, 'people-ca');
  const server = ca.issue('/CN=localhost', ['subjectAltName=DNS:localhost', 'extendedKeyUsage=serverAuth']);
  const context = contextOf({ transport: 'tls', clientCa: ca.file, resolve: (file) => join(folder, file) });
  const authenticators = await started(
    make('client-cert', { ...options, ...prepare(ca, folder) }, context),
    make('anonymous', {}),
  );
  const tls = {
    cert: server.cert,
    key: server.key,
    ca: readFileSync(ca.file),
    requestCert: true,
    rejectUnauthorized: false,
  };
  const port = await listenWith(authenticators, { tls });
  const call = (made?: Made) =>
    ask({
      protocol: 'https:',
      port,
      host: 'localhost',
      ca: readFileSync(ca.file),
      ...(made && { cert: made.cert, key: made.key }),
    });
  return { folder, ca, call, port, logged: context.logged };
}

test('the common name is the user and the units are the groups', async () => {
  const { ca, call } = await house();
  const { identity } = await call(ca.issue('/O=Example/OU=staff/OU=ci/CN=alice'));
  expect(identity).toMatchObject({ user: 'alice', groups: ['staff', 'ci'], by: 'client-cert' });
  expect(identity?.claims.serial).toMatch(/^[0-9a-f]+$/);
});

test('no certificate is nobody of ours: the next authenticator is asked', async () => {
  const { call } = await house();
  expect((await call()).identity?.by).toBe('anonymous');
});

test('a certificate that is there and not acceptable is 401 and never falls through', async () => {
  const { ca, folder, call } = await house();
  const stranger = new TestCa(folder, 'people-ca-2');
  const wrong: readonly [string, Made, RegExp][] = [
    ['of another CA', stranger.issue('/CN=alice'), /does not verify/],
    [
      'for servers',
      ca.issue('/CN=alice', ['extendedKeyUsage=serverAuth']),
      /does not verify|not say that it is for clients/,
    ],
    ['without a purpose', ca.issue('/CN=alice', ['keyUsage=digitalSignature']), /not say that it is for clients/],
    ['of a CA', ca.issue('/CN=alice', ['basicConstraints=CA:TRUE', client]), /that of a CA/],
    ['with two common names', ca.issue('/CN=alice/CN=root'), /more than one user/],
    ['without a common name', ca.issue('/O=alice'), /names no user/],
    ['with a line break in its name', ca.issue('/CN=alice\nroot'), /cannot be used/],
    ['with a right-to-left mark in its name', ca.issue('/CN=alice\u202e'), /cannot be used/],
  ];
  for (const [what, made, why] of wrong) {
    const { status, message } = await call(made);
    expect([what, status, message]).toEqual([what, 401, expect.stringMatching(why)]);
  }
});

test('a name elsewhere in the certificate counts for nothing', async () => {
  const { ca, call } = await house({ user: 'cn' });
  const made = ca.issue('/CN=alice', [
    client,
    'subjectAltName=DNS:root,email:root@example.org,URI:spiffe://example.org/root',
  ]);
  expect((await call(made)).identity?.user).toBe('alice');

  const byMail = await house({ user: 'email', pattern: '{user}@example.org' });
  const noMail = byMail.ca.issue('/CN=root@example.org/emailAddress=root@example.org', [
    client,
    'subjectAltName=DNS:x',
  ]);
  expect(await byMail.call(noMail)).toMatchObject({ status: 401, message: expect.stringContaining('names no user') });
});

test('a NUL, or an element of a subject written inside a name, makes nobody else', async () => {
  const { ca, call } = await house();
  expect((await call(ca.issue('/CN=alice\\/CN=root'))).identity?.user).toBe('alice/CN=root');
  const dns = await house({ user: 'dns' });
  // openssl takes a name in DER: an IA5String with a NUL.
  const nul = dns.ca.issue('/CN=x', [client, 'subjectAltName=DER:300C820A726F6F7400652E6F7267']);
  expect(await dns.call(nul)).toMatchObject({ status: 401, message: expect.stringContaining('cannot be read') });
});

test('alternative names of each kind name the user, through a pattern too', async () => {
  const cases: readonly [object, string, string][] = [
    [{ user: 'dns' }, 'DNS:runner-1.example.org', 'runner-1.example.org'],
    [{ user: 'email' }, 'email:alice@example.org', 'alice@example.org'],
    [{ user: 'email', pattern: '{user}@example.org' }, 'email:alice@example.org,email:alice@home.test', 'alice'],
    [{ user: 'uri', pattern: 'spiffe://example.org/ns/*/sa/{user}' }, 'URI:spiffe://example.org/ns/ci/sa/bob', 'bob'],
  ];
  for (const [options, names, user] of cases) {
    const { ca, call } = await house(options);
    expect((await call(ca.issue('/CN=root', [client, `subjectAltName=${names}`]))).identity?.user).toBe(user);
  }
});

test('only the users and groups of the lists may come in', async () => {
  const { ca, call } = await house({ allow: { users: ['ci-*'], groups: ['admins'] } });
  expect((await call(ca.issue('/CN=ci-1'))).status).toBe(200);
  expect((await call(ca.issue('/OU=admins/CN=alice'))).status).toBe(200);
  expect((await call(ca.issue('/CN=alice'))).status).toBe(401);
});

test('a revoked certificate is refused within a second, on connections that are open too', async () => {
  const { ca, folder, call, port } = await house({ crl: 'list.pem' }, (made, where) => {
    made.writeList(join(where, 'list.pem'));
    return {};
  });
  const [alice, bob] = [ca.issue('/CN=alice'), ca.issue('/CN=bob')];
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const trust = { protocol: 'https:', host: 'localhost', port, agent, ca: readFileSync(ca.file) };
  const again = () => ask({ ...trust, cert: alice.cert, key: alice.key });
  expect((await again()).identity?.user).toBe('alice');
  ca.revoke(alice);
  ca.writeList(join(folder, 'list.pem'));
  const took = await until(async () => (await again()).status === 401, 3000);
  expect(took).toBeLessThan(1100);
  expect((await again()).message).toContain('it is revoked');
  expect((await call(alice)).status).toBe(401);
  expect((await call(bob)).identity?.user).toBe('bob');
  agent.destroy();
});

test('a resumed TLS session shows its certificate, and is refused when that is revoked', async () => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const { ca, folder, port } = await house({ crl: 'list.pem' }, (made, where) => {
      made.writeList(join(where, 'list.pem'));
      return {};
    });
    const alice = ca.issue('/CN=alice');
    const options = {
      port,
      host: 'localhost',
      ca: readFileSync(ca.file),
      cert: alice.cert,
      key: alice.key,
      maxVersion,
    };
    const talk = (session?: Buffer): Promise<{ answer: string; reused: boolean; session: Buffer }> =>
      new Promise((resolve, reject) => {
        const socket = tls.connect({ ...options, ...(session && { session }) });
        let answer = '';
        let last = Buffer.alloc(0) as Buffer;
        socket.on('session', (given: Buffer) => {
          last = given;
        });
        socket.on('data', (chunk) => {
          answer += chunk;
        });
        socket.on('error', reject);
        socket.on('end', () => resolve({ answer, reused: socket.isSessionReused(), session: last }));
        socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      });
    const first = await talk();
    const second = await talk(first.session);
    expect([second.reused, second.answer]).toEqual([true, expect.stringContaining('"user":"alice"')]);
    ca.revoke(alice);
    ca.writeList(join(folder, 'list.pem'));
    await until(async () => (await talk(first.session)).answer.includes('it is revoked'), 2000);
  }
});

test('a list that is out of date lets nobody in', async () => {
  const { ca, call } = await house({ crl: 'list.pem' }, (made, where) => {
    made.writeList(join(where, 'list.pem'), ['-crlsec', '1']);
    return {};
  });
  const alice = ca.issue('/CN=alice');
  await until(async () => (await call(alice)).message.includes('no current revocation list'), 5000);
});

test('a list that another CA has signed, or that is broken, is not taken; the old one still holds', async () => {
  const { ca, folder, call, logged } = await house({ crl: 'list.pem' }, (made, where) => {
    made.writeList(join(where, 'list.pem'));
    return {};
  });
  const alice = ca.issue('/CN=alice');
  const other = new TestCa(folder, 'other', 'rsa');
  const file = join(folder, 'list.pem');
  const good = readFileSync(file);
  other.writeList(file);
  await until(() => logged.some(({ facts }) => String(facts.error).includes('not signed by the CA')), 3000);
  const flipped = Buffer.from(
    readFileSync(file)
      .toString('latin1')
      .replace(/\n[A-Za-z]/, '\n!'),
    'latin1',
  );
  writeFileSync(file, flipped);
  await until(() => logged.filter(({ message }) => message.includes('not taken')).length === 2, 3000);
  expect((await call(alice)).status).toBe(200);
  writeFileSync(file, good);
});

test('lists of RSA and of elliptic CAs are read, and one that is forged by a bit is not', async () => {
  const { readAuthorities, readRevocationLists } = await import('../../../src/front/identity/revocation-list.ts');
  const folder = await temporaryFolder();
  for (const algorithm of ['rsa', 'ec'] as const) {
    const ca = new TestCa(folder, algorithm, algorithm);
    const made = ca.issue('/CN=x');
    ca.revoke(made);
    const file = join(folder, 'list.pem');
    ca.writeList(file);
    const authorities = readAuthorities(readFileSync(ca.file));
    const [list] = readRevocationLists(readFileSync(file), authorities);
    expect(list?.revoked.size).toBe(1);
    const der = Buffer.from(readFileSync(file, 'latin1').replace(/-----[^-]+-----/g, ''), 'base64');
    expect(readRevocationLists(der, authorities)[0]?.revoked).toEqual(list?.revoked);
    for (let at = 0; at < der.length; at += 7) {
      const forged = Buffer.from(der);
      forged[at] = forged[at]! ^ 1;
      expect(() => readRevocationLists(forged, authorities)).toThrow();
    }
  }
});

test('without a client CA there is no client-cert', () => {
  expect(() => make('client-cert', {}, contextOf({ transport: 'tls' }))).toThrow(/clientCa/);
});
