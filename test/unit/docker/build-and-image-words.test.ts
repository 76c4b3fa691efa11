import { describe, expect, it } from 'vitest';
import { buildContext } from '../../../src/docker/grammars/build-context.ts';
import { buildId } from '../../../src/docker/grammars/build-id.ts';
import { cacheSource } from '../../../src/docker/grammars/cache-source.ts';
import { dockerfileChange } from '../../../src/docker/grammars/dockerfile-change.ts';
import { importSource } from '../../../src/docker/grammars/import-source.ts';
import { searchTerm } from '../../../src/docker/grammars/search-term.ts';
import { describeMark, type Mark } from '../../../src/docker/marks.ts';
import type { QueryValues } from '../../../src/docker/query.ts';
import { elementOf, type Grammar, type MapShape, type ObjectShape, type Shape } from '../../../src/docker/shape.ts';
import { clusterWide } from '../../../src/docker/shapes/cluster-mark.ts';
import { networkOptions } from '../../../src/docker/shapes/network.ts';
import { table } from '../../../src/docker/table.ts';
import { visit } from '../../../src/docker/visit.ts';
import type { Json } from '../../../src/ground/json.ts';

function short(mark: Mark): string {
  if (mark.mark === 'privilege') return mark.reach;
  if (mark.mark === 'reveals') return mark.about;
  return 'kind' in mark ? `${mark.mark} ${mark.kind}` : mark.mark;
}

function seen(shape: Shape, value: Json): readonly string[] {
  const found: string[] = [];
  visit(shape, value, (leaf) => {
    found.push(`${leaf.place}: ${leaf.marks.map(short).join(', ')}`);
    return leaf.value;
  });
  return found;
}

function endpoint(id: string) {
  const found = table.find((one) => one.id === id);
  if (found === undefined) throw new Error(`no endpoint ${id}`);
  return found;
}

describe('a word of builds and images', () => {
  const cases: readonly (readonly [Grammar, string, string | null])[] = [
    [importSource, '-', '-<own>'],
    [importSource, 'http://10.0.0.1/x.tar', 'http://10.0.0.1/x.tar<fetches>'],
    [importSource, '169.254.169.254', '169.254.169.254<fetches>'],
    [buildContext, 'client-session', 'client-session<own>'],
    [buildContext, 'client-session/../x', 'client-session/../x<fetches>'],
    [buildContext, 'git@host:repo.git', 'git@host:repo.git<fetches>'],
    [buildId, 'abc', 'abc<makes build>'],
    [buildId, 'upload-request:abc', 'upload-request:abc<uses build>'],
    [cacheSource, 'alpine:3', 'alpine:3<uses image>'],
    [cacheSource, 'alpine,type=local,src=/etc', null],
    [searchTerm, 'team/redis', 'team/redis<own>'],
    [searchTerm, 'localhost/x', 'localhost<fetches>/x<own>'],
    [searchTerm, '10.0.0.1:80/x', '10.0.0.1:80<fetches>/x<own>'],
    [dockerfileChange, 'ENV a=b', 'ENV a=b<env own>'],
    [dockerfileChange, 'label a=b', 'label a=b<labels>'],
    [dockerfileChange, 'ONBUILD LABEL a=b', 'ONBUILD LABEL a=b<labels>'],
    [dockerfileChange, 'ENV a=b\nLABEL c=d', null],
    [dockerfileChange, 'ENV a=b \\', null],
    [dockerfileChange, 'RUN true', null],
    [dockerfileChange, '# escape=`', null],
  ];
  it.each(cases.map(([grammar, ...rest]) => [grammar.name, ...rest, grammar] as const))('%s of %j is %j', (...one) => {
    const [, text, expected, grammar] = one;
    const parts = grammar.split(text);
    const shown = parts?.map((part) =>
      part.marks.length > 0 ? `${part.text}<${part.marks.map(short).join(' ')}>` : part.text,
    );
    expect(shown?.join('') ?? null).toBe(expected);
  });
});

describe('a request of the table', () => {
  it('tells the options of a network that stay within it from those that do not', () => {
    const marks = (key: string) => elementOf(networkOptions, key).marks.map(short);
    expect(marks('com.docker.network.driver.mtu')).toEqual(['own']);
    expect(marks('com.docker.network.bridge.name')).toEqual(['driver']);
    expect(marks('parent')).toEqual(['driver']);
  });

  it('shows every option of a volume as what mounts the host', () => {
    const value = { Name: 'v', Driver: 'local', DriverOpts: { type: 'none', o: 'bind', device: '/etc' } };
    const { shape } = endpoint('VolumeCreate').body;
    expect(seen(shape as Shape, value)).toEqual(
      expect.arrayContaining(['Name: makes volume', 'DriverOpts.o: driver', 'DriverOpts.device: driver']),
    );
  });

  it('shows a proxy among build arguments as what others are served too', () => {
    const query: QueryValues = { buildargs: { HTTP_PROXY: 'http://x', OTHER: '1', BUILDKIT_SYNTAX: 'me/frontend' } };
    const { buildargs } = endpoint('ImageBuild').query;
    const found = seen(buildargs as Shape, query.buildargs as Json);
    expect(found).toContain('HTTP_PROXY: env, shared');
    expect(found).toContain('BUILDKIT_SYNTAX: uses image, builder');
    expect(found.filter((line) => line.startsWith('OTHER'))).not.toContainEqual(expect.stringContaining('shared'));
  });

  it('holds on every node where it is said to a swarm', () => {
    for (const { id, body } of table.filter(({ risk }) => risk === 'cluster')) {
      if (body.shape === undefined) continue;
      expect(bareLeaves(body.shape), id).toEqual([]);
    }
  });
});

/** Leaves without a privilege. */
function bareLeaves(shape: Shape, place = ''): readonly string[] {
  switch (shape.kind) {
    case 'object':
      return Object.entries((shape as ObjectShape).fields).flatMap(([name, inner]) =>
        bareLeaves(inner, `${place}.${name}`),
      );
    case 'list':
      return bareLeaves(shape.of, `${place}[]`);
    case 'map':
      return [(shape as MapShape).key, (shape as MapShape).of].flatMap((inner) => bareLeaves(inner, `${place}{}`));
    default:
      return shape.marks.some(({ mark }) => mark === 'privilege') ? [] : [place];
  }
}

describe('a mark for the whole swarm', () => {
  it('takes the place of harmlessness, and leaves names what they are', () => {
    const { shape } = endpoint('ServiceCreate').body;
    const fields = (clusterWide(shape as ObjectShape) as ObjectShape).fields;
    expect(fields.Name?.marks.map(describeMark)[0]).toBe('gives a name to a service by name');
    expect(seen(shape as Shape, { Labels: { a: 'b' } })).toEqual(
      expect.arrayContaining(['Labels: labels', 'Labels.a: cluster']),
    );
  });
});

describe('an event', () => {
  const { shape } = endpoint('SystemEvents').answer;

  it('names what its type says', () => {
    const attributes = { name: 'web', image: 'alpine', execID: 'e' };
    const line = { Type: 'container', Action: 'exec_create: sh', Actor: { ID: 'c', Attributes: attributes }, id: 'c' };
    expect(seen(shape as Shape, line)).toEqual([
      'Action: prose',
      'Actor.ID: uses container',
      'Actor.Attributes: labels',
      'Actor.Attributes.name: uses container',
      'Actor.Attributes.image: uses image',
      'Actor.Attributes.execID: uses exec',
      'id: uses container',
    ]);
    expect(seen(shape as Shape, { Type: 'volume', Actor: { ID: 'data', Attributes: {} } })).toContain(
      'Actor.ID: uses volume',
    );
  });

  it('of a type that nobody knows tells about others', () => {
    const line = { Type: 'novelty', Actor: { ID: 'x', Attributes: { name: 'y' } } };
    expect(seen(shape as Shape, line)).toEqual(['Actor.ID: prose', 'Actor.Attributes: others']);
  });
});
