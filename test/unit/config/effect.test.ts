import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type LoadedConfig, parseConfig, refusals, withoutEffect } from '../../../src/operate/config/index.ts';

const implemented = { auth: ['anonymous'], policies: [] };
const contract = readFileSync(new URL('./contract.yaml', import.meta.url), 'utf8');
const open = 'auth: [anonymous], namespace: null, policies: []';

function parse(text: string): LoadedConfig {
  const parsed = parseConfig(text, '/etc/b.yaml');
  if ('faults' in parsed) throw new Error(parsed.faults.join('\n'));
  return parsed;
}

function listener(settings: string, rest = ''): LoadedConfig {
  return parse(`engines: [{name: e, url: "unix:///e"}]
listeners:
  - {name: l, url: "unix:///l"${settings === '' ? '' : `, ${settings}`}}
${rest}`);
}

const places = (notes: readonly { readonly place: string }[]): string[] => notes.map(({ place }) => place);

describe('settings without effect', () => {
  test('are noted with their place, line and column', () => {
    const loaded = listener(open, 'admin: {url: "tcp://0.0.0.0:1", tls: {cert: c, key: k}, auth: [anonymous]}\n');
    expect(withoutEffect(loaded, implemented)[0]).toEqual({
      place: 'admin.url',
      line: 4,
      column: 14,
      what: 'has no effect yet',
    });
  });

  test('are all that the contract has and this version has not', () => {
    expect(places(withoutEffect(parse(contract), implemented))).toEqual([
      'listeners[0].auth[0]',
      'listeners[0].policies[0]',
      'listeners[0].policies[1]',
      'listeners[0].jobSocket.policies[0]',
      'listeners[1].auth[0]',
      'listeners[1].auth[1]',
      'listeners[1].auth[2]',
    ]);
  });

  test('are not noted where they ask for nothing, or are not in the file', () => {
    const rest = 'images: {shared: []}\ncache: null\noutbound: {}\n';
    expect(withoutEffect(listener(`${open}, cache: false, jobSocket: null`, rest), implemented)).toEqual([]);
    expect(withoutEffect(listener(''), implemented)).toEqual([]);
  });

  test('are noted for the values alone that have none', () => {
    const socket = listener(open, 'admin: {url: "unix:///run/admin.sock"}\n');
    expect(withoutEffect(socket, implemented)).toEqual([]);
    const port = listener(open, 'admin: {url: "tcp://0.0.0.0:1", tls: {cert: c, key: k}, auth: [anonymous]}\n');
    expect(places(withoutEffect(port, implemented))).toEqual(['admin.url', 'admin.tls', 'admin.auth']);
  });

  test('are a cache that no container is led to', () => {
    const led = (cache: boolean, settings: string) =>
      places(
        withoutEffect(listener(`${open}, cache: ${cache}`, `cache: {hosts: [a.example]${settings}}\n`), implemented),
      );
    expect(led(false, '')).toEqual(['cache.hosts']);
    expect(led(true, '')).toEqual([]);
    expect(led(false, ', address: [192.0.2.1]')).toEqual([]);
  });

  test('have one once the program has them', () => {
    const loaded = listener('auth: [peer, {use: basic, htpasswd: f}], namespace: null, policies: [conservative]');
    expect(places(withoutEffect(loaded, { auth: ['peer'], policies: ['conservative'] }))).toEqual([
      'listeners[0].auth[1]',
    ]);
    expect(withoutEffect(loaded, { auth: ['peer', 'basic'], policies: ['conservative'] })).toEqual([]);
  });
});

describe('serve', () => {
  test('may start with what this version has', () => {
    expect(refusals(listener(open), implemented)).toEqual([]);
    expect(refusals(listener(`${open}, cache: true`, 'gc: {}\nregistry: {allow: ["*"]}\n'), implemented)).toEqual([]);
  });

  test.each([
    ['an authenticator', 'auth: [anonymous, token], namespace: null, policies: []', 'listeners[0].auth[1]'],
    ['a module', 'auth: [./a.js], namespace: null, policies: []', 'listeners[0].auth[0]'],
    ['a policy', 'auth: [anonymous], namespace: null, policies: [{use: limits}]', 'listeners[0].policies[0]'],
  ])('refuses to start where %s would protect and is not there', (_what, settings, place) => {
    const notes = refusals(listener(settings), implemented);
    expect(places(notes)).toEqual([place]);
    expect(notes[0]).toMatchObject({ line: 3, what: expect.stringContaining('serve refuses to start') });
  });

  test('refuses to start where nothing chooses among engines', () => {
    const text = `engines: [{name: a, url: "unix:///a"}, {name: b, url: "unix:///b"}]
listeners:
  - {name: k, url: "unix:///k", auth: [anonymous], policies: []}
  - {name: l, url: "unix:///l", auth: [anonymous], policies: [], engine: b}
`;
    const chosen = refusals(parse(text), implemented);
    expect(chosen).toEqual([
      {
        place: 'listeners[0]',
        line: 3,
        column: 5,
        what: 'nothing chooses among 2 engines yet, so serve refuses to start (name one with `engine`)',
      },
    ]);
  });

  test('may start where only some registries may be used', () => {
    expect(refusals(listener(open, 'registry: {allow: [r.example.org]}\n'), implemented)).toEqual([]);
  });

  test('refuses to start where the defaults of a listener are not there, and says which', () => {
    expect(refusals(listener(''), implemented)).toEqual([
      {
        place: 'listeners[0].auth[0]',
        line: 3,
        column: 5,
        what: '"peer", the default, does not protect yet, so serve refuses to start',
      },
      {
        place: 'listeners[0].policies[0]',
        line: 3,
        column: 5,
        what: '"conservative", the default, does not protect yet, so serve refuses to start',
      },
    ]);
  });
});
