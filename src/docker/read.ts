/**
 * Reads a JSON value by its shape, as the engine's Go decoder would, and refuses where the two could differ. What the
 * shape does not know stays in the value and is told apart as unknown.
 */

import { isList, isObject, type Json, type JsonObject, Lexeme, placeOf } from '../ground/json.ts';
import { Refusal, type RefusalCode } from '../ground/refusal.ts';
import { elementOf, fieldsOf, type ObjectShape, type Shape } from './shape.ts';

/** A field that the table does not know, or that stands where its type does not belong. */
export interface Unknown {
  readonly place: string;
  readonly value: Json;
}

export interface ReadValue {
  readonly value: Json;
  readonly unknown: readonly Unknown[];
}

/** `root` stands before every place, e.g. `query.buildargs`; empty for bodies. @throws Refusal with `code` */
export function readAs(shape: Shape, value: Json, root = '', code: RefusalCode = 'unreadable-body'): ReadValue {
  const reader = new ShapeReader(root, code);
  reader.read(shape, value);
  return { value, unknown: reader.unknown };
}

/**
 * Folds a key as Go's encoding/json does when it looks for a field: simple Unicode folding, of which the long s and
 * the Kelvin sign are the only letters outside ASCII that fold into it.
 */
export function foldKey(key: string): string {
  return key.replaceAll('\u017f', 's').replaceAll('\u212a', 'k').toLowerCase();
}

const foldedFields = new WeakMap<ObjectShape, ReadonlyMap<string, string>>();

function fieldsByFold(shape: ObjectShape): ReadonlyMap<string, string> {
  let folded = foldedFields.get(shape);
  if (folded === undefined) {
    folded = new Map(Object.keys(shape.fields).map((name) => [foldKey(name), name]));
    foldedFields.set(shape, folded);
  }
  return folded;
}

class ShapeReader {
  readonly unknown: Unknown[] = [];
  private readonly path: (string | number)[] = [];
  private readonly root: string;
  private readonly code: RefusalCode;

  constructor(root: string, code: RefusalCode) {
    this.root = root;
    this.code = code;
  }

  read(shape: Shape, value: Json): void {
    if (value === null) return;
    switch (shape.kind) {
      case 'text':
      case 'filters':
      case 'embedded':
        if (typeof value !== 'string') this.refuse('a text', value);
        return;
      case 'bool':
        if (typeof value !== 'boolean') this.refuse('true or false', value);
        return;
      case 'int':
        if (typeof value !== 'number' && !(value instanceof Lexeme && fitsInt64(value.text))) {
          this.refuse('a whole number of 64 bits', value);
        }
        return;
      case 'number':
        if (typeof value !== 'number' && !(value instanceof Lexeme)) this.refuse('a number', value);
        return;
      case 'any':
        return;
      case 'list':
        if (shape.orOne === true && !isList(value)) {
          this.read(shape.of, value);
          return;
        }
        if (!isList(value)) this.refuse('a list', value);
        for (const [index, item] of value.entries()) this.within(index, shape.of, item);
        return;
      case 'map':
        if (!isObject(value)) this.refuse('an object', value);
        for (const key in value) this.within(key, elementOf(shape, key), value[key] as Json);
        return;
      case 'object':
        if (!isObject(value)) this.refuse('an object', value);
        this.fields(shape, value);
    }
  }

  private within(step: string | number, shape: Shape, value: Json): void {
    this.path.push(step);
    this.read(shape, value);
    this.path.pop();
  }

  private fields(shape: ObjectShape, value: JsonObject): void {
    if (shape.spellings !== undefined) respell(shape.spellings, value);
    const folded = fieldsByFold(shape);
    const fields = fieldsOf(shape, value);
    let strangers: Set<string> | null = null;
    for (const key in value) {
      const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
      if (field !== undefined) {
        this.within(key, field, value[key] as Json);
        continue;
      }
      const fold = foldKey(key);
      const meant = folded.get(fold);
      // The engine would take the one for the other, and merge the two where both stand.
      if (meant !== undefined) this.fail(`the engine reads this key as ${meant}: write it so`, key);
      strangers ??= new Set();
      if (strangers.has(fold)) this.fail('the engine could take two of the keys for one', key);
      strangers.add(fold);
      this.unknown.push({ place: this.place(key), value: value[key] as Json });
    }
  }

  private place(...more: readonly string[]): string {
    const inner = placeOf([...this.path, ...more]);
    if (this.root === '' || inner === '') return this.root + inner;
    return inner.startsWith('[') ? this.root + inner : `${this.root}.${inner}`;
  }

  private refuse(expected: string, found: Json): never {
    throw new Refusal(this.code, `${expected} is expected, not ${kindOf(found)}`, { place: this.place() || 'body' });
  }

  private fail(message: string, key: string): never {
    throw new Refusal(this.code, message, { place: this.place(key) });
  }
}

/** In place: the value was read for this call alone. Where both spellings stand, the other one is left to be refused. */
function respell(spellings: Readonly<Record<string, string>>, value: JsonObject): void {
  const fields = value as Record<string, Json>;
  for (const [spelling, field] of Object.entries(spellings)) {
    if (!Object.hasOwn(fields, spelling) || Object.hasOwn(fields, field)) continue;
    fields[field] = fields[spelling] as Json;
    delete fields[spelling];
  }
}

const INT64_MAX = 9223372036854775807n;
const UINT64_MAX = 18446744073709551615n;

/** Go refuses `1.0` and `1e3` where it wants an integer; -0 is read. */
function fitsInt64(text: string): boolean {
  if (!/^-?[0-9]{1,20}$/.test(text)) return false;
  const value = BigInt(text);
  return value >= -INT64_MAX - 1n && value <= UINT64_MAX;
}

function kindOf(value: Json): string {
  if (isList(value)) return 'a list';
  if (isObject(value)) return 'an object';
  if (typeof value === 'string') return 'a text';
  if (typeof value === 'boolean') return 'true or false';
  return value === null ? 'null' : 'a number';
}
