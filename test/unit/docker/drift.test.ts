import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../../src/docker/endpoint.ts';
import type { ObjectShape, Shape } from '../../../src/docker/shape.ts';
import { newestVersion, table } from '../../../src/docker/table.ts';
import { describeDifference, differences } from './drift.ts';
import { covers, type LeftOut, leftOut } from './left-out.ts';
import { documentFolder, type OpenApi, readDocuments } from './openapi.ts';

const documents = readDocuments();

/** What is to be done: differences that nobody has spoken about, and entries that speak of nothing. */
function check(of: readonly Endpoint[], exceptions: readonly LeftOut[]): readonly string[] {
  const found = (documents as readonly OpenApi[]).flatMap((document) => differences(document, of));
  const unspoken = found.filter((difference) => !exceptions.some((entry) => covers(entry, difference)));
  const stale = exceptions.filter((entry) => !found.some((difference) => covers(entry, difference)));
  return [
    ...unspoken.map(describeDifference),
    ...stale.map(({ operation, place }) => `left-out.ts: ${operation ?? '*'} ${place} no longer applies`),
  ];
}

function without(shape: Shape, [field, ...deeper]: readonly string[]): Shape {
  const { fields, ...rest } = shape as ObjectShape;
  const kept = Object.entries(fields).flatMap(([name, inner]) => {
    if (name !== field) return [[name, inner] as const];
    return deeper.length === 0 ? [] : [[name, without(inner, deeper)] as const];
  });
  return { ...rest, fields: Object.fromEntries(kept) };
}

function change(id: string, changed: (endpoint: Endpoint) => Partial<Endpoint>): readonly Endpoint[] {
  return table.map((endpoint) => (endpoint.id === id ? { ...endpoint, ...changed(endpoint) } : endpoint));
}

function bodyWithout(id: string, path: readonly string[]): readonly Endpoint[] {
  return change(id, ({ body }) => ({ body: { ...body, shape: without(body.shape as Shape, path) } }));
}

it.skipIf(documents === null && process.env.CI === undefined)('the OpenAPI documents of Docker are there', () => {
  if (documents === null) expect.fail(`no documents in ${documentFolder}: set BERTHGATE_OPENAPI to their folder`);
});

describe.skipIf(documents === null)('the table and the OpenAPI documents of Docker', () => {
  const before = documents === null ? [] : check(table, leftOut);

  /** What a change of the table adds to what the check says. */
  function added(to: readonly Endpoint[], exceptions: readonly LeftOut[] = leftOut): readonly string[] {
    return check(to, exceptions).filter((message) => !before.includes(message));
  }

  it('reads the documents that it should', () => {
    const versions = documents?.map(({ version }) => version);
    expect(versions).toEqual(expect.arrayContaining(['1.25', '1.41', '1.45', '1.51', '1.55']));
    expect(versions?.at(-1)).toBe(newestVersion);
    for (const document of documents ?? []) expect(document.operations.length).toBeGreaterThan(90);
  });

  it('agree in every operation, parameter and field', () => {
    expect(before).toEqual([]);
  });

  it('call operations by the same ids', () => {
    const newest = documents?.at(-1)?.operations ?? [];
    const renamed = newest.filter(({ id, method, path }) =>
      table.some((endpoint) => endpoint.method === method && endpoint.path === path && endpoint.id !== id),
    );
    expect(renamed.map(({ id, method, path }) => `${method} ${path} is ${id}`)).toEqual([]);
  });

  it('say exactly which field of a body is missing', () => {
    const messages = added(bodyWithout('ContainerCreate', ['HostConfig', 'Privileged']));
    expect(messages).toEqual(
      documents?.map(({ version }) => `ContainerCreate body.HostConfig.Privileged: is missing (${version})`),
    );
  });

  it('say exactly which parameter is missing', () => {
    const messages = added(
      change('ContainerStats', ({ query: { stream } }) => ({ query: { stream: stream as Shape } })),
    );
    expect(new Set(messages.map((message) => message.split(' (')[0]))).toEqual(
      new Set(['ContainerStats query.one-shot: is missing']),
    );
  });

  it('say which operation is missing', () => {
    const messages = added(table.filter(({ id }) => id !== 'ContainerPause'));
    expect(messages).toContain('ContainerPause operation: POST /containers/{}/pause is missing (1.56)');
    expect(messages).toHaveLength(documents?.length ?? 0);
  });

  it('see a field of another type, and one that came earlier than the table says', () => {
    const wrong = change('ContainerCreate', ({ query: { name } }) => ({
      query: { name: name as Shape, platform: { kind: 'int', marks: [], since: '1.42' } },
    }));
    expect(added(wrong)).toContain('ContainerCreate query.platform: is string and the table says int (1.56)');
    expect(added(wrong)).toContain('ContainerCreate query.platform: is there before 1.42 (1.41)');
  });

  it('do not let an exception stand that nothing needs', () => {
    const stale: LeftOut = { operation: 'ContainerCreate', place: 'body.Nothing', reason: 'a test' };
    expect(added(table, [...leftOut, stale])).toEqual(['left-out.ts: ContainerCreate body.Nothing no longer applies']);
  });
});
