import { describe, expect, test } from 'vitest';
import { compilePattern, imagesKind, patternRegex } from '../../../src/rules/policies/images.ts';
import { contextOf, create, judgeBy, refusalBy, type Said } from './judging.ts';

const digest = `sha256:${'a1'.repeat(32)}`;
const run = (Image: string): Said => ({ path: '/containers/create', body: { Image } });
const pull = (query: string): Said => ({ path: `/images/create?${query}` });

describe('a pattern', () => {
  const cases: readonly [string, readonly string[], readonly string[]][] = [
    [
      'debian',
      ['docker.io/library/debian:12', `docker.io/library/debian@${digest}`, 'docker.io/library/debian:*'],
      ['docker.io/library/debian2:1', 'r.example.org/debian:12', 'docker.io/alice/debian:1'],
    ],
    [
      'debian:12',
      ['docker.io/library/debian:12'],
      ['docker.io/library/debian:13', `docker.io/library/debian@${digest}`, 'docker.io/library/debian:*'],
    ],
    ['debian:*', ['docker.io/library/debian:12', 'docker.io/library/debian:*'], [`docker.io/library/debian@${digest}`]],
    [
      'r.example.org/**',
      ['r.example.org/a:1', 'r.example.org/a/b/c:1'],
      ['r.example.org:5000/a:1', 'r.example.org.evil/a:1'],
    ],
    ['docker.io/library/*', ['docker.io/library/debian:12'], ['docker.io/alice/app:1']],
    ['*/ci/**', ['r.example.org/ci/a:1'], ['r.example.org/other/ci/a:1']],
    ['localhost:5000/app', ['localhost:5000/app:1'], ['localhost:5001/app:1']],
  ];
  test.for(cases)('%s', ([pattern, yes, no]) => {
    const matches = compilePattern(pattern);
    expect(yes.filter((text) => !matches(text))).toEqual([]);
    expect(no.filter((text) => matches(text))).toEqual([]);
  });
});

describe('a pattern as BuildKit is told it', () => {
  test.for([
    [
      'debian',
      ['docker.io/library/debian:12', `docker.io/library/debian:12@${digest}`],
      ['docker.io/library/debian2:12'],
    ],
    [
      'debian:12',
      ['docker.io/library/debian:12', `docker.io/library/debian:12@${digest}`],
      ['docker.io/library/debian:1x2'],
    ],
    [
      'r.example.org/**',
      ['r.example.org/a/b:1'],
      ['r.example.org:5000/a:1', 'rxexample.org/a:1', 'x.r.example.org/a:1'],
    ],
    ['docker.io/library/*', ['docker.io/library/debian:12'], ['docker.io/alice/app:1', 'docker.io/library/a/b:1']],
  ] as const)('%s', ([pattern, yes, no]) => {
    const matches = new RegExp(`^(?:${patternRegex(pattern)})$`);
    expect(yes.filter((text) => !matches.test(text))).toEqual([]);
    expect(no.filter((text) => matches.test(text))).toEqual([]);
  });
});

describe('images', () => {
  const policy = create(imagesKind, { allow: ['debian:12', 'r.example.org/**'], deny: ['r.example.org/secret/**'] });

  test.for([
    'debian:12',
    'docker.io/library/debian:12',
    'index.docker.io/debian:12',
    'r.example.org/a/b',
    `r.example.org/a@${digest}`,
  ])('%s is run', async (image) => {
    await expect(judgeBy(policy, run(image))).resolves.toMatchObject({ decisions: [{ rule: 'allowed' }] });
  });

  test.for([
    'debian',
    'debian:13',
    'alpine',
    `debian:12@${digest}`,
    'r.example.org/secret/a',
    'r.example.org/../debian:12',
    'evil/debian:12',
    'DEBIAN:12',
  ])('%s is refused', async (image) => {
    const refusal = await refusalBy(policy, run(image));
    expect(refusal).toMatchObject({ code: 'refused', rule: 'run', place: 'Image' });
  });

  test('a pull is judged by its name together with its tag, wherever that stands', async () => {
    await judgeBy(policy, pull('fromImage=debian&tag=12'));
    await judgeBy(policy, pull('fromImage=debian:12'));
    await judgeBy(policy, pull('fromImage=debian:13&tag=12'));
    for (const query of [
      'fromImage=debian',
      'fromImage=debian:12&tag=13',
      `fromImage=debian:12&tag=${digest}`,
      'fromImage=a%20b',
    ]) {
      expect((await refusalBy(policy, pull(query))).place, query).toBe('query.fromImage');
    }
    expect((await refusalBy(policy, pull('fromImage=debian'))).message).toContain('debian:* must not be pulled');
    expect((await refusalBy(policy, pull('fromSrc=http%3A%2F%2Fevil%2Fa.tar&repo=debian&tag=12'))).rule).toBe('pull');
    expect((await refusalBy(policy, { method: 'GET', path: '/distribution/alpine/json' })).rule).toBe('pull');
  });

  test('a push, a build and names that are given are judged each', async () => {
    const own = create(imagesKind, {
      push: { allow: ['r.example.org/ci/**'] },
      tag: { deny: ['debian'] },
      build: { allow: ['debian'] },
    });
    await judgeBy(own, { path: '/images/r.example.org/ci/app/push?tag=1' });
    expect((await refusalBy(own, { path: '/images/r.example.org/other/push?tag=1' })).rule).toBe('push');
    expect((await refusalBy(own, { path: '/images/web/tag?repo=debian&tag=12' })).place).toBe('query.repo');
    expect((await refusalBy(own, { path: '/commit?container=web&repo=debian&tag=12' })).rule).toBe('tag');
    expect((await refusalBy(own, { path: '/build?t=web&t=debian:12' })).place).toBe('query.t[1]');
    expect((await refusalBy(own, { path: `/build?t=web&cachefrom=${encodeURIComponent('["alpine"]')}` })).rule).toBe(
      'build',
    );
    const frontend = encodeURIComponent('{"BUILDKIT_SYNTAX":"evil/frontend"}');
    expect((await refusalBy(own, { path: `/build?t=web&buildargs=${frontend}` })).rule).toBe('build');
    await judgeBy(own, { path: '/build?t=web' });
    expect((await refusalBy(own, { path: '/images/load' })).hint).toContain('cannot be judged');
    // In a namespace somebody reads the archive.
    const { load } = await judgeBy(own, { path: '/images/load', namespace: 'shop' });
    load[0]?.name?.('web:1');
    expect(() => load[0]?.name?.('debian:12')).toThrow('docker.io/library/debian:12 must not be given as a name');
    // Nothing is said of what may be run.
    await judgeBy(own, run('alpine'));
  });

  test('an image mounted into a container is run too', async () => {
    const HostConfig = { Mounts: [{ Type: 'image', Source: 'alpine', Target: '/a' }] };
    const said = { path: '/containers/create', body: { Image: 'debian:12', HostConfig } };
    expect((await refusalBy(policy, said)).place).toBe('HostConfig.Mounts[0].Source');
  });

  test('an id is allowed where a name of its image is, and none is denied', async () => {
    const context = contextOf({
      'ImageInspect f00d': { RepoTags: ['debian:12', 'web:1'] },
      'ImageInspect abad': { RepoTags: ['web:1'] },
      'ImageInspect beef': { RepoTags: ['debian:12'], RepoDigests: [`r.example.org/secret/a@${digest}`] },
      'ImageInspect 0000': { RepoTags: [], RepoDigests: [] },
      [`ImageInspect debian@${digest}`]: { RepoTags: ['debian:12'], RepoDigests: [`debian@${digest}`] },
    });
    await judgeBy(policy, run('f00d'), context);
    // As GitLab Runner names an image whose tag it has looked up.
    await judgeBy(policy, run(`debian@${digest}`), context);
    for (const id of ['abad', 'beef', '0000', `sha256:${'0'.repeat(64)}`, 'cafe']) {
      expect((await refusalBy(policy, run(id), context)).place, id).toBe('Image');
    }
  });

  test('looking and removing need no name on a list', async () => {
    await judgeBy(policy, { method: 'GET', path: '/images/alpine/json' });
    await judgeBy(policy, { method: 'DELETE', path: '/images/alpine' });
    await judgeBy(policy, { method: 'GET', path: '/containers/json' });
  });
});
