/** The one walker over shapes: shows every marked leaf of a value to a visitor, which may put another in its place. */

import { isList, isObject, type Json, type JsonObject, placeOf, printJson, readJsonText } from '../ground/json.ts';
import type { Mark } from './marks.ts';
import type { FilterValues } from './query.ts';
import {
  elementOf,
  fieldsOf,
  type MapShape,
  type ObjectShape,
  type Part,
  type Shape,
  type TextShape,
} from './shape.ts';

export interface Leaf {
  readonly place: string;
  /** The same as steps, without the root. */
  readonly path: readonly (string | number)[];
  readonly value: Json;
  /** The marks of this value; for a part of a text, the marks of that part. */
  readonly marks: readonly Mark[];
  readonly shape: Shape;
  /** A text that is not of its language: `marks` are everything that it could have meant. */
  readonly unread?: true;
}

/**
 * Gives back what shall stand there: the same value leaves the tree as it is. Undefined takes it out of its list or map;
 * a field of an object becomes empty.
 */
export type Visitor = (leaf: Leaf) => Json | undefined;

const EMBEDDED_DEPTH = 16;

/**
 * Visits a value by its shape and gives back the value with what the visitor changed; untouched branches are shared.
 * Lists, maps and objects that carry marks of their own are shown whole, before what is in them.
 */
export function visit(shape: Shape, value: Json, visitor: Visitor, root = ''): Json {
  const walked = new Walk(visitor, root).walk(shape, value);
  return walked === undefined ? emptied(value) : walked;
}

/** What says nothing, of the same type. */
function emptied(value: Json): Json {
  if (typeof value === 'string') return '';
  if (typeof value === 'number') return 0;
  return typeof value === 'boolean' ? false : null;
}

class Walk {
  private readonly path: (string | number)[] = [];
  private readonly visitor: Visitor;
  private readonly root: string;

  constructor(visitor: Visitor, root: string) {
    this.visitor = visitor;
    this.root = root;
  }

  walk(shape: Shape, value: Json): Json | undefined {
    if (value === null) return value;
    switch (shape.kind) {
      case 'text':
        return typeof value === 'string' ? this.text(shape, value) : value;
      case 'list':
        return this.inner(shape, value, (seen) => this.list(shape.of, seen, shape.orOne === true));
      case 'map':
        return this.inner(shape, value, (seen) => this.map(shape, seen));
      case 'object':
        return this.inner(shape, value, (seen) => this.object(shape, seen));
      case 'filters':
        return this.filters(shape.keys, value);
      case 'embedded':
        return shape.encoding === 'json' ? this.embedded(shape.of, value) : this.leaf(shape, value);
      default:
        return this.leaf(shape, value);
    }
  }

  private leaf(shape: Shape, value: Json, marks: readonly Mark[] = shape.marks, unread?: true): Json | undefined {
    if (marks.length === 0) return value;
    const leaf = { place: this.place(), path: [...this.path], value, marks, shape };
    return this.visitor(unread === undefined ? leaf : { ...leaf, unread });
  }

  /** A thing that is shown whole first, and then what is in it. */
  private inner(shape: Shape, value: Json, go: (seen: Json) => Json | undefined): Json | undefined {
    const seen = this.leaf(shape, value);
    return seen === undefined ? undefined : go(seen);
  }

  private place(): string {
    const inner = placeOf(this.path);
    if (this.root === '' || inner === '') return this.root + inner;
    return inner.startsWith('[') ? this.root + inner : `${this.root}.${inner}`;
  }

  private within(step: string | number, shape: Shape, value: Json): Json | undefined {
    this.path.push(step);
    const walked = this.walk(shape, value);
    this.path.pop();
    return walked;
  }

  private text(shape: TextShape, value: string): Json | undefined {
    const parts = shape.grammar?.split(value);
    if (parts === undefined) return this.leaf(shape, value);
    // A text that is not of its language is shown whole, with everything that it could have meant.
    if (parts === null) {
      return this.leaf(shape, value, [...shape.marks, ...(shape.grammar?.marks ?? [])], true);
    }
    const seen = this.leaf(shape, value);
    if (seen !== value) return seen;
    let changed = false;
    const pieces: Json[] = [];
    for (const part of parts as readonly Part[]) {
      const piece = this.leaf(shape, part.text, part.marks);
      if (piece === undefined) return undefined;
      if (piece !== part.text) changed = true;
      pieces.push(piece);
    }
    return changed ? pieces.join('') : value;
  }

  private list(of: Shape, value: Json, orOne: boolean): Json | undefined {
    if (!isList(value)) return orOne ? this.walk(of, value) : value;
    let changed = false;
    const items: Json[] = [];
    for (const [index, item] of value.entries()) {
      const walked = this.within(index, of, item);
      if (walked !== item) changed = true;
      if (walked !== undefined) items.push(walked);
    }
    return changed ? items : value;
  }

  private map(shape: MapShape, value: Json): Json {
    if (!isObject(value)) return value;
    let changed = false;
    const fields: Record<string, Json> = Object.create(null);
    for (const key in value) {
      this.path.push(key);
      const walkedKey = this.walk(shape.key, key) as string | undefined;
      const walked = this.walk(elementOf(shape, key), value[key] as Json);
      this.path.pop();
      if (walkedKey !== key || walked !== value[key]) changed = true;
      if (walkedKey !== undefined && walked !== undefined) fields[walkedKey] = walked;
    }
    return changed ? fields : value;
  }

  private object(objectShape: ObjectShape, value: Json): Json {
    if (!isObject(value)) return value;
    const shapes = fieldsOf(objectShape, value);
    let fields: Record<string, Json> | null = null;
    for (const key in value) {
      const shape = Object.hasOwn(shapes, key) ? shapes[key] : undefined;
      if (shape === undefined) continue;
      const walked = this.within(key, shape, value[key] as Json);
      if (walked === value[key]) continue;
      fields ??= Object.assign(Object.create(null), value) as Record<string, Json>;
      fields[key] = walked === undefined ? emptied(value[key] as Json) : walked;
    }
    return fields ?? value;
  }

  private filters(keys: Readonly<Record<string, TextShape>>, value: Json): Json {
    const filters = value as FilterValues as JsonObject;
    let changed = false;
    const walked: Record<string, Json> = Object.create(null);
    for (const key in filters) {
      const shape = Object.hasOwn(keys, key) ? keys[key] : undefined;
      const before = filters[key] as Json;
      this.path.push(key);
      walked[key] = shape === undefined ? before : (this.list(shape, before, false) ?? []);
      this.path.pop();
      if (walked[key] !== before) changed = true;
    }
    return changed ? walked : value;
  }

  /** A query has read an embedded document already; elsewhere it is still a text. */
  private embedded(of: Shape, value: Json): Json | undefined {
    if (typeof value !== 'string') return this.walk(of, value);
    const read = readJsonText(value, EMBEDDED_DEPTH);
    const walked = this.walk(of, read);
    if (walked === undefined) return undefined;
    return walked === read ? value : printJson(walked);
  }
}
