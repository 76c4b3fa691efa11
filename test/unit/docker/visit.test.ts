import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostPath, labels, type Mark, makes, own, privilege, uses } from '../../../src/docker/marks.ts';
import {
  bool,
  embedded,
  filters,
  type Grammar,
  int,
  known,
  language,
  list,
  map,
  object,
  oneOrMore,
  type Shape,
  text,
  varying,
} from '../../../src/docker/shape.ts';
import { visit } from '../../../src/docker/visit.ts';
import { type Json, readJsonText } from '../../../src/ground/json.ts';

const bind: Grammar = {
  name: 'bind',
  form: 'SOURCE:TARGET',
  marks: [own, uses('volume'), hostPath('write')],
  split(whole) {
    const at = whole.indexOf(':');
    if (at < 0) return null;
    const source = whole.slice(0, at);
    return [
      { text: source, marks: [source.startsWith('/') ? hostPath('write') : uses('volume')] },
      { text: ':', marks: [] },
      { text: whole.slice(at + 1), marks: [own] },
    ];
  },
};

const shape = object({
  Name: text(makes('container')),
  Plain: text(),
  Cmd: oneOrMore(text(own)),
  Labels: map(text(), text(), labels),
  Networks: map(object({ Id: text(uses('network', 'id')) }), text(uses('network', 'name'))),
  Privileged: bool(privilege('root', 'everything')),
  Memory: int(own),
  Binds: list(language(bind)),
  Weighty: language(bind, privilege('driver', 'as a whole')),
  Mounts: list(
    varying(object({ Type: text(own), Source: text() }), 'Type', {
      bind: { Source: text(hostPath('write')) },
      volume: { Source: text(uses('volume', 'name')) },
    }),
  ),
  Options: known(map(text(privilege('driver', 'unknown')), text(own)), { size: text(own) }),
  Filters: filters({ name: text(uses('container', 'pattern')), label: text(labels) }),
  Embedded: embedded(map(text(uses('image')))),
});

function read(written: string): Json {
  return readJsonText(written, 32);
}

function seen(written: string, of: Shape = shape): readonly string[] {
  const places: string[] = [];
  visit(of, read(written), ({ place, value, marks }) => {
    places.push(`${place} ${JSON.stringify(value)} ${marks.map(word).join('+')}`);
    return value;
  });
  return places;
}

function word(mark: Mark): string {
  return 'kind' in mark ? `${mark.mark} ${mark.kind}` : mark.mark;
}

function renamed(written: string, of: Shape = shape): unknown {
  const changed = visit(of, read(written), ({ value, marks }) =>
    marks.some((mark) => mark.mark === 'uses' || mark.mark === 'makes') ? `alice.${value}` : value,
  );
  return JSON.parse(JSON.stringify(changed));
}

describe('a visitor', () => {
  test('sees every marked leaf with its place, and no other', () => {
    expect(seen('{"Name":"web","Plain":"x","Privileged":false,"Memory":5,"Unknown":"y"}')).toEqual([
      'Name "web" makes container',
      'Privileged false privilege',
      'Memory 5 own',
    ]);
  });

  test('sees the parts of a text with a language of its own', () => {
    expect(seen('{"Binds":["/a:/b","vol:/c"]}')).toEqual([
      'Binds[0] "/a" host-path',
      'Binds[0] "/b" own',
      'Binds[1] "vol" uses volume',
      'Binds[1] "/c" own',
    ]);
  });

  test('sees a text that is not of its language whole, with all that it could mean', () => {
    expect(seen('{"Binds":["nonsense"]}')).toEqual(['Binds[0] "nonsense" own+uses volume+host-path']);
  });

  test('sees a text with marks of its own whole, and then its parts', () => {
    expect(seen('{"Weighty":"v:/c"}')).toEqual([
      'Weighty "v:/c" privilege',
      'Weighty "v" uses volume',
      'Weighty "/c" own',
    ]);
  });

  test('sees a map that is marked whole, and the keys and values that are', () => {
    expect(seen('{"Labels":{"a":"b"},"Networks":{"net":{"Id":"0a"}}}')).toEqual([
      'Labels {"a":"b"} labels',
      'Networks.net "net" uses network',
      'Networks.net.Id "0a" uses network',
    ]);
  });

  test('sees known keys of a map as what they are, others as what nobody has thought about', () => {
    expect(seen('{"Options":{"size":"1","device":"/"}}')).toEqual([
      'Options.size "size" own',
      'Options.size "1" own',
      'Options.device "device" own',
      'Options.device "/" privilege',
    ]);
  });

  test('sees fields as the object says that they are meant', () => {
    expect(
      seen('{"Mounts":[{"Type":"bind","Source":"/"},{"Source":"v","Type":"volume"},{"Type":"x","Source":"y"}]}'),
    ).toEqual([
      'Mounts[0].Type "bind" own',
      'Mounts[0].Source "/" host-path',
      'Mounts[1].Source "v" uses volume',
      'Mounts[1].Type "volume" own',
      'Mounts[2].Type "x" own',
    ]);
  });

  test('sees the values of filters', () => {
    expect(seen('{"Filters":{"name":["a","b"],"unknown":["c"],"label":[]}}')).toEqual([
      'Filters.name[0] "a" uses container',
      'Filters.name[1] "b" uses container',
    ]);
  });

  test('sees the single element that stands for a list', () => {
    expect(seen('{"Cmd":"true"}')).toEqual(['Cmd "true" own']);
  });

  test('sees nothing of null, and nothing of what has another type', () => {
    const nulls = Object.keys(shape.fields).map((name) => `"${name}":null`);
    expect(seen(`{${nulls.join(',')}}`)).toEqual([]);
    expect(seen('null')).toEqual([]);
  });

  test('sees places behind the root that is given', () => {
    const places: string[] = [];
    visit(
      list(text(own)),
      ['a'],
      ({ place, value }) => {
        places.push(place);
        return value;
      },
      'query.t',
    );
    expect(places).toEqual(['query.t[0]']);
  });
});

describe('what a visitor puts in the place of a value', () => {
  test('stands there afterwards, also in keys, parts, filters and embedded documents', () => {
    expect(
      renamed(
        '{"Name":"web","Binds":["vol:/c","/h:/c"],"Networks":{"net":{"Id":"1"},"other":{}},"Filters":{"name":["a"]},' +
          '"Embedded":"{\\"x\\":\\"img\\"}","Mounts":[{"Type":"volume","Source":"v"}],"Unknown":[1]}',
      ),
    ).toEqual({
      Name: 'alice.web',
      Binds: ['alice.vol:/c', '/h:/c'],
      Networks: { 'alice.net': { Id: 'alice.1' }, 'alice.other': {} },
      Filters: { name: ['alice.a'] },
      Embedded: '{"x":"alice.img"}',
      Mounts: [{ Type: 'volume', Source: 'alice.v' }],
      Unknown: [1],
    });
  });

  test('leaves the value that was visited as it was', () => {
    const value = read('{"Name":"web","Networks":{"net":{}},"Binds":["v:/c"]}');
    const before = JSON.stringify(value);
    visit(shape, value, () => 'other');
    expect(JSON.stringify(value)).toBe(before);
  });

  test('changes nothing else: branches without a change are the same objects', () => {
    const value = read('{"Name":"web","Binds":["/h:/c"],"Mounts":[{"Type":"bind"}],"Networks":{"n":{}}}') as Record<
      string,
      Json
    >;
    expect(visit(shape, value, (leaf) => leaf.value)).toBe(value);
    const changed = visit(shape, value, (leaf) => (leaf.place === 'Name' ? 'x' : leaf.value)) as Record<string, Json>;
    expect(changed).not.toBe(value);
    expect(changed.Binds).toBe(value.Binds);
    expect(changed.Networks).toBe(value.Networks);
  });

  test('may be a key such as __proto__ without harm', () => {
    const changed = visit(shape, read('{"Networks":{"n":{"Id":"1"}}}'), ({ value }) =>
      value === 'n' ? '__proto__' : value,
    );
    expect(Object.keys((changed as { Networks: object }).Networks)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf((changed as { Networks: object }).Networks)).toBeNull();
  });

  test('is the same value again when the visitor gives back what it was given', () => {
    const leafs = fc.jsonValue({ maxDepth: 3 });
    // Who reads filters makes lists of all that may stand there.
    const filters = fc.dictionary(fc.constantFrom('name', 'label', 'unknown'), fc.array(fc.string()));
    const valuesOf = (name: string): fc.Arbitrary<unknown> => (name === 'Filters' ? filters : leafs);
    const fields = fc.record(Object.fromEntries(Object.keys(shape.fields).map((name) => [name, valuesOf(name)])), {
      requiredKeys: [],
    });
    fc.assert(
      fc.property(fields, (given) => {
        const { Embedded: _, ...rest } = given;
        const value = readJsonText(JSON.stringify(rest), 32);
        expect(visit(shape, value, (leaf) => leaf.value)).toBe(value);
      }),
    );
  });
});
