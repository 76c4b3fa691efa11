import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTrue, printQuery, type QueryValues, readQuery } from '../../../src/docker/query.ts';
import {
  any,
  bool,
  embedded,
  emptyMeans,
  filters,
  int,
  list,
  map,
  object,
  type Shape,
  text,
} from '../../../src/docker/shape.ts';
import { Refusal } from '../../../src/ground/refusal.ts';

const shapes = {
  name: text(),
  force: bool(),
  limit: int(),
  t: list(text()),
  filters: filters({ label: text(), name: text() }),
  buildargs: embedded(map(text())),
  outputs: embedded(list(object({ Type: text(), Attrs: map(text()) }))),
  anything: embedded(any()),
} satisfies Record<string, Shape>;

function read(raw: string): QueryValues {
  return readQuery(raw, shapes).values;
}

function refusalOf(raw: string): Refusal {
  try {
    readQuery(raw, shapes);
  } catch (fault) {
    if (fault instanceof Refusal) return fault;
    throw fault;
  }
  throw new Error(`was read: ${raw}`);
}

/** Plain objects, so that values can be compared whatever their prototype is. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

const words = fc.string({ unit: 'grapheme', maxLength: 10 }).filter((word) => !word.includes('\0'));
const wordMap = (of: fc.Arbitrary<unknown>) =>
  fc.dictionary(fc.oneof(words, fc.constant('__proto__')), of, { maxKeys: 3 });
const values = fc.record(
  {
    name: words,
    force: fc.boolean(),
    limit: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
    t: fc.array(words, { minLength: 1, maxLength: 3 }),
    filters: wordMap(fc.uniqueArray(words, { maxLength: 3 })),
    buildargs: wordMap(fc.option(words)),
    outputs: fc.array(fc.record({ Type: words, Attrs: wordMap(words) }), { maxLength: 2 }),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<QueryValues>;

describe('a query', () => {
  test('that was printed is read back as it was', () => {
    fc.assert(
      fc.property(values, (given) => {
        const printed = printQuery(given, shapes);
        expect(printed).toMatch(/^(\?[!-~]+)?$/);
        const back = readQuery(printed.slice(1), shapes);
        expect(sorted(back.values)).toEqual(sorted(given));
        expect(back.dropped).toEqual([]);
        expect(printQuery(back.values, shapes)).toBe(printed);
      }),
    );
  });

  test('is read as URLSearchParams reads it, or refused', () => {
    const pieces = fc.constantFrom(
      'name',
      't',
      'n%61me',
      '=',
      '&',
      '+',
      '%20',
      '%2B',
      '%',
      'x',
      '%c3%a9',
      '%ff',
      ';',
      '?',
      '#',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 10 }), (chosen) => {
        const raw = chosen.join('');
        let ours: QueryValues;
        try {
          ours = read(raw);
        } catch (fault) {
          expect(fault).toBeInstanceOf(Refusal);
          return;
        }
        // It takes a first question mark off.
        const theirs = new URLSearchParams(`?${raw}`);
        expect(ours.name).toBe(theirs.get('name') ?? undefined);
        expect(ours.t ?? []).toEqual(theirs.getAll('t'));
      }),
      { numRuns: 3000 },
    );
  });

  test('that says nothing is printed as nothing', () => {
    expect(printQuery(read(''), shapes)).toBe('');
    expect(printQuery(read('&&'), shapes)).toBe('');
    expect(printQuery(read('limit=&filters=&buildargs='), shapes)).toBe('');
  });

  test("is printed in the table's order, whatever the client's order was", () => {
    expect(printQuery(read('t=b&force=yes&name=a&t=a'), shapes)).toBe('?name=a&force=1&t=b&t=a');
  });

  test('has escaped keys read as what they mean', () => {
    expect(read('%6eame=a')).toEqual({ name: 'a' });
    expect(refusalOf('%6eame=a&name=b').place).toBe('query.name');
  });

  test('has a plus sign for a space', () => {
    expect(read('name=a+b%2Bc')).toEqual({ name: 'a b+c' });
    expect(printQuery(read('name=a+b%2Bc'), shapes)).toBe('?name=a%20b%2Bc');
  });

  test('drops the keys that the table does not know, other spellings too', () => {
    expect(readQuery('Name=a&x=1&name_=b', shapes)).toEqual({
      values: {},
      dropped: ['Name', 'x', 'name_'],
      unknown: [],
    });
    expect(printQuery(read('x=1&__proto__=2&constructor=3&toString=4'), shapes)).toBe('');
  });

  test.each([
    ['a key that stands twice', 'name=a&name=b', 'query.name'],
    ['a key that stands twice with the same value', 'name=a&name=a', 'query.name'],
    ['doubled filters', 'filters={}&filters={}', 'query.filters'],
    ['a semicolon', 'name=a;force=1', 'query'],
    ['a semicolon in what is dropped', 'x=a;name=b', 'query'],
    ['a percent sign without digits', 'name=%', 'query'],
    ['a percent sign with wrong digits', 'name=%g1', 'query'],
    ['a byte that is not UTF-8', 'name=%ff', 'query'],
    ['an escaped half of a surrogate pair', 'name=%ed%a0%80', 'query'],
    ['an escaped NUL', 'name=a%00b', 'query'],
    ['an escaped NUL in a key', 'name%00=a', 'query'],
    ['a character that is not ASCII and not escaped', 'name=\u00e9', 'query'],
    ['a number with a unit', 'limit=5m', 'query.limit'],
    ['a fraction', 'limit=1.5', 'query.limit'],
    ['a hexadecimal number', 'limit=0x10', 'query.limit'],
    ['a number beside space', 'limit=+5+', 'query.limit'],
    ['a number over 64 bits', 'limit=9223372036854775808', 'query.limit'],
    ['a number under 64 bits', 'limit=-9223372036854775809', 'query.limit'],
    ['filters that are a list', 'filters=[]', 'query.filters'],
    ['filters that are not JSON', 'filters=label', 'query.filters'],
    ['filters with a doubled key', 'filters={"label":["a"],"label":["b"]}', 'query.filters'],
    ['a filter that is set to false', 'filters={"label":{"a":false}}', 'query.filters.label'],
    ['a filter that is a text', 'filters={"label":"a"}', 'query.filters.label'],
    ['a filter value that is no text', 'filters={"label":[true]}', 'query.filters.label'],
    ['filters with something behind them', 'filters={}{}', 'query.filters'],
    ['an embedded document of another type', 'buildargs=[]', 'query.buildargs'],
    ['an embedded value of another type', 'buildargs={"a":1}', 'query.buildargs.a'],
    ['a case variant in an embedded document', 'outputs=[{"type":"tar"}]', 'query.outputs[0].type'],
    ['an embedded document that is too deep', `anything=${'['.repeat(17)}${']'.repeat(17)}`, 'query.anything'],
  ])('with %s is refused', (_, raw, place) => {
    const refusal = refusalOf(raw);
    expect(refusal).toMatchObject({ code: 'unreadable-query', status: 400 });
    expect(refusal.place?.startsWith(place)).toBe(true);
  });
});

describe("a truth value is Go's", () => {
  test.each(['', '0', 'no', 'false', 'none', 'False', ' NO ', '\tnone\n'])('%j is false', (said) => {
    expect(isTrue(said)).toBe(false);
  });

  test.each(
    ['1', 'true', 'yes', 'on', 'off', 'n', 'f', '00', '-0', 'nein', 'null', ' ', 'fal\u017fe'].filter(
      (said) => said !== ' ',
    ),
  )('%j is true', (said) => {
    expect(isTrue(said)).toBe(true);
  });

  test('with the spaces that Go trims, and no others', () => {
    expect(isTrue('\u00850')).toBe(false);
    expect(isTrue('\u20030\u00a0')).toBe(false);
    expect(isTrue('\ufeff0')).toBe(true);
  });

  test('that is empty stays so where engines differ in what it means', () => {
    const pausing = { pause: emptyMeans('true for some engines', bool()) };
    expect(printQuery(readQuery('pause=', pausing).values, pausing)).toBe('?pause=');
    expect(printQuery(readQuery('pause=0', pausing).values, pausing)).toBe('?pause=0');
  });

  test('is printed in one spelling', () => {
    expect(printQuery(read('force=yes'), shapes)).toBe('?force=1');
    expect(printQuery(read('force=none'), shapes)).toBe('?force=0');
    expect(printQuery(read('force'), shapes)).toBe('?force=0');
  });
});

describe('a whole number', () => {
  test('is carried with all of its digits', () => {
    expect(read('limit=9223372036854775807')).toEqual({ limit: '9223372036854775807' });
    expect(read('limit=-9223372036854775808')).toEqual({ limit: '-9223372036854775808' });
    expect(read('limit=%2B5')).toEqual({ limit: '5' });
  });
});

describe('filters', () => {
  test('mean the same as lists and as maps', () => {
    const asList = read('filters={"label":["a=1","b"],"name":[]}');
    const asMap = read('filters={"label":{"a=1":true,"b":true},"name":{}}');
    expect(plain(asList)).toEqual({ filters: { label: ['a=1', 'b'], name: [] } });
    expect(plain(asMap)).toEqual(plain(asList));
    expect(decodeURIComponent(printQuery(asList, shapes))).toBe('?filters={"label":{"a=1":true,"b":true},"name":{}}');
  });

  test('that the table does not know are kept: the engine refuses them by name', () => {
    expect(plain(read('filters={"nonsense":["a"]}'))).toEqual({ filters: { nonsense: ['a'] } });
  });

  test('that are null say nothing', () => {
    expect(plain(read('filters=null'))).toEqual({ filters: {} });
    expect(plain(read('filters={"label":null}'))).toEqual({ filters: { label: [] } });
  });

  test('have the names of every object for names like any other', () => {
    const given = read('filters={"__proto__":["constructor"]}');
    expect(decodeURIComponent(printQuery(given, shapes))).toBe('?filters={"__proto__":{"constructor":true}}');
  });
});

describe('an embedded document', () => {
  test('is printed from its values', () => {
    expect(decodeURIComponent(printQuery(read('buildargs=%7B%22a%22%3A+null%7D'), shapes))).toBe(
      '?buildargs={"a":null}',
    );
  });

  test('tells apart what the table does not know', () => {
    const { unknown } = readQuery('outputs=[{"Type":"tar","Dest":"/etc"}]', shapes);
    expect(unknown).toEqual([{ place: 'query.outputs[0].Dest', value: '/etc' }]);
  });
});

/** Filters and maps have no order. */
function sorted(given: unknown): unknown {
  if (Array.isArray(given)) return given.map(sorted);
  if (typeof given !== 'object' || given === null) return given;
  const entries = Object.entries(given).map(([key, value]) => [key, sorted(value)] as const);
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}
