import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { engineName } from '../../../src/exchange/namespacing.ts';
import { enginePattern } from '../../../src/rules/namespaces/filters.ts';
import { clientName, isNamespace } from '../../../src/rules/namespaces/names.ts';
import { ownerOf } from '../../../src/rules/namespaces/ownership.ts';
import { readLabelTemplate, readTemplate } from '../../../src/rules/namespaces/template.ts';

const somebody = (user: string, more: object = {}) => ({ user, groups: [], claims: {}, by: 'test', ...more });

describe('a namespace', () => {
  const ofUser = readTemplate('{user}', 'people');

  test('of a plain name is the name', () => {
    expect(ofUser(somebody('alice'))).toBe('alice');
  });

  test('of any other name is a valid one', () => {
    fc.assert(fc.property(fc.string({ minLength: 1 }), (user) => isNamespace(ofUser(somebody(user)))));
  });

  test('is never that of another user', () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 2 });
    fc.assert(fc.property(names, ([one = '', other = '']) => ofUser(somebody(one)) !== ofUser(somebody(other))));
  });

  test('is not reached by calling oneself as the changed name of another', () => {
    const changed = ofUser(somebody('Alice'));
    expect(changed).toMatch(/^alice-[0-9a-f]{16}$/);
    expect(ofUser(somebody(changed))).not.toBe(changed);
  });

  test('of two values is not that of two others that join to the same', () => {
    const both = readTemplate('{group}-{user}', 'people');
    expect(both(somebody('c', { groups: ['a-b'] }))).not.toBe(both(somebody('b-c', { groups: ['a'] })));
  });

  test('needs what its template asks for', () => {
    expect(() => readTemplate('{claim.project}', 'people')(somebody('alice'))).toThrow(/no \{claim\.project\}/);
    expect(readTemplate('{listener}-{claim.project}', 'ci')(somebody('x', { claims: { project: 'web' } }))).toBe(
      'ci-web',
    );
  });
});

describe('a namespace that a label chooses', () => {
  const ofProject = readLabelTemplate('{user}-{label.project}', 'ci');
  const name = (user: string, project: string): string => ofProject.namespaceOf(somebody(user), { project });

  test('is a valid one, another for each runner and each project', () => {
    const pair = fc.tuple(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }));
    const pairs = fc.uniqueArray(pair, { minLength: 2, maxLength: 2, selector: (said) => JSON.stringify(said) });
    fc.assert(
      fc.property(pairs, ([[user, project] = ['', ''], [otherUser, otherProject] = ['', '']]) => {
        expect(isNamespace(name(user, project))).toBe(true);
        expect(name(user, project)).not.toBe(name(otherUser, otherProject));
      }),
    );
  });

  test('is never what a user of another listener is called', () => {
    const chosen = name('runner', '7');
    expect(chosen).toMatch(/^runner-7-[0-9a-f]{16}$/);
    expect(readTemplate('{user}', 'people')(somebody(chosen))).not.toBe(chosen);
    expect(readTemplate('{user}', 'people')(somebody('runner-7'))).toBe('runner-7');
  });

  test('needs the label, and belongs to its runner alone', () => {
    expect(() => ofProject.namespaceOf(somebody('runner'), {})).toThrow(/no \{label\.project\}/);
    expect(ofProject.scopeOf(somebody('a'))).not.toBe(ofProject.scopeOf(somebody('b')));
    expect(ofProject.scopeOf(somebody('a'))).not.toBe(
      readLabelTemplate('x{user}-{label.project}', 'ci').scopeOf(somebody('a')),
    );
    expect(ofProject.commonOf(somebody('a'))).not.toBe(name('a', 'common'));
  });
});

describe('a name', () => {
  test('comes back as it went', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/), (name) => {
        expect(clientName('alice', engineName('alice', name))).toBe(name);
        expect(clientName('alic', engineName('alice', name))).toBeNull();
      }),
    );
  });

  test('alone, or a label alone, makes nobody the owner', () => {
    const label = { 'berthgate.namespace': 'alice' };
    expect(ownerOf({ name: 'alice.web', labels: label })).toBe('alice');
    expect(ownerOf({ name: 'alice.web', labels: {} })).toBeNull();
    expect(ownerOf({ name: 'web', labels: label })).toBeNull();
    expect(ownerOf({ name: 'bob.web', labels: label })).toBeNull();
    expect(ownerOf({ name: 'alice.web', labels: { 'berthgate.namespace': '' } })).toBeNull();
  });
});

describe('a pattern for names', () => {
  test.each([
    ['web', ['web', 'myweb', 'web2'], ['db']],
    ['^web$', ['web'], ['web2', 'myweb']],
    ['^/web$', ['web'], ['web2']],
    ['/web', ['web', 'web2'], ['myweb']],
    ['^/?we[b-d]', ['web', 'wed'], ['x']],
    ['ali', ['alison'], ['web']],
    ['web|db', ['web', 'db2'], ['x']],
    ['^(web|db)$', ['web', 'db'], ['web2']],
    ['a.c', ['abc', 'a.c'], ['ac']],
  ])('%s finds what it would find alone', (pattern, found, others) => {
    const matches = new RegExp(enginePattern(pattern, 'alice'));
    for (const name of found) expect(matches.test(`/alice.${name}`) && matches.test(`alice.${name}`)).toBe(true);
    for (const name of others) expect(matches.test(`alice.${name}`)).toBe(false);
    for (const name of found) expect(matches.test(`bob.${name}`)).toBe(false);
  });

  test.each(['^a|b', 'a|^b', ')|(', '(?i)web', '\\Qa', 'a)b(c', '[a', 'a\\'])('%s is refused', (pattern) => {
    expect(() => enginePattern(pattern, 'alice')).toThrow(/more than a namespace can look for/);
  });
});
