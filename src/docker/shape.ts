/**
 * Shapes: small trees that describe the values of the API. Their leaves carry marks; strings with a language of their
 * own carry a grammar. Everything that the proxy knows of a field hangs here.
 */

import type { Mark } from './marks.ts';

/** A version of the API, `1.24`. */
export type ApiVersion = `1.${number}`;

/** A stretch of a text: the texts of all parts, joined, are the whole text again. */
export interface Part {
  readonly text: string;
  /** What the stretch means; none for separators and the like. */
  readonly marks: readonly Mark[];
}

/** A string with a language of its own (`src:dst:ro`). */
export interface Grammar {
  readonly name: string;
  /** One line on how it is written, for the reference pages. */
  readonly form: string;
  /** Every mark that a part can carry. */
  readonly marks: readonly Mark[];
  /** Spellings of what reaches further than the thing itself, for whoever must refuse every one of them. */
  readonly dangerous?: readonly string[];
  /** One spelling for all that mean the same. */
  readonly canonical?: (text: string) => string;
  /** Splits a text; null when the text is not of this language. */
  readonly split: (text: string) => readonly Part[] | null;
}

/** What every node of a shape can carry. */
interface Facts {
  readonly marks: readonly Mark[];
  /** A query parameter that a widespread client says twice: the engine goes by the first. */
  readonly firstCounts?: true;
  /** Values beside null, 0, "", false, [] and {} that mean the same as leaving the field out. */
  readonly neutral?: readonly (string | number | boolean)[];
  /** Values that look neutral and are not: an empty list of masked paths unmasks everything. */
  readonly emptyMeans?: string;
  readonly since?: ApiVersion;
  readonly until?: ApiVersion;
}

export interface TextShape extends Facts {
  readonly kind: 'text';
  readonly grammar?: Grammar;
  readonly values?: readonly string[];
}
export interface BoolShape extends Facts {
  readonly kind: 'bool';
}
export interface IntShape extends Facts {
  readonly kind: 'int';
}
export interface NumberShape extends Facts {
  readonly kind: 'number';
}
/** A value that is carried as it is: nothing in it means anything to a proxy, or everything is refused as a whole. */
export interface AnyShape extends Facts {
  readonly kind: 'any';
}
export interface ListShape extends Facts {
  readonly kind: 'list';
  readonly of: Shape;
  /** The engine also takes a single element where the list is expected. */
  readonly orOne?: boolean;
}
export interface MapShape extends Facts {
  readonly kind: 'map';
  readonly of: Shape;
  /** What the keys mean. */
  readonly key: TextShape;
  /** What the values of certain keys are; those of all others are `of`. */
  readonly known?: Readonly<Record<string, Shape>>;
  /** What the keys that begin so are: the map is asked for the rest of the key (`build-arg:HTTP_PROXY`). */
  readonly families?: Readonly<Record<string, MapShape>>;
}
export interface ObjectShape extends Facts {
  readonly kind: 'object';
  readonly fields: Readonly<Record<string, Shape>>;
  /** Other spellings that widespread clients use and the engine takes, with the field that is meant. */
  readonly spellings?: Readonly<Record<string, string>>;
  /** Of a message of BuildKit's protocol: the number of each field. */
  readonly numbers?: Readonly<Record<string, number>>;
  /** What the fields mean where the text field `by` says so: the same names, other marks. */
  readonly varies?: {
    readonly by: string;
    readonly cases: Readonly<Record<string, Readonly<Record<string, Shape>>>>;
  };
}
/** The `filters` language: keys with what their values mean. */
export interface FiltersShape extends Facts {
  readonly kind: 'filters';
  readonly keys: Readonly<Record<string, TextShape>>;
}
/** A text that is JSON of another shape (build arguments in a query, credentials in a header). */
export interface EmbeddedShape extends Facts {
  readonly kind: 'embedded';
  readonly encoding: 'json' | 'base64url-json';
  readonly of: Shape;
}

export type Shape =
  | TextShape
  | BoolShape
  | IntShape
  | NumberShape
  | AnyShape
  | ListShape
  | MapShape
  | ObjectShape
  | FiltersShape
  | EmbeddedShape;

export function text(...marks: readonly Mark[]): TextShape {
  return { kind: 'text', marks };
}

/** One of a closed list of words; others are the engine's to refuse. */
export function word(values: readonly string[], ...marks: readonly Mark[]): TextShape {
  return { kind: 'text', marks, values };
}

export function language(grammar: Grammar, ...marks: readonly Mark[]): TextShape {
  return { kind: 'text', marks, grammar };
}

export function bool(...marks: readonly Mark[]): BoolShape {
  return { kind: 'bool', marks };
}

/** A 64-bit integer. */
export function int(...marks: readonly Mark[]): IntShape {
  return { kind: 'int', marks };
}

export function number(...marks: readonly Mark[]): NumberShape {
  return { kind: 'number', marks };
}

export function any(...marks: readonly Mark[]): AnyShape {
  return { kind: 'any', marks };
}

export function list<S extends Shape>(of: S, ...marks: readonly Mark[]): ListShape & { readonly of: S } {
  return { kind: 'list', of, marks };
}

/** A list that may also be written as its single element (`Cmd: "true"`). */
export function oneOrMore<S extends Shape>(of: S, ...marks: readonly Mark[]): ListShape & { readonly of: S } {
  return { kind: 'list', of, marks, orOne: true };
}

export function map<S extends Shape>(
  of: S,
  key: TextShape = text(),
  ...marks: readonly Mark[]
): MapShape & { readonly of: S } {
  return { kind: 'map', of, key, marks };
}

export function object<F extends Readonly<Record<string, Shape>>>(
  fields: F,
  ...marks: readonly Mark[]
): ObjectShape & { readonly fields: F } {
  return { kind: 'object', fields, marks };
}

/** A message of BuildKit's protocol: its fields with their numbers. `any` stands for bytes, and for what is not read. */
export function message(fields: Readonly<Record<string, readonly [number, Shape]>>): ObjectShape {
  const shapes = Object.entries(fields).map(([name, [, shape]]) => [name, shape] as const);
  const numbers = Object.entries(fields).map(([name, [number]]) => [name, number] as const);
  return { kind: 'object', fields: Object.fromEntries(shapes), numbers: Object.fromEntries(numbers), marks: [] };
}

/** A map some of whose keys have a meaning of their own; `shape.of` is for those that nobody has thought about. */
export function known<M extends MapShape>(shape: M, keys: Readonly<Record<string, Shape>>): M {
  return { ...shape, known: keys };
}

/** A map whose keys are of several families, each with a prefix that ends in a colon. */
export function withFamilies<M extends MapShape>(shape: M, families: Readonly<Record<`${string}:`, MapShape>>): M {
  return { ...shape, families };
}

/** An object some of whose fields mean other things, depending on what the field `by` says. */
export function varying<O extends ObjectShape>(
  shape: O,
  by: string,
  cases: Readonly<Record<string, Readonly<Record<string, Shape>>>>,
): O {
  const merged = Object.entries(cases).map(([word, fields]) => [word, { ...shape.fields, ...fields }] as const);
  return { ...shape, varies: { by, cases: Object.fromEntries(merged) } };
}

/** The fields of an object as they are meant in this value: what every walker goes by. */
export function fieldsOf(
  shape: ObjectShape,
  value: Readonly<Record<string, unknown>>,
): Readonly<Record<string, Shape>> {
  if (shape.varies === undefined) return shape.fields;
  const word = value[shape.varies.by];
  const { cases } = shape.varies;
  return typeof word === 'string' && Object.hasOwn(cases, word) ? (cases[word] ?? shape.fields) : shape.fields;
}

/** The shape of a map's value under this key: what every walker goes by. */
export function elementOf(shape: MapShape, key: string): Shape {
  if (shape.known !== undefined && Object.hasOwn(shape.known, key)) return shape.known[key] ?? shape.of;
  const family = key.slice(0, key.indexOf(':') + 1);
  const of = shape.families !== undefined && Object.hasOwn(shape.families, family) ? shape.families[family] : undefined;
  return of === undefined ? shape.of : elementOf(of, key.slice(family.length));
}

export function filters(keys: Readonly<Record<string, TextShape>>): FiltersShape {
  return { kind: 'filters', keys, marks: [] };
}

export function embedded<S extends Shape>(of: S, encoding: 'json' | 'base64url-json' = 'json'): EmbeddedShape {
  return { kind: 'embedded', encoding, of, marks: [] };
}

export function since<S extends Shape>(version: ApiVersion, shape: S): S {
  return { ...shape, since: version };
}

/** `until` is the last version that has the field. */
export function until<S extends Shape>(version: ApiVersion, shape: S): S {
  return { ...shape, until: version };
}

/** Values that mean the same as leaving the field out, beside the empty ones. */
export function neutral<S extends Shape>(shape: S, ...values: readonly (string | number | boolean)[]): S {
  return { ...shape, neutral: values };
}

/** For fields whose empty list or map is a wish of its own; `meaning` says which. */
export function emptyMeans<S extends Shape>(meaning: string, shape: S): S {
  return { ...shape, emptyMeans: meaning };
}

/** For objects of which widespread clients spell a field otherwise; it is read, and printed as the engine has it. */
export function alsoSpelled<S extends ObjectShape>(spellings: Readonly<Record<string, string>>, shape: S): S {
  return { ...shape, spellings };
}

/** For parameters that a widespread client says twice. */
export function firstCounts<S extends Shape>(shape: S): S {
  return { ...shape, firstCounts: true };
}

/** Adds marks to a shape that stands in several places and means more in this one. */
export function marked<S extends Shape>(shape: S, ...marks: readonly Mark[]): S {
  return { ...shape, marks: [...shape.marks, ...marks] };
}
