/**
 * Messages of BuildKit's protocol as values, by their shapes, and back. Bytes are texts of one character a byte. What the
 * shape does not know is kept under the number of its field, and printed again as it came.
 */

import { isList, isObject, type Json, type JsonObject, Lexeme, placeOf } from '../ground/json.ts';
import { type Field, MessageWriter, ProtobufFault, readFields } from '../ground/protobuf.ts';
import type { Unknown } from './read.ts';
import { elementOf, type MapShape, type ObjectShape, type Shape } from './shape.ts';

export interface ReadMessage {
  readonly value: JsonObject;
  readonly unknown: readonly Unknown[];
}

const MAX_DEPTH = 32;
/**
 * Of a message and of all within it: a graph of two thousand steps. Each takes a hundred times what it has on the wire, and is
 * judged while everybody else waits.
 */
const MAX_FIELDS = 50_000;
/** How a message stood on the wire: what has not been changed is printed as it came, since steps are named by their digest. */
const asRead = new WeakMap<JsonObject, Uint8Array>();
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** @throws ProtobufFault for what is malformed, of another type than the shape says, or stands twice */
export function readMessage(shape: ObjectShape, bytes: Uint8Array): ReadMessage {
  const reader = new MessageReader();
  return { value: reader.message(shape, bytes), unknown: reader.unknown };
}

class MessageReader {
  readonly unknown: Unknown[] = [];
  private readonly path: (string | number)[] = [];
  private read = 0;

  message(shape: ObjectShape, bytes: Uint8Array): JsonObject {
    if (this.path.length > MAX_DEPTH) throw new ProtobufFault('the message is too deep');
    const names = namesOf(shape);
    const value: Record<string, Json> = Object.create(null);
    for (const field of this.fields(bytes)) {
      const name = names.get(field.number);
      if (name === undefined) this.stranger(value, field);
      else this.field(value, name, shape.fields[name] as Shape, field);
    }
    asRead.set(value, bytes);
    return value;
  }

  private stranger(value: Record<string, Json>, field: Field): void {
    const raw = latin1(field.raw);
    const before = value[field.number];
    value[field.number] = typeof before === 'string' ? before + raw : raw;
    this.unknown.push({ place: placeOf([...this.path, String(field.number)]), value: raw });
  }

  private field(value: Record<string, Json>, name: string, shape: Shape, field: Field): void {
    this.path.push(name);
    if (shape.kind === 'list') {
      const items = (value[name] ?? []) as Json[];
      this.path.push(items.length);
      items.push(this.single(shape.of, field));
      this.path.pop();
      value[name] = items;
    } else if (shape.kind === 'map') {
      const entries = (value[name] ?? Object.create(null)) as Record<string, Json>;
      this.entry(shape, entries, field);
      value[name] = entries;
    } else {
      if (Object.hasOwn(value, name)) this.fail('stands twice');
      value[name] = this.single(shape, field);
    }
    this.path.pop();
  }

  private entry(shape: MapShape, entries: Record<string, Json>, field: Field): void {
    if (field.type !== 'bytes') this.fail('is not a map');
    let key: string | undefined;
    let found: Field | undefined;
    for (const part of this.fields(field.bytes)) {
      if (part.number === 1 && part.type === 'bytes' && key === undefined) key = this.text(part.bytes);
      else if (part.number === 2 && found === undefined) found = part;
      else this.fail('is not a map');
    }
    const at = key ?? '';
    if (Object.hasOwn(entries, at)) this.fail(`has the key ${JSON.stringify(at)} twice`);
    this.path.push(at);
    const of = elementOf(shape, at);
    entries[at] = found === undefined ? emptyOf(of) : this.single(of, found);
    this.path.pop();
  }

  private single(shape: Shape, field: Field): Json {
    if (shape.kind === 'bool' || shape.kind === 'int') {
      if (field.type !== 'varint') this.fail('is not a number');
      return shape.kind === 'bool' ? field.varint !== 0n : integer(BigInt.asIntN(64, field.varint));
    }
    if (field.type !== 'bytes') this.fail('has another type');
    switch (shape.kind) {
      case 'object':
        return this.message(shape, field.bytes);
      case 'text':
        return this.text(field.bytes);
      default:
        return latin1(field.bytes);
    }
  }

  private text(bytes: Uint8Array): string {
    try {
      return utf8.decode(bytes);
    } catch {
      return this.fail('is not UTF-8');
    }
  }

  private *fields(bytes: Uint8Array): Generator<Field> {
    try {
      for (const field of readFields(bytes)) {
        if (++this.read > MAX_FIELDS) throw new ProtobufFault(`a message of more than ${MAX_FIELDS} fields`);
        yield field;
      }
    } catch (fault) {
      throw fault instanceof ProtobufFault ? new ProtobufFault(`${this.place()}: ${fault.message}`) : fault;
    }
  }

  private place(): string {
    return placeOf(this.path) || 'the message';
  }

  private fail(message: string): never {
    throw new ProtobufFault(`${this.place()} ${message}`);
  }
}

/** What a value says: as it was read, or else in the order of the numbers and without what is neutral, as Go does. */
export function printMessage(shape: ObjectShape, value: JsonObject): Uint8Array {
  const before = asRead.get(value);
  if (before !== undefined) return before;
  const writer = new MessageWriter();
  const numbers = shape.numbers ?? {};
  for (const name of Object.keys(numbers).sort((a, b) => (numbers[a] as number) - (numbers[b] as number))) {
    if (Object.hasOwn(value, name)) {
      printField(writer, numbers[name] as number, shape.fields[name] as Shape, value[name] as Json);
    }
  }
  for (const name in value) {
    if (/^[0-9]+$/.test(name) && typeof value[name] === 'string') writer.raw(fromLatin1(value[name]));
  }
  return writer.finish();
}

function printField(writer: MessageWriter, number: number, shape: Shape, value: Json): void {
  if (shape.kind === 'list') {
    for (const item of isList(value) ? value : []) printSingle(writer, number, shape.of, item);
  } else if (shape.kind === 'map') {
    for (const key in isObject(value) ? value : {}) {
      const entry = new MessageWriter();
      entry.bytes(1, encoder.encode(key));
      printSingle(entry, 2, elementOf(shape, key), (value as JsonObject)[key] as Json);
      writer.bytes(number, entry.finish());
    }
  } else if (value !== null && value !== false && value !== 0 && value !== '') {
    printSingle(writer, number, shape, value);
  }
}

function printSingle(writer: MessageWriter, number: number, shape: Shape, value: Json): void {
  if (shape.kind === 'bool') writer.varint(number, value === true ? 1n : 0n);
  else if (shape.kind === 'int') writer.varint(number, BigInt(value instanceof Lexeme ? value.text : Number(value)));
  else if (shape.kind === 'object') writer.bytes(number, printMessage(shape, isObject(value) ? value : {}));
  else if (shape.kind === 'text') writer.bytes(number, encoder.encode(String(value ?? '')));
  else writer.bytes(number, fromLatin1(String(value ?? '')));
}

const named = new WeakMap<ObjectShape, ReadonlyMap<number, string>>();

function namesOf(shape: ObjectShape): ReadonlyMap<number, string> {
  let names = named.get(shape);
  if (names === undefined) {
    names = new Map(Object.entries(shape.numbers ?? {}).map(([name, number]) => [number, name]));
    named.set(shape, names);
  }
  return names;
}

function emptyOf(shape: Shape): Json {
  if (shape.kind === 'bool') return false;
  if (shape.kind === 'int') return 0;
  return shape.kind === 'object' ? Object.create(null) : '';
}

function integer(value: bigint): Json {
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : new Lexeme(String(value));
}

export function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return text;
}

export function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}
