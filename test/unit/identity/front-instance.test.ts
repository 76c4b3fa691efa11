// RED-TEAM 14, 54: headers that say who somebody is, and certificates of the same CA that were made for something else.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { builtIn } from '../../../src/cli/kinds.ts';
import { startAuthenticators, stopAuthenticators } from '../../../src/cli/serve/authenticators.ts';
import { authenticatorKinds } from '../../../src/front/identity/authenticators.ts';
import { loadConfig } from '../../../src/operate/config/index.ts';
import { type Made, TestCa } from './certificates.ts';
import { ask, listenWith, type Told, temporaryFolder, until } from './rig.ts';

const CLIENT = 'extendedKeyUsage=clientAuth';
const front = ['front.example.org', 'spiffe://example.org/front'];
const alice = JSON.stringify({ user: 'alice', groups: ['ci'], claims: { project_path: 'web/shop' } });

interface House {
  readonly ca: TestCa;
  readonly folder: string;
  call(certificate: Made | null, headers?: Readonly<Record<string, string | readonly string[]>>): Promise<Told>;
}

/** What `serve` makes of a configuration, in front of nothing. */
async function house(trust: object | null, prepare: (ca: TestCa, folder: string) => void = () => {}): Promise<House> {
  const folder = await temporaryFolder();
  const ca = new TestCa(folder, 'instances');
  prepare(ca, folder);
  const server = ca.issue('/CN=localhost', ['subjectAltName=DNS:localhost', 'extendedKeyUsage=serverAuth']);
  const listener = {
    name: 'behind',
    url: 'tcp://127.0.0.1:0',
    tls: { cert: server.file, key: server.file, clientCa: ca.file, clientCert: 'optional' },
    auth: ['client-cert', 'anonymous'],
    trust,
    namespace: '{user}',
  };
  const file = join(folder, 'berthgate.yaml');
  writeFileSync(file, JSON.stringify({ engines: [{ name: 'e', url: 'unix:///e' }], listeners: [listener] }));
  const loaded = await loadConfig(file, builtIn);
  const log = { info: () => {}, warn: () => {} };
  const authenticators = await startAuthenticators(loaded, 0, log, authenticatorKinds);
  const { cert, key } = server;
  const tls = { cert, key, ca: readFileSync(ca.file), requestCert: true, rejectUnauthorized: false };
  const port = await listenWith(authenticators, { tls });
  onTestFinished(() => stopAuthenticators(authenticators));
  return {
    ca,
    folder,
    call: (made, headers = {}) =>
      ask({
        protocol: 'https:',
        port,
        host: 'localhost',
        ca: readFileSync(ca.file),
        headers: headers as Record<string, string>,
        ...(made && { cert: made.cert, key: made.key }),
      }),
  };
}

test('a front instance, known by its alternative name, says who its client is', async () => {
  const { ca, call } = await house({ clients: front });
  for (const names of [
    'DNS:front.example.org',
    'URI:spiffe://example.org/front',
    'DNS:x.example.org,DNS:front.example.org',
  ]) {
    const made = ca.issue('/CN=front', [CLIENT, `subjectAltName=${names}`]);
    const { identity } = await call(made, { 'Berthgate-Identity': alice });
    expect(identity).toMatchObject({ user: 'alice', groups: ['ci'], by: 'trust' });
    expect(identity?.claims.project_path).toBe('web/shop');
    expect(front).toContain(identity?.claims.front);
  }
});

test('without the header it is itself, as any other client', async () => {
  const { ca, call } = await house({ clients: front });
  const made = ca.issue('/CN=front', [CLIENT, 'subjectAltName=DNS:front.example.org']);
  expect((await call(made)).identity).toMatchObject({ user: 'front', by: 'client-cert' });
});

test('nobody else is believed: the header ends the call, whatever else they could prove', async () => {
  const { ca, folder, call } = await house({ clients: front });
  const stranger = new TestCa(folder, 'strangers');
  const san = 'subjectAltName=DNS:front.example.org';
  const attackers: readonly [string, Made | null][] = [
    ['no certificate', null],
    ['another certificate of the CA', ca.issue('/CN=bob')],
    ['the name as a common name', ca.issue('/CN=front.example.org')],
    ['a name below it', ca.issue('/CN=bob', [CLIENT, 'subjectAltName=DNS:a.front.example.org'])],
    ['a wildcard over it', ca.issue('/CN=bob', [CLIENT, 'subjectAltName=DNS:*.example.org'])],
    ['the name in another kind', ca.issue('/CN=bob', [CLIENT, 'subjectAltName=URI:https://front.example.org'])],
    [
      'the name with more behind it',
      ca.issue('/CN=bob', [CLIENT, 'subjectAltName=DNS:front.example.org.evil.example']),
    ],
    ['a server certificate of that name', ca.issue('/CN=bob', ['extendedKeyUsage=serverAuth', san])],
    ['a CA of that name', ca.issue('/CN=bob', ['basicConstraints=CA:TRUE', CLIENT, san])],
    ['the name, by another CA', stranger.issue('/CN=front', [CLIENT, san])],
  ];
  for (const [what, made] of attackers) {
    const { status, identity } = await call(made, { 'berthgate-identity': alice });
    expect([what, status, identity]).toEqual([what, 401, null]);
  }
  // The control: with the right certificate the very same header is believed.
  expect((await call(ca.issue('/CN=f', [CLIENT, san]), { 'berthgate-identity': alice })).identity?.user).toBe('alice');
});

test('on a listener that trusts nobody the header says nothing', async () => {
  const { ca, call } = await house(null);
  const made = ca.issue('/CN=bob', [CLIENT, 'subjectAltName=DNS:front.example.org']);
  expect((await call(made, { 'Berthgate-Identity': alice })).identity?.user).toBe('bob');
});

test('a header that can be read in two ways, or says more than is known, ends the call', async () => {
  const { ca, call } = await house({ clients: front, header: 'X-Client' });
  const made = ca.issue('/CN=front', [CLIENT, 'subjectAltName=DNS:front.example.org']);
  const wrong: readonly (string | readonly string[])[] = [
    '',
    'alice',
    '"alice"',
    '[]',
    '{}',
    '{"user":""}',
    '{"user":" alice"}',
    '{"user":"alice\\nroot"}',
    '{"user":7}',
    '{"user":"alice","user":"root"}',
    '{"user":"alice"}{"user":"root"}',
    '{"user":"alice","USER":"root"}',
    '{"user":"alice","admin":true}',
    '{"user":"alice","groups":"root"}',
    '{"user":"alice","groups":["a\\u202e"]}',
    '{"user":"alice","claims":{"uid":0}}',
    '{"user":"ålice"}',
    [alice, '{"user":"root"}'],
    [alice, alice],
    `{"user":"alice","claims":{"a":"${'x'.repeat(5000)}"}}`,
  ];
  for (const value of wrong) {
    const { status } = await call(made, { 'X-Client': value });
    expect([value, status]).toEqual([value, 401]);
  }
  expect((await call(made, { 'X-Client': alice, Authorization: 'Basic YTpi' })).status).toBe(401);
  expect((await call(made, { 'X-Client': alice })).identity?.user).toBe('alice');
});

test('a front instance whose certificate is revoked is not believed any more', async () => {
  const { ca, folder, call } = await house({ clients: front, crl: 'list.pem' }, (made, where) =>
    made.writeList(join(where, 'list.pem')),
  );
  const made = ca.issue('/CN=front', [CLIENT, 'subjectAltName=DNS:front.example.org']);
  expect((await call(made, { 'Berthgate-Identity': alice })).identity?.user).toBe('alice');
  ca.revoke(made);
  ca.writeList(join(folder, 'list.pem'));
  await until(async () => (await call(made, { 'Berthgate-Identity': alice })).status === 401, 10_000);
});
