// RED-TEAM 66: the CA's key, its lifetime, its scope. What the intermediate signs is tried on real TLS clients.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, describe, expect, test } from 'vitest';
import {
  makeIntermediate,
  makeLeaf,
  makeRoot,
  pemOf,
  subjectHash,
} from '../../../src/cache/interception/certificates.ts';
import { tlsClients } from './clients.ts';
import { newFolder } from './folders.ts';

const HOSTS = ['archive.example.org', '*.mirror.example.net'];
const validity = { fromMs: Date.now() - 3_600_000, toMs: Date.now() + 3_600_000 };
const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rootKey = newKey();
const intermediateKey = newKey();
const root = { name: 'Berthgate cache 0123', key: rootKey.privateKey };
const intermediate = { name: 'Berthgate cache 0123 intermediate', key: intermediateKey.privateKey };
const rootPem = pemOf(makeRoot(root, HOSTS, validity));
const signed = { name: intermediate.name, key: intermediateKey.publicKey };
const intermediatePem = pemOf(makeIntermediate(root, signed, HOSTS, validity));

const open: tls.Server[] = [];
afterAll(() => {
  for (const server of open) server.close();
});

async function serve(cert: string, key: string): Promise<number> {
  const server = tls.createServer({ cert, key }, (socket) => socket.on('error', () => {}).resume());
  server.on('tlsClientError', () => {});
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as net.AddressInfo).port;
}

function serveLeaf(host: string, when = validity): Promise<number> {
  const { privateKey, publicKey } = newKey();
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return serve(`${pemOf(makeLeaf(intermediate, host, publicKey, when))}${intermediatePem}`, key);
}

describe.each(tlsClients)('$name', (client) => {
  test.skipIf(!client.here)('takes a cached host', async () => {
    expect(await client.takes(await serveLeaf('archive.example.org'), 'archive.example.org', rootPem)).toBe(true);
    expect(await client.takes(await serveLeaf('a.mirror.example.net'), 'a.mirror.example.net', rootPem)).toBe(true);
  });

  test.skipIf(!client.here)(
    'refuses any other host that the intermediate signs, which it would take without constraints',
    async () => {
      const port = await serveLeaf('bank.example.com');
      expect(await client.takes(port, 'bank.example.com', rootPem)).toBe(false);
      // The control: the same leaf below the same keys, allowed for it.
      const all = ['example.com'];
      const free = pemOf(makeIntermediate(root, signed, all, validity));
      const { privateKey, publicKey } = newKey();
      const leaf = pemOf(makeLeaf(intermediate, 'bank.example.com', publicKey, validity));
      const loose = await serve(`${leaf}${free}`, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
      expect(await client.takes(loose, 'bank.example.com', pemOf(makeRoot(root, all, validity)))).toBe(true);
    },
  );

  test.skipIf(!client.here)('refuses a CA below the intermediate', async () => {
    const below = newKey();
    const name = 'below';
    const middle = makeIntermediate(intermediate, { name, key: below.publicKey }, HOSTS, validity);
    const { privateKey, publicKey } = newKey();
    const leaf = makeLeaf({ name, key: below.privateKey }, 'archive.example.org', publicKey, validity);
    const chain = `${pemOf(leaf)}${pemOf(middle)}${intermediatePem}`;
    const port = await serve(chain, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    expect(await client.takes(port, 'archive.example.org', rootPem)).toBe(false);
  });

  test.skipIf(!client.here)('refuses what is over', async () => {
    const over = { fromMs: Date.now() - 7_200_000, toMs: Date.now() - 3_600_000 };
    const port = await serveLeaf('archive.example.org', over);
    expect(await client.takes(port, 'archive.example.org', rootPem)).toBe(false);
  });
});

test('an address is signed for by nobody', async () => {
  // A name that reads as an address is a DNS name still; as an IP name it would be excluded.
  const parsed = new X509Certificate(intermediatePem);
  expect(parsed.ca).toBe(true);
  const text = execFileSync('openssl', ['x509', '-noout', '-text'], { input: intermediatePem }).toString();
  expect(text).toMatch(
    /Name Constraints: critical\s+Permitted:\s+DNS:archive\.example\.org\s+DNS:mirror\.example\.net\s+Excluded:\s+IP:0\.0\.0\.0\/0\.0\.0\.0/,
  );
  expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
});

test('a folder of OpenSSL finds a root by the hash of its subject', () => {
  const file = join(newFolder(), 'root.pem');
  writeFileSync(file, rootPem);
  const hash = execFileSync('openssl', ['x509', '-noout', '-hash', '-in', file]).toString().trim();
  expect(subjectHash(root.name)).toBe(hash);
  expect(new X509Certificate(rootPem).publicKey.asymmetricKeyType).toBe('ec');
});
