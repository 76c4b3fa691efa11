import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../../src/docker/endpoint.ts';
import type { Kind, Mark } from '../../../src/docker/marks.ts';
import { foldKey } from '../../../src/docker/read.ts';
import type { Shape } from '../../../src/docker/shape.ts';
import { newestVersion, oldestVersion, table } from '../../../src/docker/table.ts';
import { minorOf } from './openapi.ts';
import { answerPlaces, type Place, requestPlaces } from './places.ts';

const requests = table.flatMap(requestPlaces);
const all = [...requests, ...table.flatMap(answerPlaces)];

function marksOf(shape: Shape): readonly Mark[] {
  return shape.kind === 'text' ? [...shape.marks, ...(shape.grammar?.marks ?? [])] : shape.marks;
}

/** Nodes that hold a value themselves; the others hold nodes. */
function isLeaf(shape: Shape): boolean {
  return ['text', 'bool', 'int', 'number', 'any'].includes(shape.kind);
}

function name({ endpoint, place }: Place): string {
  return `${endpoint} ${place}`;
}

/** What an endpoint below this path speaks of. */
const kindOfPath: Readonly<Record<string, Kind>> = {
  containers: 'container',
  exec: 'exec',
  images: 'image',
  distribution: 'image',
  networks: 'network',
  volumes: 'volume',
  plugins: 'plugin',
  services: 'service',
  tasks: 'task',
  nodes: 'node',
  secrets: 'secret',
  configs: 'config',
};

describe('the marks of the table', () => {
  it('stand on every leaf of every request', () => {
    const bare = requests.filter(({ shape }) => isLeaf(shape) && marksOf(shape).length === 0);
    expect(bare.map(name)).toEqual([]);
    expect(requests.length).toBeGreaterThan(600);
  });

  it('do not call a value harmless and harmful at once', () => {
    const torn = requests.filter(
      ({ shape }) =>
        shape.marks.some(({ mark }) => mark === 'own') && shape.marks.some(({ mark }) => mark === 'privilege'),
    );
    expect(torn.map(name)).toEqual([]);
  });

  it('say of every path parameter what it names', () => {
    const nameless = requests.filter(
      ({ place, shape }) =>
        /^path\./.test(place) && !marksOf(shape).some(({ mark }) => mark === 'uses' || mark === 'makes'),
    );
    // What is behind /debug/pprof/ is a name of the engine's own.
    expect(nameless.map(name)).toEqual(['DebugPprofNamed path.name']);
  });

  it.each(table.filter(({ path }) => /^\/[a-z]+\/\{/.test(path)))(
    'let the path of $id name its own kind',
    (endpoint) => {
      const [, collection = '', parameter = ''] = /^\/([a-z]+)\/\{([a-z]+)\}/.exec(endpoint.path) ?? [];
      const marks = marksOf(endpoint.parameters[parameter] as Shape);
      const kinds = marks.flatMap((mark) => (mark.mark === 'uses' || mark.mark === 'makes' ? [mark.kind] : []));
      if (collection in kindOfPath) expect(kinds).toContain(kindOfPath[collection]);
    },
  );

  it('are on what is known to be dangerous', () => {
    const marksAt = new Map(requests.map((place) => [name(place), marksOf(place.shape).map(({ mark }) => mark)]));
    const create = (place: string) => marksAt.get(`ContainerCreate body.${place}`);
    expect(create('HostConfig.Privileged')).toContain('privilege');
    expect(create('Privileged')).toContain('privilege');
    expect(create('HostConfig.Binds[]')).toContain('host-path');
    expect(create('HostConfig.Mounts[].Source')).toContain('host-path');
    expect(create('HostConfig.Mounts[](volume).Source')).toContain('uses');
    expect(create('HostConfig.Mounts[](image).Source')).toContain('uses');
    expect(create('HostConfig.Mounts[].VolumeOptions.DriverConfig.Options.(key)')).toContain('privilege');
    expect(create('HostConfig.Sysctls.(key)')).toContain('privilege');
    expect(create('HostConfig.Annotations.(key)')).toContain('privilege');
    expect(create('HostConfig.StorageOpt.size')).toContain('resource');
    expect(create('NetworkingConfig.EndpointsConfig.*.NetworkID')).toContain('uses');
    expect(create('NetworkingConfig.EndpointsConfig.*.DriverOpts.(key)')).toContain('privilege');
    expect(marksAt.get('ContainerExec body.Privileged')).toContain('privilege');
    expect(marksAt.get('ContainerTop query.ps_args')).toContain('privilege');
    expect(marksAt.get('CheckpointCreate body.CheckpointDir')).toContain('host-path');
  });
});

describe('the table', () => {
  it('has every id and every route once', () => {
    const routes = table.map(({ method, path }) => `${method} ${path.replaceAll(/\{[^}]+\}/g, '{}')}`);
    expect(new Set(table.map(({ id }) => id)).size).toBe(table.length);
    expect(new Set(routes).size).toBe(table.length);
  });

  it.each(table)('spells $id in the canonical way', ({ id, summary, path, parameters, headers }) => {
    expect(id).toMatch(/^[A-Z][A-Za-z]+$/);
    expect(summary).toMatch(/^[A-Z].*[^.]$/);
    expect(path === '*' || /^(\/(?:[a-z_]+|\{[a-z]+\}))+\/?$/.test(path)).toBe(true);
    expect([...path.matchAll(/\{([a-z]+)\}/g)].map(([, one]) => one)).toEqual(Object.keys(parameters));
    for (const header of Object.keys(headers)) expect(header).toBe(header.toLowerCase());
  });

  it.each(table)('gives $id a shape where there is JSON, and a body only where there can be one', (endpoint) => {
    const { method, body, answer, risk } = endpoint as Endpoint;
    if (body.travel === 'json') expect(body.shape).toBeDefined();
    if (answer.travel === 'json' || answer.travel === 'lines') expect(answer.shape).toBeDefined();
    if (method !== 'POST' && method !== 'PUT') expect(['none', 'websocket']).toContain(body.travel);
    if (method === 'GET' || method === 'HEAD') expect(risk).not.toBe('write');
  });

  it('knows each field from a version to a later one', () => {
    const spans = [
      ...table.map(({ id, ...span }) => ({ at: id, span })),
      ...all.map((one) => ({ at: name(one), span: one.shape })),
    ];
    const wrong = spans.filter(({ span: { since = oldestVersion, until = newestVersion } }) => {
      const versions = [oldestVersion, since, until, newestVersion].map(minorOf);
      return versions.some((version, index) => index > 0 && version < (versions[index - 1] as number));
    });
    expect(wrong.map(({ at }) => at)).toEqual([]);
  });

  it('has no two fields of one object that the engine would take for one', () => {
    const doubled = requests.filter(({ shape }) => {
      if (shape.kind !== 'object') return false;
      const folded = Object.keys(shape.fields).map(foldKey);
      return new Set(folded).size < folded.length;
    });
    expect(doubled.map(name)).toEqual([]);
  });
});
