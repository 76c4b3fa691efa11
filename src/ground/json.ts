/**
 * A strict JSON reader and its printer. It refuses what Go's encoding/json and JavaScript would read differently, at
 * every depth: doubled keys, lone surrogates, bytes that are not UTF-8, anything behind the document. Numbers that
 * JavaScript would change stay as they were written.
 */

/** A number that is not a safe integer, kept as it was written. */
export class Lexeme {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Json = null | boolean | number | string | Lexeme | readonly Json[] | JsonObject;
/** Without a prototype: `__proto__` and `constructor` are keys like any other. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Why a text was not read, and where: a path such as `HostConfig.Binds[2]`, and the offset in characters. */
export class JsonFault extends Error {
  readonly place: string;
  readonly offset: number;
  constructor(message: string, place: string, offset: number) {
    super(message);
    this.place = place;
    this.offset = offset;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads one document. `maxValues`: of all that stands in it, at every depth. @throws JsonFault */
export function readJson(bytes: Uint8Array, maxDepth: number, maxValues = Number.POSITIVE_INFINITY): Json {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new JsonFault('the body is not UTF-8', '', 0);
  }
  return new Reader(text, maxDepth, maxValues).document();
}

/** The same for a text that is already characters (a query parameter, a header). @throws JsonFault */
export function readJsonText(text: string, maxDepth: number): Json {
  return new Reader(text, maxDepth, Number.POSITIVE_INFINITY).document();
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const HEX4 = /^[0-9a-fA-F]{4}$/;

class Reader {
  private at = 0;
  private readonly path: (string | number)[] = [];
  private readonly text: string;
  private readonly maxDepth: number;
  private readonly maxValues: number;
  private values = 0;

  constructor(text: string, maxDepth: number, maxValues: number) {
    this.text = text;
    this.maxDepth = maxDepth;
    this.maxValues = maxValues;
  }

  document(): Json {
    this.skipSpace();
    const value = this.value();
    this.skipSpace();
    if (this.at < this.text.length) this.fail('something follows the JSON document');
    return value;
  }

  private fail(message: string): never {
    throw new JsonFault(message, placeOf(this.path), this.at);
  }

  private skipSpace(): void {
    for (;;) {
      const c = this.text.charCodeAt(this.at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
      this.at++;
    }
  }

  private value(): Json {
    if (++this.values > this.maxValues) this.fail(`more than ${this.maxValues} values`);
    switch (this.text[this.at]) {
      case '{':
        return this.object();
      case '[':
        return this.list();
      case '"':
        return this.string();
      case 't':
        return this.literal('true', true);
      case 'f':
        return this.literal('false', false);
      case 'n':
        return this.literal('null', null);
      case undefined:
        return this.fail('the JSON document ends too early');
      default:
        return this.number();
    }
  }

  private literal<T extends boolean | null>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) this.fail('not a JSON value');
    this.at += word.length;
    return value;
  }

  private number(): number | Lexeme {
    NUMBER.lastIndex = this.at;
    const found = NUMBER.exec(this.text);
    if (found === null) return this.fail('not a JSON value');
    const written = found[0];
    this.at += written.length;
    if (found[1] === undefined && found[2] === undefined) {
      const value = Number(written);
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) return value;
    }
    return new Lexeme(written);
  }

  private string(): string {
    const start = this.at + 1;
    let at = start;
    for (;;) {
      const c = this.text.charCodeAt(at);
      if (c === QUOTE) {
        this.at = at + 1;
        const plain = this.text.slice(start, at);
        return plain.isWellFormed() ? plain : this.fail('a text is not well-formed Unicode');
      }
      if (c === BACKSLASH) return this.escapedString(start, at);
      if (Number.isNaN(c)) this.fail('a text does not end');
      if (c < 0x20) this.fail('a control character stands in a text');
      at++;
    }
  }

  private escapedString(start: number, firstEscape: number): string {
    const pieces = [this.text.slice(start, firstEscape)];
    let at = firstEscape;
    for (;;) {
      const c = this.text.charCodeAt(at);
      if (c === QUOTE) break;
      if (Number.isNaN(c)) this.fail('a text does not end');
      if (c < 0x20) this.fail('a control character stands in a text');
      if (c !== BACKSLASH) {
        const from = at;
        do at++;
        while (isPlain(this.text.charCodeAt(at)));
        pieces.push(this.text.slice(from, at));
        continue;
      }
      const letter = this.text[at + 1] ?? '';
      if (letter === 'u') {
        const hex = this.text.slice(at + 2, at + 6);
        if (!HEX4.test(hex)) this.fail('a \\u escape needs four hexadecimal digits');
        pieces.push(String.fromCharCode(Number.parseInt(hex, 16)));
        at += 6;
      } else {
        const short = SHORT_ESCAPES[letter];
        if (short === undefined) return this.fail('an unknown escape stands in a text');
        pieces.push(short);
        at += 2;
      }
    }
    this.at = at + 1;
    const whole = pieces.join('');
    // Go puts U+FFFD for a lone surrogate: what was judged would not be what the engine reads.
    return whole.isWellFormed() ? whole : this.fail('a text is not well-formed Unicode');
  }

  private enter(): void {
    if (this.path.length >= this.maxDepth) this.fail(`nested deeper than ${this.maxDepth}`);
    this.at++;
    this.skipSpace();
  }

  private list(): readonly Json[] {
    this.enter();
    const items: Json[] = [];
    if (this.text[this.at] === ']') {
      this.at++;
      return items;
    }
    for (;;) {
      this.path.push(items.length);
      this.skipSpace();
      items.push(this.value());
      this.path.pop();
      this.skipSpace();
      if (this.closes(']')) return items;
    }
  }

  private object(): JsonObject {
    this.enter();
    const fields: Record<string, Json> = Object.create(null);
    if (this.text[this.at] === '}') {
      this.at++;
      return fields;
    }
    for (;;) {
      this.skipSpace();
      if (this.text[this.at] !== '"') this.fail('a key must be a text');
      const key = this.string();
      this.path.push(key);
      // Go merges objects that stand under one key twice; JavaScript keeps the last.
      if (key in fields) this.fail('a key stands twice');
      this.skipSpace();
      if (this.text[this.at] !== ':') this.fail('a colon must follow a key');
      this.at++;
      this.skipSpace();
      fields[key] = this.value();
      this.path.pop();
      this.skipSpace();
      if (this.closes('}')) return fields;
    }
  }

  private closes(end: string): boolean {
    const c = this.text[this.at];
    if (c !== end && c !== ',') this.fail(`a comma or ${end} must follow`);
    this.at++;
    return c === end;
  }
}

function isPlain(c: number): boolean {
  return c !== QUOTE && c !== BACKSLASH && c >= 0x20;
}

const NAME = /^[A-Za-z_$][\w$-]*$/;

/** `['HostConfig', 'Binds', 2]` as `HostConfig.Binds[2]`. */
export function placeOf(path: readonly (string | number)[]): string {
  let place = '';
  for (const step of path) {
    if (typeof step === 'number') place += `[${step}]`;
    else if (NAME.test(step)) place += place === '' ? step : `.${step}`;
    else place += `[${JSON.stringify(step)}]`;
  }
  return place;
}

/** Prints a value as one JSON document, compact. */
export function printJson(value: Json): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (value instanceof Lexeme) return value.text;
  if (isList(value)) return `[${value.map(printJson).join(',')}]`;
  const fields = Object.entries(value as JsonObject);
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${printJson(field)}`).join(',')}}`;
}

export function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

export function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Lexeme);
}
