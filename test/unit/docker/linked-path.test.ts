// Where paths of containers lead.

import { expect, test } from 'vitest';
import { linkTargetIn, partsOf } from '../../../src/docker/linked-path.ts';

function said(stat: unknown): readonly string[] {
  const text = typeof stat === 'string' ? stat : Buffer.from(JSON.stringify(stat)).toString('base64');
  return ['Content-Type', 'application/json', 'X-Docker-Container-Path-Stat', text];
}

test('a path is asked for from its end', () => {
  expect(partsOf('/builds/group/project')).toEqual(['/builds/group/project', '/builds/group', '/builds']);
  expect(partsOf('/')).toEqual(['/']);
});

test('what an engine says of a link is where it leads', () => {
  const link = { name: 'link', size: 7, mode: 134218239, mtime: '2026-11-22T21:00:00Z', linkTarget: '/builds/p' };
  expect(linkTargetIn(said(link))).toBe('/builds/p');
  expect(linkTargetIn(said({ ...link, mode: 2147484141, linkTarget: '' }))).toBe(null);
});

test.each([
  ['a directory that pretends', { mode: 2147484141, linkTarget: '/etc' }],
  ['a link to nowhere', { mode: 134218239, linkTarget: '' }],
  ['a list', []],
  ['no JSON', '!!'],
])('%s is none', (_, stat) => {
  expect(linkTargetIn(said(stat))).toBe(null);
});

test('an answer without it is none', () => {
  expect(linkTargetIn([])).toBe(null);
});
