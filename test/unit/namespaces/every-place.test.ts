// That the table has no marked place without a property, and the properties of those that both-ways.test.ts leaves out:
// filters in both forms and patterns, commands, prose of answers, refusals and lines.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AnswerTravel, Endpoint } from '../../../src/docker/endpoint.ts';
import type { Mark } from '../../../src/docker/marks.ts';
import { printQuery, readQuery } from '../../../src/docker/query.ts';
import type { Shape } from '../../../src/docker/shape.ts';
import { type Json, printJson } from '../../../src/ground/json.ts';
import type { Refusal } from '../../../src/ground/refusal.ts';
import { markedIn, served, spotsOf } from './marked.ts';
import { callOf, execOf, idOf, type TwoNamespaces, twoNamespaces } from './two-namespaces.ts';

/** A place of a text with what it means there: `body.HostConfig.Binds[] uses volume`. */
interface Place {
  readonly place: string;
  readonly mark: Mark;
  /** The least value that says this text there; null where a grammar decides how it is said. */
  readonly with: (text: string) => Json;
}

/** Every text of a shape, by another way than markedIn goes. */
function textsIn(
  shape: Shape,
  place: string,
  build: (inner: Json) => Json,
  seen: readonly Shape[] = [],
): readonly Place[] {
  const inner = (next: Shape, step: string, put: (value: Json) => Json): readonly Place[] =>
    textsIn(next, `${place}${step}`, (value) => build(put(value)), [...seen, shape]);
  switch (shape.kind) {
    case 'list':
      return inner(shape.of, '[]', (value) => [value]);
    case 'embedded':
      return inner(shape.of, '', (value) => value);
    case 'filters':
      return Object.entries(shape.keys).flatMap(([key, of]) => inner(of, `.${key}`, (value) => ({ [key]: [value] })));
    case 'map':
      return [
        ...inner(shape.key, '.(key)', (value) => ({ [String(value)]: shape.of.kind === 'object' ? {} : '' })),
        ...inner(shape.of, '.*', (value) => ({ net: value })),
        ...Object.entries(shape.known ?? {}).flatMap(([key, of]) =>
          inner(of, `.${key}`, (value) => ({ [key]: value })),
        ),
      ];
    case 'object': {
      const plain = Object.entries(shape.fields).flatMap(([key, of]) =>
        inner(of, `.${key}`, (value) => ({ [key]: value })),
      );
      const by = shape.varies?.by ?? '';
      const varied = Object.entries(shape.varies?.cases ?? {}).flatMap(([word, fields]) =>
        Object.entries(fields)
          .filter(([key, of]) => shape.fields[key] !== of)
          .flatMap(([key, of]) => inner(of, `(${word}).${key}`, (value) => ({ [by]: word, [key]: value }))),
      );
      return [...plain, ...varied];
    }
    case 'text': {
      const named = shape.grammar === undefined ? place : `${place} ${shape.grammar.name}`;
      return [...shape.marks, ...(shape.grammar?.marks ?? [])].map((mark) => ({ place: named, mark, with: build }));
    }
    default:
      return shape.marks.map((mark) => ({ place, mark, with: build }));
  }
}

type Part = 'parameters' | 'query' | 'headers' | 'body' | 'answer' | 'answerHeaders';

function placesOf(endpoint: Endpoint, part: Part): readonly Place[] {
  if (part === 'body' || part === 'answer') {
    const { shape } = endpoint[part];
    return shape === undefined ? [] : textsIn(shape, part, (value) => value);
  }
  return Object.entries(endpoint[part]).flatMap(([key, shape]) => textsIn(shape, key, (value) => ({ [key]: value })));
}

const named: ReadonlySet<string> = new Set(['container', 'network', 'volume']);
const isNamed = ({ mark }: Place): boolean => (mark.mark === 'uses' || mark.mark === 'makes') && named.has(mark.kind);
const kindOf = ({ mark }: Place): string => (mark.mark === 'uses' || mark.mark === 'makes' ? mark.kind : '');
const foreign = (text: string): boolean => /(?<![A-Za-z0-9_.-])nsb\.|[acde]b{11}/.test(text);

/** With everything known of both, as an engine's events would have told. */
async function known(): Promise<TwoNamespaces> {
  const engine = twoNamespaces();
  for (const one of ['nsa', 'nsb']) {
    await engine.of(one).context.lookUp('ContainerInspect', { id: 'web' });
    await engine.of(one).context.lookUp('NetworkInspect', { id: 'net' });
    await engine.of(one).context.lookUp('VolumeInspect', { name: 'data' });
  }
  return engine;
}

async function tellerOf(endpointId: string): Promise<(document: Json, status: number) => string | null> {
  const engine = await known();
  const least: Readonly<Record<string, Parameters<typeof callOf>[1]>> = {
    NetworkCreate: { body: { Name: 'other' } },
    VolumeCreate: { body: { Name: 'other' } },
    ImageCreate: { query: { fromImage: 'busybox', tag: '1' } },
    ImageTag: { query: { repo: 'other' } },
  };
  try {
    const passage = await engine.of('nsa').enter(callOf(endpointId, least[endpointId] ?? {}));
    return (document, status) => {
      const told = passage.names.told(document, status);
      return told === undefined ? null : printJson(told);
    };
  } catch (fault) {
    throw new Error(`${endpointId} is served, and its least call is refused`, { cause: fault });
  }
}

describe('the table', () => {
  test('has as many marked places as somebody has thought about', () => {
    const count = (part: Part): number => served.flatMap((one) => placesOf(one, part)).filter(isNamed).length;
    const counted = Object.fromEntries(
      (['parameters', 'query', 'body', 'answer'] as const).map((part) => [part, count(part)]),
    );
    // A mark that is lost leaves no other trace here; one that is new is to be looked at once.
    expect({ served: served.length, ...counted }).toEqual({
      served: 68,
      parameters: 29,
      query: 19,
      body: 35,
      answer: 94,
    });
  });

  test.each(served.map((endpoint) => [endpoint.id, endpoint] as const))(
    'has no named place without a property: %s',
    (_, endpoint) => {
      const keyed = (place: string, kind: string): string => `${place} ${kind}`;
      for (const part of ['parameters', 'query', 'body'] as const) {
        const has = new Set(
          spotsOf(endpoint)
            .filter((spot) => spot.part === part)
            .map(({ place, kind }) => keyed(place, kind)),
        );
        for (const one of placesOf(endpoint, part).filter(isNamed))
          expect(has).toContain(keyed(one.place, kindOf(one)));
      }
      const { shape } = endpoint.answer;
      const told = new Set(
        (shape === undefined ? [] : markedIn(shape, 'answer')).map(({ place, kind }) => keyed(place, kind)),
      );
      for (const one of placesOf(endpoint, 'answer').filter(isNamed))
        expect(told).toContain(keyed(one.place, kindOf(one)));
      // Names in headers would need a property of their own.
      for (const part of ['headers', 'answerHeaders'] as const)
        expect(placesOf(endpoint, part).filter(isNamed)).toEqual([]);
    },
  );

  test('lets nothing through that is neither read nor carried as bytes', () => {
    const unread: ReadonlySet<AnswerTravel> = new Set([
      ...(['none', 'text', 'tar', 'frames', 'hijack', 'websocket'] as const),
      // What a client offers to its builds: the engine asks, and names nothing.
      'h2c',
    ]);
    for (const { id, answer } of served) expect(answer.shape !== undefined || unread.has(answer.travel), id).toBe(true);
  });
});

describe('filters', () => {
  const spots = served.flatMap((endpoint) =>
    Object.entries(endpoint.query).flatMap(([key, shape]) =>
      shape.kind === 'filters'
        ? placesOf(endpoint, 'query')
            .filter((one) => isNamed(one) && one.place.startsWith(`${key}.`))
            .map((one) => ({ endpoint, one }))
        : [],
    ),
  );
  const names = fc.stringMatching(/^[a-z][a-z0-9_.-]{1,12}$/);

  test.each(spots.map(({ endpoint, one }) => [`${endpoint.id} ${one.place}`, endpoint, one] as const))(
    'mean the same in both forms, and nothing of another: %s',
    async (_, endpoint, { place, mark }) => {
      const filter = place.split(' ')[0]?.split('.')[1] as string;
      const ask = async (form: Json): Promise<string> => {
        const raw = `filters=${encodeURIComponent(printJson({ [filter]: form }))}`;
        const { values } = readQuery(raw, endpoint.query);
        try {
          const { call } = await twoNamespaces()
            .of('nsa')
            .enter(callOf(endpoint.id, { query: values }));
          return decodeURIComponent(printQuery(call.query, call.endpoint.query));
        } catch (fault) {
          return `${(fault as Refusal).code} ${(fault as Refusal).message}`;
        }
      };
      const pattern = mark.mark === 'uses' && mark.spelling === 'pattern';
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(names, fc.constantFrom('nsb.web', 'nsb.net', 'nsb.data', idOf('nsb', 'network'))),
          async (name) => {
            const sent = await ask([name]);
            expect(await ask({ [name]: true })).toBe(sent);
            // An id that is looked for among those with the label finds nothing of another.
            const harmless =
              sent.includes('"berthgate.namespace=nsa":true') || !foreign(sent) || /^not-found /.test(sent);
            expect(harmless, sent).toBe(true);
            if (endpoint.id !== 'SystemEvents' && !/^(not-found|unreadable)/.test(sent)) {
              expect(sent).toContain('"berthgate.namespace=nsa":true');
            }
            if (pattern && filter === 'name' && !sent.startsWith('unreadable')) {
              const matches = Object.keys(JSON.parse(sent.replace(/^\?filters=/, '')).name).map(
                (text) => new RegExp(text),
              );
              for (const other of ['nsb.web', '/nsb.web', `nsb.${name}`, `x.nsa.${name}`]) {
                expect(
                  matches.some((one) => one.test(other)),
                  `${sent} ${other}`,
                ).toBe(false);
              }
              expect(matches.some((one) => one.test(`nsa.${name.replace(/^nsb\./, 'nsb.')}`))).toBe(true);
            }
          },
        ),
        { numRuns: 12 },
      );
    },
  );
});

describe('commands', () => {
  const spots = served.flatMap((endpoint) =>
    placesOf(endpoint, 'parameters')
      .filter((one) => kindOf(one) === 'exec')
      .map(() => endpoint),
  );

  test.each(spots.map((endpoint) => [endpoint.id]))(
    'of another namespace are not there, its own are: %s',
    async (id) => {
      const enter = (exec: string) =>
        twoNamespaces()
          .of('nsa')
          .enter(callOf(id, { parameters: { id: exec } }));
      await expect(enter(execOf('nsb'))).rejects.toMatchObject({
        code: 'not-found',
        message: `No such exec instance: ${execOf('nsb')}`,
      });
      await expect(enter('f'.repeat(64))).rejects.toMatchObject({ code: 'not-found' });
      expect((await enter(execOf('nsa'))).call.parameters.id).toBe(execOf('nsa'));
    },
  );
});

const sentence = (namespace: string): string =>
  `in use by "${namespace}.web" (${idOf(namespace, 'container')}), ${namespace}.net and ${namespace}.data; see ${idOf(namespace, 'network')}`;

describe('sentences of the engine', () => {
  const spots = served.flatMap((endpoint) =>
    placesOf(endpoint, 'answer')
      .filter(({ mark }) => mark.mark === 'prose')
      .map((one) => ({ endpoint, one })),
  );

  test('stand in warnings, progress, errors of commands, aliases and events', () => {
    expect(spots.length).toBeGreaterThan(25);
    expect(new Set(spots.map(({ endpoint }) => endpoint.answer.travel))).toContain('lines');
  });

  test.each(spots.map(({ endpoint, one }) => [`${endpoint.id} ${one.place}`, endpoint, one] as const))(
    'in answers speak of own things by their own names, and of no other: %s',
    async (_, endpoint, { with: put, mark }) => {
      const told = await tellerOf(endpoint.id);
      // A text that stands for any value is looked at where it is a text.
      const own = told(put(sentence('nsa')), 200);
      if (own === null || !/in use by/.test(own)) {
        // What tells of others, or of the host, is left out whole; so are events of what is not the namespace's.
        expect(told(put(sentence('nsb')), 200) ?? '').not.toMatch(/nsb|b{11}/);
        return;
      }
      expect(own).not.toContain('nsa.');
      expect(own).toContain(idOf('nsa', 'container'));
      const other = told(put(sentence('nsb')), 200) ?? '';
      expect(other).not.toMatch(/b{11}/);
      if (mark.mark === 'prose' && mark.repeats === true) {
        // A client may have said this itself: who is there must not be told by what is hidden.
        expect(told(put('run nsb.web'), 200)).toBe(told(put('run nsb.nix'), 200)?.replace('nix', 'web'));
      } else expect(other).not.toContain('nsb.');
    },
  );

  test.each(served.map((endpoint) => [endpoint.id, endpoint] as const))(
    'in refusals speak of own things by their own names, and of no other: %s',
    async (id, { repeats }) => {
      // Events are told line by line, and a ping tells nothing.
      const told = await tellerOf(id);
      for (const status of [400, 404, 409, 500]) {
        const own = told({ message: sentence('nsa') }, status) ?? '';
        expect(own).toContain('in use by');
        expect(own).not.toContain('nsa.');
        const other = told({ message: sentence('nsb') }, status) ?? '';
        expect(other).not.toMatch(/b{11}/);
        if (repeats !== true) expect(other).not.toContain('nsb.');
        else {
          const missing = told({ message: 'exec: "nsb.nix": not found' }, status)?.replace('nix', 'web');
          expect(told({ message: 'exec: "nsb.web": not found' }, status)).toBe(missing);
        }
      }
    },
  );

  test('repeat what the very call has said, whoever has a thing of that name', async () => {
    const engine = await known();
    const told = async (name: string): Promise<string> => {
      const passage = await engine.of('nsa').enter(callOf('ContainerCreate', { query: { name } }));
      const message = `Conflict. The container name "/nsa.${name}" is already in use by container "${idOf('nsa', 'container')}"`;
      return printJson(passage.names.told({ message }, 409) ?? null);
    };
    expect(await told('nsb.web')).toContain('/nsb.web');
    expect(await told('nsb.web')).toBe((await told('nsb.nix')).replace('nsb.nix', 'nsb.web'));
  });
});
