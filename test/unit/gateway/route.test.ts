import { expect, test } from 'vitest';
import { readChallenge } from '../../../src/cache/registry/challenge.ts';
import { isPush, type Route, readRoute, takesMethod } from '../../../src/cache/registry/route.ts';

const digest = `sha256:${'ab'.repeat(32)}`;

test.for([
  ['/v2/', { kind: 'root' }],
  ['/v2/_catalog', { kind: 'catalog' }],
  ['/token', { kind: 'token' }],
  ['/v2/a/docker.io/b/manifests/12', { name: 'a/docker.io/b', kind: 'manifest', reference: '12' }],
  [`/v2/a/b/manifests/${digest}`, { name: 'a/b', kind: 'manifest', reference: digest }],
  [`/v2/a/b/blobs/${digest}`, { name: 'a/b', kind: 'blob', digest }],
  ['/v2/a/b/blobs/uploads/', { name: 'a/b', kind: 'uploads' }],
  ['/v2/a/b/blobs/uploads/eA.bQ', { name: 'a/b', kind: 'upload', sealed: 'eA.bQ' }],
  ['/v2/a/b/tags/list', { name: 'a/b', kind: 'tags' }],
  [`/v2/a/b/referrers/${digest}`, { name: 'a/b', kind: 'referrers', digest }],
  // A repository may be called as a part of a path is.
  ['/v2/a/manifests/blobs/tags/list', { name: 'a/manifests/blobs', kind: 'tags' }],
] as const)('%s is a path of a registry', ([path, route]) => {
  expect(readRoute(path)).toEqual(route);
});

test.for(
  [
    '/',
    '/v1/',
    '/v2//',
    '/V2/',
    '/v2/a/b/manifests/',
    '/v2/a/b/manifests/a/b',
    '/v2/a/b/manifests/sha256:1',
    '/v2/a/b/manifests/..',
    '/v2/a/b/blobs/..',
    '/v2/a/b/blobs/uploads/..',
    '/v2/a/b/blobs/uploads/../../../c/blobs',
    '/v2/a/%2e%2e/c/tags/list',
    '/v2/a%2fb/tags/list',
    '/v2/a%252fb/tags/list',
    '/v2/a/b/tags/list/',
    '/v2/a/b/tags/list;x',
    '/v2/a\\b/tags/list',
    '/v2/A/b/tags/list',
    '/v2/~cap/b/tags/list',
    'http://other.example.org/v2/a/b/tags/list',
    '/token/',
    '/v2/a/b/manifests/1\n',
  ].map((path) => [path]),
)('%j is none', ([path]) => {
  const route = readRoute(path as string);
  // A name with dots may have the form of a path; it is no name of ours then (engine-names).
  expect(route).toBeNull();
});

test('what changes a registry is a push, and methods that a path does not have are none', () => {
  const route = (path: string): Route => readRoute(path) as Route;
  for (const [method, path, push] of [
    ['GET', '/v2/a/b/manifests/1', false],
    ['HEAD', '/v2/a/b/manifests/1', false],
    ['PUT', '/v2/a/b/manifests/1', true],
    ['DELETE', '/v2/a/b/manifests/1', true],
    ['DELETE', `/v2/a/b/blobs/${digest}`, true],
    ['POST', '/v2/a/b/blobs/uploads/', true],
    ['GET', '/v2/a/b/blobs/uploads/a.b', true],
    ['GET', '/v2/a/b/tags/list', false],
  ] as const) {
    expect(takesMethod(route(path), method)).toBe(true);
    expect(isPush(route(path), method), `${method} ${path}`).toBe(push);
  }
  for (const method of ['POST', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT', 'get'])
    expect(takesMethod(route('/v2/a/b/manifests/1'), method)).toBe(false);
});

test.for([
  ['Basic realm="r"', { scheme: 'basic', realm: 'r', service: '', scope: '' }],
  [
    'Bearer realm="https://auth.example.org/token",service="registry.example.org",scope="repository:a/b:pull,push"',
    {
      scheme: 'bearer',
      realm: 'https://auth.example.org/token',
      service: 'registry.example.org',
      scope: 'repository:a/b:pull,push',
    },
  ],
  ['bearer  Realm = "x" , SERVICE=y', { scheme: 'bearer', realm: 'x', service: 'y', scope: '' }],
  ['Basic realm="a, Bearer realm=b", Bearer realm="c"', { scheme: 'bearer', realm: 'c', service: '', scope: '' }],
  ['Negotiate, Basic realm="q\\"q"', { scheme: 'basic', realm: 'q"q', service: '', scope: '' }],
  [['Negotiate abc==', 'Basic realm="r"'], { scheme: 'basic', realm: 'r', service: '', scope: '' }],
  ['Bearer error="invalid"', null],
  ['Digest realm="r"', null],
  ['', null],
  [undefined, null],
] as const)('%j asks for %j', ([header, expected]) => {
  expect(readChallenge(header as string | undefined)).toEqual(expected);
});
