import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { foldKey, readAs } from '../../../src/docker/read.ts';
import {
  any,
  bool,
  embedded,
  filters,
  int,
  known,
  list,
  map,
  number,
  object,
  oneOrMore,
  type Shape,
  text,
  varying,
} from '../../../src/docker/shape.ts';
import { readJsonText } from '../../../src/ground/json.ts';
import { Refusal } from '../../../src/ground/refusal.ts';

const host = object({
  Privileged: bool(),
  Binds: list(text()),
  NetworkMode: text(),
  Memory: int(),
  CpuPercent: number(),
  Sysctls: map(text()),
  Anything: any(),
});
const container = object({
  Image: text(),
  Cmd: oneOrMore(text()),
  Labels: map(text()),
  Bound: map(object({ HostPort: text() })),
  Told: known(map(text()), { count: int() }),
  HostConfig: host,
  Mounts: list(varying(object({ Type: text(), Source: text() }), 'Type', { bind: { Source: text() } })),
  ' Parents': list(text()),
  embedded: embedded(object({})),
  filters: filters({}),
});

function read(written: string, shape: Shape = container) {
  return readAs(shape, readJsonText(written, 64));
}

function refusalOf(written: string, shape: Shape = container): Refusal {
  try {
    read(written, shape);
  } catch (fault) {
    if (fault instanceof Refusal) return fault;
    throw fault;
  }
  throw new Error(`was read: ${written}`);
}

describe('a value that has its shape', () => {
  test('is given back as it is, with nothing unknown', () => {
    const { value, unknown } = read(
      '{"Image":"a","Cmd":["b"],"Labels":{"x":"y"},"HostConfig":{"Privileged":false,"Memory":9223372036854775807,' +
        '"CpuPercent":0.5},"Mounts":[{"Type":"bind","Source":"/"}]," Parents":[]}',
    );
    expect(unknown).toEqual([]);
    expect(Object.keys(value as object)).toEqual(['Image', 'Cmd', 'Labels', 'HostConfig', 'Mounts', ' Parents']);
  });

  test('may be null everywhere: Go leaves the field as it was', () => {
    expect(read('null').unknown).toEqual([]);
    const fields = Object.keys(container.fields).map((name) => `${JSON.stringify(name)}:null`);
    expect(
      read(`{${fields.join(',')},"HostConfig":{"Binds":[null],"Sysctls":{"a":null}}}`.replace('"HostConfig":null,', ''))
        .unknown,
    ).toEqual([]);
  });

  test('may be a single element where the engine takes one for a list', () => {
    expect(read('{"Cmd":"true"}').unknown).toEqual([]);
    expect(refusalOf('{"HostConfig":{"Binds":"/:/"}}')).toMatchObject({ place: 'HostConfig.Binds' });
  });
});

describe('a key of an object with fixed fields', () => {
  test.each([
    ['in another case', '{"HostConfig":{"privileged":true}}', 'HostConfig.privileged', 'Privileged'],
    ['in capitals', '{"HostConfig":{"BINDS":[]}}', 'HostConfig.BINDS', 'Binds'],
    ['with a long s', '{"HostConfig":{"Bind\u017f":["/:/h"]}}', 'HostConfig["Bind\u017f"]', 'Binds'],
    ['with a long s that is escaped', '{"HostConfig":{"Bind\\u017f":["/:/h"]}}', 'HostConfig["Bind\u017f"]', 'Binds'],
    [
      'with a Kelvin sign',
      '{"HostConfig":{"Networ\u212aMode":"host"}}',
      'HostConfig["Networ\u212aMode"]',
      'NetworkMode',
    ],
    [
      'beside the true one',
      '{"HostConfig":{"Privileged":false,"PRIVILEGED":true}}',
      'HostConfig.PRIVILEGED',
      'Privileged',
    ],
    ['set to nothing', '{"hostconfig":null}', 'hostconfig', 'HostConfig'],
    ['in a list', '{"Mounts":[{"Type":"bind","source":"/"}]}', 'Mounts[0].source', 'Source'],
    ['in a map of objects', '{"Bound":{"80/tcp":{"hostport":"1"}}}', 'Bound["80/tcp"].hostport', 'HostPort'],
  ])('that is written %s is refused with its place', (_, written, place, meant) => {
    expect(refusalOf(written)).toMatchObject({
      code: 'unreadable-body',
      status: 400,
      place,
      message: `the engine reads this key as ${meant}: write it so`,
    });
  });

  test('that the table does not know is told apart, with its place and value', () => {
    expect(read('{"New":1,"HostConfig":{"Newer":{"a":[]}},"Mounts":[{"Type":"bind","Newest":null}]}').unknown).toEqual([
      { place: 'New', value: 1 },
      { place: 'HostConfig.Newer', value: { a: [] } },
      { place: 'Mounts[0].Newest', value: null },
    ]);
  });

  test('that the table does not know must not stand there in two spellings: the engine may know it', () => {
    expect(refusalOf('{"New":1,"NEW":2}')).toMatchObject({ place: 'NEW' });
    expect(refusalOf('{"tasks":1,"ta\u017fk\u017f":2}').message).toContain('could take two of the keys for one');
  });

  test('that every object of JavaScript has is unknown like any other', () => {
    expect(read('{"__proto__":{"Image":"x"},"constructor":1,"toString":2}').unknown.map(({ place }) => place)).toEqual([
      '__proto__',
      'constructor',
      'toString',
    ]);
  });

  test('is never taken for a field by Go alone', () => {
    const letters = fc.constantFrom(
      'P',
      'p',
      'r',
      'R',
      'i',
      'v',
      'I',
      '\u0131',
      '\u0130',
      'l',
      'e',
      'g',
      'E',
      'd',
      's',
      'S',
      '\u017f',
      'k',
      'K',
      '\u212a',
    );
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 6 }), fc.array(letters, { maxLength: 6 }), (a, b) => {
        const [one, other] = [a.join(''), b.join('')];
        // JavaScript's `iu` compares by simple folding too, with İ and ı left alone, as Go does.
        const same = new RegExp(`^${one}$`, 'iu').test(other);
        if (/^[ -~]*$/.test(one)) expect(foldKey(one) === foldKey(other)).toBe(same);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a key of a map', () => {
  test('is kept as it is, in every spelling', () => {
    const { value, unknown } = read('{"Labels":{"a":"1","A":"2","\u212a":"3","k":"4","__proto__":"5"}}');
    expect(unknown).toEqual([]);
    expect(Object.keys((value as { Labels: object }).Labels)).toEqual(['a', 'A', '\u212a', 'k', '__proto__']);
  });

  test('may say of what type its value is', () => {
    expect(read('{"Told":{"count":1,"Count":"x"}}').unknown).toEqual([]);
    expect(refusalOf('{"Told":{"count":"1"}}').place).toBe('Told.count');
  });
});

describe('a value of another type', () => {
  test.each([
    ['{"Image":1}', 'Image', 'a text is expected, not a number'],
    ['{"Image":["a"]}', 'Image', 'a text is expected, not a list'],
    ['{"HostConfig":{"Privileged":"false"}}', 'HostConfig.Privileged', 'true or false is expected, not a text'],
    ['{"HostConfig":{"Privileged":0}}', 'HostConfig.Privileged', 'true or false is expected, not a number'],
    ['{"HostConfig":[{"Privileged":true}]}', 'HostConfig', 'an object is expected, not a list'],
    ['{"HostConfig":7}', 'HostConfig', 'an object is expected, not a number'],
    ['{"HostConfig":9007199254740993}', 'HostConfig', 'an object is expected, not a number'],
    ['{"HostConfig":""}', 'HostConfig', 'an object is expected, not a text'],
    ['{"HostConfig":{"Binds":{"0":"/:/h"}}}', 'HostConfig.Binds', 'a list is expected, not an object'],
    ['{"HostConfig":{"Binds":["a",2]}}', 'HostConfig.Binds[1]', 'a text is expected, not a number'],
    ['{"HostConfig":{"Sysctls":["a"]}}', 'HostConfig.Sysctls', 'an object is expected, not a list'],
    ['{"HostConfig":{"Sysctls":{"a":true}}}', 'HostConfig.Sysctls.a', 'a text is expected, not true or false'],
    ['{"HostConfig":{"CpuPercent":"1"}}', 'HostConfig.CpuPercent', 'a number is expected, not a text'],
    ['{"Labels":{"a.b":1}}', 'Labels["a.b"]', 'a text is expected, not a number'],
    ['{"Cmd":{"0":"sh"}}', 'Cmd', 'a text is expected, not an object'],
    ['{"embedded":{}}', 'embedded', 'a text is expected, not an object'],
    ['[]', 'body', 'an object is expected, not a list'],
    ['"a"', 'body', 'an object is expected, not a text'],
  ])('such as %s is refused', (written, place, message) => {
    const refusal = refusalOf(written);
    expect(refusal).toMatchObject({ code: 'unreadable-body', message });
    expect(refusal.place).toBe(place);
  });

  test.each(['1.0', '1e3', '1.5', '18446744073709551616', '-9223372036854775809', '1e999'])(
    'such as %s is no whole number of 64 bits',
    (written) => {
      expect(refusalOf(`{"HostConfig":{"Memory":${written}}}`)).toMatchObject({ place: 'HostConfig.Memory' });
    },
  );

  test.each(['0', '-0', '9007199254740993', '-9223372036854775808', '9223372036854775807', '18446744073709551615'])(
    'is not %s, which keeps all of its digits',
    (written) => {
      expect(read(`{"HostConfig":{"Memory":${written}}}`).unknown).toEqual([]);
    },
  );

  test('has its place behind the root that was given', () => {
    const wrong = readJsonText('[1]', 8);
    expect(() => readAs(list(text()), wrong, 'query.names', 'unreadable-query')).toThrow(
      expect.objectContaining({ code: 'unreadable-query', place: 'query.names[0]' }),
    );
  });
});

describe('what is carried as it is', () => {
  test('may be anything, also with keys in several spellings', () => {
    expect(read('{"HostConfig":{"Anything":{"a":1,"A":[{"b":2}]}}}').unknown).toEqual([]);
  });
});
