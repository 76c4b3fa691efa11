/** A shape as rows of a table for people: one row a place, with its type, versions and marks in words. */

import { describeMark, type Mark } from './marks.ts';
import type { MapShape, ObjectShape, Shape, TextShape } from './shape.ts';

export interface Row {
  readonly place: string;
  readonly type: string;
  readonly versions: string;
  readonly meaning: string;
}

/** Where the fields of an object were told already on the same page, and what is telling now. */
export interface Told {
  readonly fields: Map<ObjectShape['fields'], string>;
  readonly where: string;
}

/** Objects with fewer fields are told again rather than looked up elsewhere. */
const FEW = 5;

export function rowsOf(shape: Shape, place: string, told: Told): readonly Row[] {
  switch (shape.kind) {
    case 'object':
      return objectRows(shape, place, told);
    case 'list': {
      const [first, ...more] = rowsOf(shape.of, `${place}[]`, told);
      const type = shape.orOne === true ? 'list, or one alone' : 'list';
      if (first === undefined || first.place !== `${place}[]`) {
        return [row(shape, place, type), ...(first ? [first] : []), ...more];
      }
      const own = row(shape, place, type);
      const joined = { ...own, type: `${type} of ${first.type}`, meaning: join([own.meaning, first.meaning]) };
      return [joined, ...more];
    }
    case 'map':
      return mapRows(shape, place, told);
    case 'filters':
      return [
        row(shape, place, 'filters'),
        ...Object.entries(shape.keys).flatMap(([key, value]) => rowsOf(value, `${place}{${key}}`, told)),
      ];
    case 'embedded': {
      const encoding = shape.encoding === 'json' ? 'JSON in a text' : 'JSON in base64url';
      return [row(shape, place, encoding), ...rowsOf(shape.of, place, told).filter((inner) => inner.place !== place)];
    }
    default:
      return [row(shape, place, shape.kind)];
  }
}

function objectRows(shape: ObjectShape, place: string, told: Told): readonly Row[] {
  const inside = place === '' ? '' : `${place}.`;
  const own = row(shape, place, 'object');
  const before = told.fields.get(shape.fields);
  if (before !== undefined) return [{ ...own, meaning: join([own.meaning, `fields as in ${before}`]) }];
  if (Object.keys(shape.fields).length > FEW) {
    told.fields.set(shape.fields, place === '' ? `the ${told.where}` : `${code(place)} of the ${told.where}`);
  }
  return [
    ...(place === '' ? [] : [own]),
    ...Object.entries(shape.fields).flatMap(([name, field]) => rowsOf(field, inside + name, told)),
    ...Object.entries(shape.varies?.cases ?? {}).flatMap(([word, fields]) =>
      Object.entries(fields)
        .filter(([name, field]) => shape.fields[name] !== field)
        .flatMap(([name, field]) => rowsOf(field, `${inside}${name} (${shape.varies?.by} ${word})`, told)),
    ),
  ];
}

function mapRows(shape: MapShape, place: string, told: Told): readonly Row[] {
  const keys = describe(shape.key);
  const own = row(shape, place, 'map');
  const about = { ...own, meaning: join([own.meaning, keys && `keys: ${keys}`]) };
  return [
    about,
    ...Object.entries(shape.known ?? {}).flatMap(([key, value]) => rowsOf(value, `${place}{${key}}`, told)),
    ...Object.entries(shape.families ?? {}).flatMap(([prefix, { known = {}, of }]) =>
      Object.entries({ ...known, '*': of }).flatMap(([key, value]) => rowsOf(value, `${place}{${prefix}${key}}`, told)),
    ),
    ...rowsOf(shape.of, `${place}{*}`, told),
  ];
}

function row(shape: Shape, place: string, type: string): Row {
  return { place, type, versions: versionsOf(shape), meaning: describe(shape) };
}

export function versionsOf({ since, until }: Pick<Shape, 'since' | 'until'>): string {
  if (since !== undefined && until !== undefined) return `${since} to ${until}`;
  if (since !== undefined) return `from ${since}`;
  return until === undefined ? '' : `up to ${until}`;
}

/** Everything that a shape says of itself, in words. */
function describe(shape: Shape): string {
  const words = shape.kind === 'text' ? languageOf(shape) : [];
  const grammar = shape.kind === 'text' ? (shape.grammar?.marks ?? []) : [];
  return join([
    inWords([...shape.marks, ...grammar]),
    ...words,
    shape.neutral && `means nothing more: ${shape.neutral.map((value) => code(String(value))).join(', ')}`,
    shape.emptyMeans && `empty: ${shape.emptyMeans}`,
  ]);
}

function languageOf({ grammar, values }: TextShape): readonly string[] {
  return [
    ...(grammar ? [`written ${code(grammar.form)}`] : []),
    ...(values ? [`one of ${values.map((value) => code(value || '""')).join(', ')}`] : []),
  ];
}

function inWords(marks: readonly Mark[]): string {
  return [...new Set(marks.map(describeMark))].join('; ');
}

function join(sentences: readonly (string | undefined)[]): string {
  return sentences.filter((sentence) => sentence !== undefined && sentence !== '').join('. ');
}

export function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}
