import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { empty, endpoint, type Method } from '../../../src/docker/endpoint.ts';
import { Matcher, printPath } from '../../../src/docker/match.ts';
import { text } from '../../../src/docker/shape.ts';
import { table } from '../../../src/docker/table.ts';
import { readTarget } from '../../../src/docker/target.ts';

const sample = [
  declared('GET', '/containers/json'),
  declared('GET', '/containers/{id}/json'),
  declared('POST', '/containers/create'),
  declared('POST', '/containers/{id}/attach'),
  declared('GET', '/containers/{id}/attach/ws'),
  declared('DELETE', '/containers/{id}'),
  declared('DELETE', '/containers/{id}/checkpoints/{checkpoint}'),
  declared('GET', '/images/{name}/json'),
  declared('OPTIONS', '*'),
];
const matcher = new Matcher(sample);

function declared(method: Method, path: string) {
  const names = [...path.matchAll(/\{([^}]+)\}/g)].map((found) => found[1] as string);
  return endpoint({
    id: `${method} ${path}`,
    summary: '',
    method,
    path,
    risk: 'read',
    answer: empty,
    parameters: Object.fromEntries(names.map((name) => [name, text()])),
  });
}

function match(method: string, path: string) {
  const found = matcher.match(method, path);
  return found === null ? null : [found.endpoint.path, found.parameters];
}

describe('a path', () => {
  test('is matched by method and literal text before parameters', () => {
    expect(match('GET', '/containers/json')).toEqual(['/containers/json', {}]);
    expect(match('GET', '/containers/web/json')).toEqual(['/containers/{id}/json', { id: 'web' }]);
    expect(match('GET', '/containers/web/attach/ws')).toEqual(['/containers/{id}/attach/ws', { id: 'web' }]);
  });

  test("has parameters that may span slashes, as moby's routes do", () => {
    expect(match('GET', '/containers/x/logs/json')).toEqual(['/containers/{id}/json', { id: 'x/logs' }]);
    expect(match('GET', '/images/host:5000/a/b:c/json')).toEqual(['/images/{name}/json', { name: 'host:5000/a/b:c' }]);
  });

  test('with two parameters is split at the last place that fits, as a greedy pattern does', () => {
    expect(match('DELETE', '/containers/a/checkpoints/b/checkpoints/c')).toEqual([
      '/containers/{id}/checkpoints/{checkpoint}',
      { id: 'a/checkpoints/b', checkpoint: 'c' },
    ]);
  });

  test('is not found where a parameter would be empty', () => {
    expect(match('GET', '/containers//json')).toBeNull();
    expect(match('DELETE', '/containers/')).toBeNull();
    expect(match('DELETE', '/containers/a/checkpoints/')).toEqual(['/containers/{id}', { id: 'a/checkpoints/' }]);
  });

  test('is not found with another method, another case, or a trailing slash', () => {
    expect(match('PUT', '/containers/create')).toBeNull();
    expect(match('HEAD', '/containers/json')).toBeNull();
    expect(match('get', '/containers/json')).toBeNull();
    expect(match('GET', '/Containers/json')).toBeNull();
    expect(match('GET', '/containers/json/')).toBeNull();
    expect(match('TRACE', '/containers/json')).toBeNull();
  });

  test('is not found among the names that every object has', () => {
    for (const path of ['/__proto__', '/constructor', '/containers', '/']) expect(match('GET', path)).toBeNull();
  });

  test('of a question for options is always the same endpoint', () => {
    expect(match('OPTIONS', '*')).toEqual(['*', {}]);
    expect(match('OPTIONS', '/containers/web/json')).toEqual(['*', {}]);
  });
});

const reference = fc
  .array(
    fc.oneof(
      fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,6}$/),
      fc.constantFrom(
        'json',
        'attach',
        'ws',
        'checkpoints',
        'create',
        'logs',
        'a b',
        'ä',
        '%2e',
        '%',
        '?',
        '#',
        ';',
        '&=+',
        '~',
      ),
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((segments) => segments.join('/'));

describe.each([
  ['the sample', sample],
  ['the table', table],
])('for every endpoint of %s', (_, endpoints) => {
  const all = new Matcher(endpoints);

  test('a printed path is read back as the same endpoint with the same parameters, or one that is more literal', () => {
    for (const declaredEndpoint of endpoints) {
      if (declaredEndpoint.path === '*') continue;
      const names = Object.keys(declaredEndpoint.parameters);
      const given = fc.record(Object.fromEntries(names.map((name) => [name, reference])));
      fc.assert(
        fc.property(given, (parameters) => {
          const printed = printPath(declaredEndpoint, parameters);
          expect(printed).toMatch(/^\/[!-~]+$/);
          const { path } = readTarget(printed);
          const found = all.match(declaredEndpoint.method, path);
          expect(found).not.toBeNull();
          // What was matched is a fixed point: it is printed as the same path, and matched as the same again.
          const again = printPath(found!.endpoint, found!.parameters);
          expect(readTarget(again).path).toBe(path);
          expect(all.match(declaredEndpoint.method, readTarget(again).path)).toEqual(found);
        }),
        { numRuns: 40 },
      );
    }
  });

  test('simple parameters come back as they went', () => {
    for (const declaredEndpoint of endpoints) {
      if (declaredEndpoint.path === '*') continue;
      const parameters = Object.fromEntries(
        Object.keys(declaredEndpoint.parameters).map((name) => [name, 'some-thing.x']),
      );
      const { path } = readTarget(printPath(declaredEndpoint, parameters));
      expect(all.match(declaredEndpoint.method, path)).toEqual({ endpoint: declaredEndpoint, parameters });
    }
  });

  test('names and patterns of the path are the declared parameters', () => {
    for (const { path, parameters } of endpoints) {
      expect([...path.matchAll(/\{([^}]+)\}/g)].map((found) => found[1])).toEqual(Object.keys(parameters));
    }
  });
});
