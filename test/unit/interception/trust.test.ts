// What systems keep of certificates, with ours and without: bundles, Java's key stores, folders in archives.
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { makeRoot, pemOf } from '../../../src/cache/interception/certificates.ts';
import { bmp, octets, oid, sequence, set, tagged } from '../../../src/cache/interception/der.ts';
import { storeWith } from '../../../src/cache/interception/trust/key-store.ts';
import { withoutOurs, withRoots } from '../../../src/cache/interception/trust/pem-bundle.ts';
import { coversTrust, keyStores } from '../../../src/cache/interception/trust/places.ts';
import { cleanFolder } from '../../../src/cache/interception/trust/survey.ts';
import {
  archiveOf,
  entriesIn,
  printAs,
  printNew,
  type TarEntry,
} from '../../../src/cache/interception/trust/tar-files.ts';
import { newFolder } from './folders.ts';

const validity = { fromMs: Date.now() - 3_600_000, toMs: Date.now() + 86_400_000 };
const newRoot = (name: string) => {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  return { name, pem: pemOf(makeRoot({ name, key }, ['archive.example.org'], validity)) };
};
const one = newRoot('Berthgate cache 0000000000000001');
const two = newRoot('Berthgate cache 0000000000000002');
const others = rootCertificates.slice(0, 5);

describe('a bundle', () => {
  const bundle = Buffer.from(`# Some CA\n${others.join('\n')}`);

  test('has ours behind all others, and is the same again without', () => {
    const held = withRoots(bundle, [one.pem]);
    const certificates = held.toString().match(/-----BEGIN[\s\S]*?END CERTIFICATE-----/g) ?? [];
    expect(certificates.map((pem) => new X509Certificate(pem).raw.toString('hex'))).toEqual(
      [...others, one.pem].map((pem) => new X509Certificate(pem).raw.toString('hex')),
    );
    // But for the end of the last line, which whoever appends needs.
    expect(withoutOurs(held).toString().trimEnd()).toBe(bundle.toString().trimEnd());
    expect(withoutOurs(bundle)).toBe(bundle);
  });

  test('that a tool has put together anew, without our marks and with other ends of lines, is cleaned too', () => {
    const anew = Buffer.from(`${others[0]}\r\n${one.pem.replaceAll('\n', '\r\n')}${others[1]}\n`);
    const clean = withoutOurs(anew).toString();
    expect(clean.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(clean).toContain(others[1] as string);
  });

  test('has the new ones in the place of older ones of ours', () => {
    expect(withRoots(withRoots(bundle, [one.pem]), [two.pem]).equals(withRoots(bundle, [two.pem]))).toBe(true);
  });
});

/** As keytool makes it, of certificates alone. */
function jksOf(certificates: readonly string[]): Buffer {
  const head = Buffer.from('feedfeed0000000200000000', 'hex');
  head.writeUInt32BE(certificates.length, 8);
  const text = (word: string): Buffer => Buffer.concat([Buffer.of(0, word.length), Buffer.from(word)]);
  const entries = certificates.map((pem, i) => {
    const { raw } = new X509Certificate(pem);
    const [tag, size] = [Buffer.from('00000002', 'hex'), Buffer.alloc(4)];
    size.writeUInt32BE(raw.length);
    return Buffer.concat([tag, text(`ca${i}`), Buffer.alloc(8), text('X.509'), size, raw]);
  });
  const body = Buffer.concat([head, ...entries]);
  const password = Buffer.from('changeit', 'utf16le').swap16();
  return Buffer.concat([body, createHash('sha1').update(password).update('Mighty Aphrodite').update(body).digest()]);
}

/** As JDK 18 and later ship it: neither encrypted nor with a digest. */
function pkcs12Of(certificates: readonly string[]): Buffer {
  const data = (content: Buffer): Buffer => sequence(oid('1.2.840.113549.1.7.1'), tagged(0, octets(content)));
  const bags = certificates.map((pem, i) =>
    sequence(
      oid('1.2.840.113549.1.12.10.1.3'),
      tagged(0, sequence(oid('1.2.840.113549.1.9.22.1'), tagged(0, octets(new X509Certificate(pem).raw)))),
      set(sequence(oid('1.2.840.113549.1.9.20'), set(bmp(`ca${i}`)))),
    ),
  );
  return sequence(Buffer.of(2, 1, 3), data(sequence(data(sequence(...bags)))));
}

const stores = [
  ['JKS', jksOf(others)],
  ['PKCS #12', pkcs12Of(others)],
] as const;

describe.each(stores)('a key store of Java: %s', (_kind, store) => {
  test('has ours with all others, and is the same again without', () => {
    const held = storeWith(store, [one, two]) as Buffer;
    for (const pem of [...others, one.pem, two.pem]) expect(held.includes(new X509Certificate(pem).raw)).toBe(true);
    expect((storeWith(held, []) as Buffer).equals(store)).toBe(true);
    expect((storeWith(held, [two]) as Buffer).includes(new X509Certificate(one.pem).raw)).toBe(false);
  });

  test('that is broken, cut or under another password stays as it is', () => {
    for (let at = 0; at < store.length; at += 97) expect(storeWith(store.subarray(0, at), [one])).toBeNull();
    const bent = Buffer.from(store);
    bent[13] = (bent[13] as number) ^ 0xff;
    expect(storeWith(bent, [one])).toBeNull();
  });
});

const homes = ['/etc/ssl/certs/java/cacerts', ...javaHomes().map((home) => join(home, 'lib/security/cacerts'))];
const found = [...new Set(homes.filter((file) => existsSync(file)).map((file) => realpathSync(file)))].slice(0, 2);
const keytool = javaHomes()
  .map((home) => join(home, 'bin/keytool'))
  .find((file) => existsSync(file));

function javaHomes(): readonly string[] {
  return existsSync('/usr/lib/jvm') ? readdirSync('/usr/lib/jvm').map((name) => join('/usr/lib/jvm', name)) : [];
}

test.skipIf(keytool === undefined || found.length === 0)(
  'the key stores of the Javas here are read by keytool with ours in them',
  () => {
    for (const file of found) {
      const before = readFileSync(file);
      const held = storeWith(before, [one]);
      expect([file, held === null]).toEqual([file, false]);
      const copy = join(newFolder(), 'cacerts');
      writeFileSync(copy, held as Buffer);
      const list = (at: string): string =>
        execFileSync(keytool as string, ['-list', '-keystore', at, '-storepass', 'changeit'], { encoding: 'utf8' });
      expect(list(copy)).toMatch(/berthgate-0000000000000001, .*trustedCertEntry/);
      const entries = (text: string): number => (text.match(/trustedCertEntry/g) ?? []).length;
      expect(entries(list(copy))).toBe(entries(list(file)) + 1);
    }
  },
);

test('a folder is made anew without what is ours, and with all else as it was', () => {
  const file = (name: string): Buffer => printNew(`certs/${name}`, 'file', Buffer.from(name));
  const entries = [
    printNew('certs/', 'folder'),
    file('ca-certificates.crt'),
    printNew(
      'certs/berthgate-0000000000000001.pem',
      'link',
      '/usr/local/share/ca-certificates/berthgate-0000000000000001.crt',
    ),
    printNew('certs/0a1b2c3d.0', 'link', 'berthgate-0000000000000001.pem'),
    printNew(
      'certs/ca-cert-berthgate-0000000000000001.pem',
      'link',
      '/usr/local/share/ca-certificates/berthgate-0000000000000001.crt',
    ),
    printNew('certs/ffffffff.0', 'link', 'Some_CA.pem'),
  ];
  const clean = entriesIn(cleanFolder(archiveOf(entries)) as Buffer);
  expect(clean.map(({ name, kind }) => `${kind} ${name}`)).toEqual([
    'file certs',
    'folder certs/',
    'file certs/ca-certificates.crt',
    'link certs/ffffffff.0',
  ]);
  expect(cleanFolder(archiveOf([entries[0] as Buffer, entries[1] as Buffer]))).toBeNull();
});

test('what is mounted over a place of trust, or within one, is seen; beside it, it is not', () => {
  for (const target of ['/etc/ssl/certs', '/etc', '/', '/etc/ssl/certs/'])
    expect([target, coversTrust([target])]).toEqual([target, true]);
  for (const target of ['/src', '/etc/sslx', '/data']) expect([target, coversTrust([target])]).toEqual([target, false]);
});

test('Java is looked for where the image says, and nowhere above it', () => {
  expect(keyStores(['PATH=/bin', 'JAVA_HOME=/opt/java/'])).toContain('/opt/java/lib/security/cacerts');
  expect(keyStores(['JAVA_HOME=/opt/../..']).length).toBe(keyStores([]).length);
});

describe('an archive of certificates', () => {
  const deep = `opt/${'a-very-long-name-of-a-folder/'.repeat(6)}lib/security/cacerts`;

  test('has names and targets of links of any length, as tar reads them', () => {
    const tar = archiveOf([printNew(deep, 'file', Buffer.from('trusted')), printNew('here', 'link', `/${deep}`)]);
    expect(entriesIn(tar).map(({ name, link }) => [name, link])).toEqual([
      [deep, ''],
      ['here', `/${deep}`],
    ]);
    const folder = newFolder();
    execFileSync('tar', ['-x', '-C', folder], { input: tar });
    expect(readFileSync(join(folder, deep), 'utf8')).toBe('trusted');
    expect(execFileSync('tar', ['-tv'], { input: tar }).toString()).toContain(`here -> /${deep}`);
  });

  test('keeps the owner, the mode and the attributes of a file that lies deep', () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'store'), 'before');
    // As an engine writes it: what a header has no room for stands before it.
    const options = ['--format=posix', '--owner=someone:3000000', '--group=some:3000001', '--mode=0640'];
    const more = ['--pax-option=SCHILY.xattr.user.note:=kept', `--transform=s|^store$|${deep}|`];
    const tar = execFileSync('tar', ['-c', ...options, ...more, '-C', folder, 'store']);
    const [entry] = entriesIn(tar) as [TarEntry];
    for (const name of [`elsewhere/${deep}`, 'short']) {
      const changed = archiveOf([printAs(entry, name, Buffer.from('after'))]);
      expect(execFileSync('tar', ['-tv', '--numeric-owner'], { input: changed }).toString()).toMatch(
        new RegExp(`^-rw-r----- 3000000/3000001 +5 .* ${name}\n$`),
      );
      expect(changed.includes('SCHILY.xattr.user.note=kept')).toBe(true);
      expect(entriesIn(changed)).toMatchObject([{ name, content: Buffer.from('after') }]);
    }
  });
});
