import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isObject,
  type Json,
  JsonFault,
  Lexeme,
  placeOf,
  printJson,
  readJson,
  readJsonText,
} from '../../../src/ground/json.ts';

const DEPTH = 64;

function read(text: string): Json {
  return readJsonText(text, DEPTH);
}

function faultOf(text: string, depth = DEPTH): JsonFault {
  try {
    readJsonText(text, depth);
  } catch (fault) {
    if (fault instanceof JsonFault) return fault;
    throw fault;
  }
  throw new Error(`was read: ${text}`);
}

/** A value taken apart, so that keys such as `constructor` mean nothing to who compares. */
function parts(value: unknown): unknown {
  if (value instanceof Lexeme) return ['number as written', value.text];
  if (Array.isArray(value)) return ['list', ...value.map(parts)];
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? 0 : value;
  return ['object', ...Object.entries(value).map(([key, field]) => [key, parts(field)])];
}

/** The same of what JavaScript would make of our value: its numbers. */
function asJavaScript(value: Json): unknown {
  if (value instanceof Lexeme) return Number(value.text) || 0;
  if (Array.isArray(value)) return ['list', ...value.map((item) => asJavaScript(item as Json))];
  if (!isObject(value)) return value;
  return ['object', ...Object.entries(value).map(([key, field]) => [key, asJavaScript(field)])];
}

const wellFormed = fc.string({ unit: 'binary', maxLength: 12 });
const lexeme = fc
  .oneof(
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 70n }).map(String),
    fc.bigInt({ min: -(2n ** 70n), max: -(2n ** 53n) }).map(String),
    fc.constantFrom('-0', '0.0', '1.0', '-0.5', '1e3', '1E+3', '2.5e-7', '1e999'),
  )
  .map((text) => new Lexeme(text));
const json: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger().map((n) => (Object.is(n, -0) ? 0 : n)),
    lexeme,
    wellFormed,
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .dictionary(
        fc.oneof(wellFormed, fc.constantFrom('__proto__', 'constructor', 'toString', '1', '')),
        tie('value'),
        {
          maxKeys: 4,
          noNullPrototype: false,
        },
      )
      .map((fields) => Object.assign(Object.create(null), fields) as Json),
  ),
})).value;

describe('a JSON document', () => {
  test('that was printed is read back as it was', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(parts(read(printJson(value)))).toEqual(parts(value));
      }),
    );
  });

  test('that was printed by JavaScript is read as JavaScript reads it', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'binary' }), (text) => {
        expect(asJavaScript(read(text))).toEqual(parts(JSON.parse(text)));
      }),
    );
  });

  test('is read as JavaScript reads it, or refused, whatever its characters are', () => {
    const pieces = fc.constantFrom(
      ...['{', '}', '[', ']', ':', ',', '"', '"a"', '"b"', '"\\u0061"', '"\\ud800"', '\\', '1', '-', '.5', 'e3', '0'],
      ...[
        'true',
        'null',
        ' ',
        '\n',
        '\t',
        '\u00a0',
        '\ufeff',
        '//',
        '\u0000',
        'NaN',
        '+1',
        "'",
        '__proto__',
        '9007199254740993',
      ],
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (chosen) => {
        const text = chosen.join('');
        let ours: Json;
        try {
          ours = read(text);
        } catch (fault) {
          expect(fault).toBeInstanceOf(JsonFault);
          return;
        }
        expect(asJavaScript(ours)).toEqual(parts(JSON.parse(text)));
      }),
      { numRuns: 5000 },
    );
  });

  test('with space around and between its tokens is read', () => {
    expect(asJavaScript(read(' \t\r\n{ "a" : [ 1 , true , null ] } \n'))).toEqual(parts({ a: [1, true, null] }));
  });

  test.each([
    ['nothing', '', 'ends too early'],
    ['only space', ' \n', 'ends too early'],
    ['a byte order mark', '\ufeff{}', 'not a JSON value'],
    ['an unclosed object', '{"a":1', 'a comma or } must follow'],
    ['an unclosed list', '[1', 'a comma or ] must follow'],
    ['an unclosed text', '"a', 'does not end'],
    ['a trailing comma in an object', '{"a":1,}', 'a key must be a text'],
    ['a trailing comma in a list', '[1,]', 'not a JSON value'],
    ['a key without quotes', '{a:1}', 'a key must be a text'],
    ['single quotes', "{'a':1}", 'a key must be a text'],
    ['a missing colon', '{"a" 1}', 'a colon must follow'],
    ['a comment', '{}//', 'something follows'],
    ['a leading zero', '01', 'something follows'],
    ['a leading plus', '+1', 'not a JSON value'],
    ['a bare point', '.5', 'not a JSON value'],
    ['a point without digits', '1.', 'something follows'],
    ['NaN', 'NaN', 'not a JSON value'],
    ['Infinity', '-Infinity', 'not a JSON value'],
    ['a word that only begins like one', 'nul', 'not a JSON value'],
    ['a line break in a text', '"a\nb"', 'control character'],
    ['a line break behind an escape', '"\\t\n"', 'control character'],
    ['an unknown escape', '"\\x41"', 'unknown escape'],
    ['a short \\u escape', '"\\u41"', 'four hexadecimal digits'],
    ['space that is not of JSON', '\u00a01', 'not a JSON value'],
  ])('with %s is refused', (_, text, message) => {
    expect(faultOf(text).message).toContain(message);
  });

  test('with a second document behind it is refused', () => {
    expect(faultOf('{"Image":"a"}{"HostConfig":{"Privileged":true}}').message).toContain('something follows');
    expect(faultOf('{} null').message).toContain('something follows');
    expect(faultOf('{}\u0000').message).toContain('something follows');
  });

  test('that is not UTF-8 is refused', () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc0, 0xaf, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0xff, 0xfe, 0x7b, 0x00],
    ]) {
      expect(() => readJson(Uint8Array.from(bytes), DEPTH)).toThrow(JsonFault);
    }
    expect(() => readJson(new TextEncoder().encode('\ufeff{}'), DEPTH)).toThrow(JsonFault);
  });

  test('with half of a surrogate pair is refused, written out or escaped', () => {
    for (const text of ['"\ud800"', '"\\ud800"', '"\\ud800\\u0041"', '"\\udc00"', '{"\\ud800":1}']) {
      expect(faultOf(text).message).toContain('not well-formed');
    }
    expect(read('"\\ud83d\\ude00"')).toBe('😀');
  });
});

describe('keys', () => {
  test('that stand twice are refused, with their place, at every depth', () => {
    expect(faultOf('{"HostConfig":{"Privileged":true},"HostConfig":{}}')).toMatchObject({
      message: 'a key stands twice',
      place: 'HostConfig',
    });
    expect(faultOf('{"a":[{"b":1},{"b":1,"c":{"d":1,"d":2}}]}').place).toBe('a[1].c.d');
  });

  test('that are the same only after their escapes are decoded count as the same', () => {
    expect(faultOf('{"Privileged":false,"\\u0050rivileged":true}').message).toBe('a key stands twice');
    expect(Object.keys(read('{"\\u0050rivileged":true}') as object)).toEqual(['Privileged']);
  });

  test('such as __proto__ and constructor are keys like any other', () => {
    const value = read('{"__proto__":{"polluted":1},"constructor":2,"hasOwnProperty":3}') as Record<string, Json>;
    expect(Object.getPrototypeOf(value)).toBeNull();
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor', 'hasOwnProperty']);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(printJson(value)).toBe('{"__proto__":{"polluted":1},"constructor":2,"hasOwnProperty":3}');
    expect(faultOf('{"__proto__":1,"__proto__":2}').message).toBe('a key stands twice');
  });
});

describe('a number', () => {
  test('that JavaScript would change stays as it was written', () => {
    for (const text of [
      '9007199254740993',
      '-9007199254740993',
      '18446744073709551615',
      '9223372036854771712',
      '-0',
      '1.0',
      '1e3',
    ]) {
      expect(read(text)).toStrictEqual(new Lexeme(text));
      expect(printJson(read(text))).toBe(text);
    }
  });

  test('that is a safe integer is a number', () => {
    expect(read('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER);
    expect(read('[0,-1]')).toStrictEqual([0, -1]);
  });

  test('keeps every digit, whatever it is', () => {
    fc.assert(
      fc.property(fc.bigInt(), (n) => {
        expect(printJson(read(String(n)))).toBe(String(n));
      }),
    );
  });
});

describe('depth', () => {
  test('is limited, for lists and objects alike', () => {
    expect(read('[[[]]]')).toStrictEqual([[[]]]);
    expect(readJsonText('[[[]]]', 3)).toStrictEqual([[[]]]);
    expect(faultOf('[[[]]]', 2).message).toBe('nested deeper than 2');
    expect(faultOf('{"a":{"b":{}}}', 2)).toMatchObject({ message: 'nested deeper than 2', place: 'a.b' });
  });

  test('of 50,000 is refused and does not end the process', () => {
    expect(faultOf('['.repeat(50_000)).message).toBe('nested deeper than 64');
    expect(faultOf('{"a":'.repeat(50_000)).message).toBe('nested deeper than 64');
  });
});

test('how many values there may be is limited where the caller says so', () => {
  const of = (text: string): unknown => readJson(new TextEncoder().encode(text), DEPTH, 4);
  expect(of('{"a":[1,{}]}')).toEqual({ a: [1, {}] });
  for (const text of ['{"a":[1,2,3]}', '[[],[],[],[]]', '{"a":{"b":{"c":{"d":1}}}}'])
    expect(() => of(text)).toThrow('more than 4 values');
});

describe('a place', () => {
  test('is written as people write it', () => {
    expect(placeOf(['HostConfig', 'Binds', 2])).toBe('HostConfig.Binds[2]');
    expect(placeOf(['Labels', 'a.b', 'c d'])).toBe('Labels["a.b"]["c d"]');
    expect(placeOf([])).toBe('');
  });
});
