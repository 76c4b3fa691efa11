import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  familiarReference,
  formatReference,
  type ImageReference,
  isDigest,
  readReference,
  readsAsId,
} from '../../../src/docker/image-reference.ts';

const hex64 = 'ff'.repeat(32);
const digest = `sha256:${hex64}`;

const whole: readonly [string, string][] = [
  ['debian', 'docker.io/library/debian'],
  ['debian:12', 'docker.io/library/debian:12'],
  ['library/debian', 'docker.io/library/debian'],
  ['alice/app', 'docker.io/alice/app'],
  ['docker.io/debian', 'docker.io/library/debian'],
  ['index.docker.io/debian:12', 'docker.io/library/debian:12'],
  ['docker.io/alice/app', 'docker.io/alice/app'],
  ['localhost/app', 'localhost/app'],
  ['localhost:5000/app:1', 'localhost:5000/app:1'],
  ['r.example.org/a/b/c:1', 'r.example.org/a/b/c:1'],
  ['r:5000/app', 'r:5000/app'],
  ['Upper/app', 'Upper/app'],
  ['[2001:db8::1]:5000/app', '[2001:db8::1]:5000/app'],
  ['xn--n3h.com/my_image', 'xn--n3h.com/my_image'],
  // Without a slash nothing is a registry.
  ['example.com:5000', 'docker.io/library/example.com:5000'],
  ['a__b/c-d---e', 'docker.io/a__b/c-d---e'],
  [`debian@${digest}`, `docker.io/library/debian@${digest}`],
  [`r.example.org/app:1@${digest}`, `r.example.org/app:1@${digest}`],
  [`${'a'.repeat(128)}:${'t'.repeat(128)}`, `docker.io/library/${'a'.repeat(128)}:${'t'.repeat(128)}`],
];

const none: readonly string[] = [
  '',
  ':tag',
  `@${digest}`,
  'debian@sha256:ff',
  `debian@${digest}0`,
  `debian@md5:${'f'.repeat(32)}`,
  `debian@sha256:${hex64.toUpperCase()}`,
  'Debian',
  'alice/Debian',
  'r.example.org/Upper/app',
  'a//b',
  '/a',
  'a/',
  'a/b-',
  '-a/b',
  '_a',
  'a___b',
  'a..b',
  'a._b',
  'a$b',
  'r.example.org:http/app',
  'a:t:u/b',
  'debian:',
  'debian: 12',
  'debian\n',
  `debian:${'t'.repeat(129)}`,
  `r.example.org/${'a'.repeat(256)}`,
  hex64,
  digest.replace('sha256:', 'sha256:').toUpperCase(),
];

const component = fc.stringMatching(/^[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}$/);
const domain = fc.oneof(
  fc.constantFrom('docker.io', 'localhost', 'localhost:5000', 'r.example.org', '10.0.0.5:5000', 'Upper', '[::1]:5000'),
  fc.stringMatching(/^[a-z]{1,6}\.[a-z]{2,4}(:[0-9]{2,4})?$/),
);
const reference: fc.Arbitrary<ImageReference> = fc
  .record({
    domain,
    path: fc.array(component, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
    tag: fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/)),
    digest: fc.option(fc.stringMatching(/^[a-f0-9]{64}$/).map((text) => `sha256:${text}`)),
  })
  // The official images have a folder of their own; one that stands without it is given it.
  .map((one) => (one.domain === 'docker.io' && !one.path.includes('/') ? { ...one, path: `library/${one.path}` } : one))
  // Old engines' own: what it stands for is docker.io.
  .filter(({ domain }) => domain !== 'index.docker.io');

describe('a reference of an image', () => {
  test.for(whole)('%s stands for %s', ([text, expected]) => {
    const read = readReference(text);
    expect(read && formatReference(read)).toBe(expected);
  });

  test.for(none.map((text) => [text]))('%j is none', ([text]) => {
    expect(readReference(text as string)).toBeNull();
  });

  test('is read again as what it was, whole and as people write it', () => {
    fc.assert(
      fc.property(reference, (one) => {
        expect(readReference(formatReference(one))).toEqual(one);
        expect(readReference(familiarReference(one))).toEqual(one);
      }),
    );
  });

  test('is whole once it was made whole', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-zA-Z0-9./:@_-]{0,40}$/)), (text) => {
        const read = readReference(text);
        if (read === null) return;
        expect(readReference(formatReference(read))).toEqual(read);
        expect(formatReference(read).length).toBeGreaterThanOrEqual(text.replace('index.', '').length);
      }),
    );
  });

  test('is as people write it without what goes without saying', () => {
    const familiar = (text: string): string => familiarReference(readReference(text) as ImageReference);
    expect(familiar('docker.io/library/debian:12')).toBe('debian:12');
    expect(familiar('docker.io/alice/app')).toBe('alice/app');
    expect(familiar('docker.io/library/sub/app')).toBe('library/sub/app');
    expect(familiar('localhost:5000/library/app')).toBe('localhost:5000/library/app');
  });
});

test('an id is told from a name where it can be', () => {
  for (const text of ['f', 'deadbeef', hex64, digest]) expect(readsAsId(text), text).toBe(true);
  for (const text of ['debian', 'DEADBEEF', `${hex64}0`, 'sha256:', `a@${digest}`])
    expect(readsAsId(text), text).toBe(false);
  expect(isDigest(digest)).toBe(true);
  expect(isDigest(`sha512:${'0'.repeat(128)}`)).toBe(true);
  expect(isDigest(hex64)).toBe(false);
});
