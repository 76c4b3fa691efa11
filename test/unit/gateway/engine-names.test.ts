import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { capabilityIn, EngineNames } from '../../../src/cache/registry/engine-names.ts';
import { LongNamesFolder } from '../../../src/cache/registry/long-names.ts';
import { formatReference, type ImageReference, readReference } from '../../../src/docker/image-reference.ts';

const folder = mkdtempSync(join(tmpdir(), 'berthgate-names-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const addresses = { names: '127.0.0.1:5350', builds: '127.0.0.2:5350' };
const make = (): EngineNames => new EngineNames(addresses, new LongNamesFolder(folder));
const names = make();

const read = (text: string): ImageReference => {
  const found = readReference(text);
  if (found === null) throw new Error(`${text} is no reference`);
  return found;
};
const engineName = (text: string): string => formatReference(names.toEngine('alice', read(text)));
const digest = `sha256:${'5e'.repeat(32)}`;

describe('the name of an image on the engine', () => {
  test.for([
    ['debian', '127.0.0.1:5350/alice/docker.io/library/debian'],
    ['library/debian:12', '127.0.0.1:5350/alice/docker.io/library/debian:12'],
    ['index.docker.io/team/app', '127.0.0.1:5350/alice/docker.io/team/app'],
    ['docker.io/team/app:1', '127.0.0.1:5350/alice/docker.io/team/app:1'],
    ['localhost/app', '127.0.0.1:5350/alice/localhost/app'],
    ['localhost:5000/app', '127.0.0.1:5350/alice/localhost__5000/app'],
    ['r.example.org:5000/a/b/c:t', '127.0.0.1:5350/alice/r.example.org__5000/a/b/c:t'],
    ['r.example.org:005/a', '127.0.0.1:5350/alice/r.example.org__005/a'],
    ['10.0.0.5:443/a', '127.0.0.1:5350/alice/10.0.0.5__443/a'],
    ['a--b.example.org/x__y/z---z', '127.0.0.1:5350/alice/a--b.example.org/x__y/z---z'],
    ['Registry.Example.org/a', `127.0.0.1:5350/alice/x_${Buffer.from('Registry.Example.org').toString('hex')}/a`],
    ['[2001:db8::1]:5000/a', `127.0.0.1:5350/alice/x_${Buffer.from('[2001:db8::1]:5000').toString('hex')}/a`],
    [`debian:12@${digest}`, `127.0.0.1:5350/alice/docker.io/library/debian:12@${digest}`],
    // What names an engine name is an image like any other, and no way to somebody else's.
    [
      '127.0.0.1:5350/bob/docker.io/library/debian',
      '127.0.0.1:5350/alice/127.0.0.1__5350/bob/docker.io/library/debian',
    ],
  ] as const)('%s is %s', ([text, expected]) => {
    expect(engineName(text)).toBe(expected);
    expect(readReference(expected)).toMatchObject({ domain: '127.0.0.1:5350' });
    expect(names.toClient('alice', read(expected))).toEqual(read(text));
  });

  test("is nobody else's", () => {
    const alices = names.toEngine('alice', read('debian:12'));
    expect(names.toClient('bob', alices)).toBeNull();
    expect(names.toClient('alic', alices)).toBeNull();
    expect(names.toClient('alice', read('debian:12'))).toBeNull();
    expect(names.toClient('alice', read('127.0.0.2:5350/alice/docker.io/library/debian'))).toBeNull();
  });

  test('has one spelling: what we would not print is none', () => {
    for (const path of [
      'alice/docker.io/debian',
      'alice/index.docker.io/library/debian',
      `alice/x_${Buffer.from('docker.io').toString('hex')}/library/debian`,
      `alice/x_${Buffer.from('../..').toString('hex')}/library/debian`,
      'alice/x_zz/debian',
      'alice/debian',
      'alice/team/app',
      'alice/docker.io',
      'alice',
      '',
      'alice/docker.io//debian',
      'alice/docker.io/../debian',
      `alice/h_${'0'.repeat(64)}`,
      `alice/h_${'0'.repeat(64)}/more`,
      'alice/h_../../../etc/passwd',
    ])
      expect(names.locate(path), path).toBeNull();
  });
});

describe('a name that is too long for an engine', () => {
  const long = `r.example.org:5000/${'team/'.repeat(43)}app`;

  test('is a short one, which is known before the engine is told and after a crash', () => {
    const made = engineName(`${long}:tag`);
    expect(made).toMatch(/^127\.0\.0\.1:5350\/alice\/h_[0-9a-f]{64}:tag$/);
    expect(make().toClient('alice', read(made))).toEqual(read(`${long}:tag`));
    expect(make().toClient('bob', read(made))).toBeNull();
    expect(formatReference(make().toEngine('alice', read(`${long}:tag`)))).toBe(made);
    expect(readdirSync(folder).filter((name) => !/^[0-9a-f]{64}$/.test(name))).toEqual([]);
  });

  test('is not what somebody has written into its file', () => {
    const [path] = [names.toEngine('alice', read(`${long}2`)).path];
    writeFileSync(join(folder, path.replace('alice/h_', '')), 'docker.io/library/debian');
    expect(make().locate(path)).toBeNull();
  });

  test('is the whole name wherever that fits', () => {
    const most = 255 - '127.0.0.1:5350/alice/docker.io/'.length;
    const fits = `t/${'a'.repeat(most - 2)}`;
    expect(engineName(fits)).toBe(`127.0.0.1:5350/alice/docker.io/${fits}`);
    expect(engineName(`${fits}a`)).toContain('/h_');
  });
});

describe('the name of an image in a build', () => {
  const capability = '0f'.repeat(20);

  test('carries the right to it, at an address of its own', () => {
    const made = names.toBuild(capability, read('r.example.org:5000/app:1'));
    expect(formatReference(made)).toBe(`127.0.0.2:5350/c_${capability}/r.example.org__5000/app:1`);
    expect(readReference(formatReference(made))).toEqual(made);
    expect(names.buildPrefixOf(capability, 'docker.io')).toBe(`127.0.0.2:5350/c_${capability}/docker.io/`);
    const located = names.locate(made.path);
    expect(located?.repository).toEqual({ registry: 'r.example.org:5000', path: 'app' });
    expect(capabilityIn(located?.owner ?? '')).toBe(capability);
    expect(capabilityIn('alice')).toBeNull();
  });
});

const component = fc.stringMatching(/^[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}$/);
const host = fc.oneof(
  fc.constantFrom('docker.io', 'localhost', 'LOCALHOST:1', 'Upper', 'x-y.Z', '[::1]', '[fe80::AB]:80', 'a.b:0080'),
  fc.stringMatching(/^[a-zA-Z0-9]{1,6}(-{1,2}[a-z0-9]{1,3})?\.[a-z]{2,4}(:[0-9]{1,5})?$/),
);
const tag = fc.option(fc.stringMatching(/^\w[\w.-]{0,20}$/));

test('every reference comes back as it went, from its name alone', () => {
  fc.assert(
    fc.property(
      host,
      fc.array(component, { minLength: 1, maxLength: 12 }),
      tag,
      fc.boolean(),
      (domain, parts, tag, byDigest) => {
        const reference = readReference(
          `${domain}/${parts.join('/')}${tag === null ? '' : `:${tag}`}${byDigest ? `@${digest}` : ''}`,
        );
        if (reference === null) return;
        const made = names.toEngine('some-namespace', reference);
        const printed = formatReference(made);
        expect(readReference(printed)).toEqual(made);
        expect(`${made.domain}/${made.path}`.length).toBeLessThanOrEqual(255);
        expect(make().toClient('some-namespace', made)).toEqual(reference);
      },
    ),
  );
});
