// Sample values made from shapes: the same shape always gives the same value, and different fields different ones.
import { elementOf, fieldsOf, type Shape, type TextShape } from '../../src/docker/shape.ts';
import { type Json, Lexeme, printJson } from '../../src/ground/json.ts';

/** Spellings of which every grammar takes at least one. */
const SPELLINGS = [
  'sample',
  'volume:/inside',
  'NAME=value',
  'host:10.9.8.7',
  '8080/tcp',
  'WORKDIR /inside',
  'size=64m,mode=1777',
  'no-new-privileges',
  '-ef',
  'container:sample',
  '/sample:/parent/alias',
  'client-session',
  '-',
  'json-file',
  'bridge',
  'private',
  'runc',
  'local',
  'default',
  'NET_ADMIN',
  'no',
  'none',
  '/sample',
];

export class Sampler {
  /** What every plain text contains beside its number. */
  readonly #flavour: string;
  #count = 0;

  /** With a flavour such as `ä/ "%` plain texts carry what has to be escaped on the way. */
  constructor(flavour = '') {
    this.#flavour = flavour;
  }

  value(shape: Shape): Json {
    switch (shape.kind) {
      case 'text':
        return this.#text(shape);
      case 'bool':
        return true;
      case 'int':
        return this.#integer();
      case 'number':
        return new Lexeme(`${++this.#count}.25`);
      case 'any':
        return { Sample: `any-${++this.#count}` };
      case 'list':
        return [this.value(shape.of), this.value(shape.of)];
      case 'map': {
        const keys = [this.#text(shape.key), ...Object.keys(shape.known ?? {})];
        return Object.fromEntries(keys.map((key) => [key, this.value(elementOf(shape, key))]));
      }
      case 'object': {
        const word = shape.varies === undefined ? undefined : Object.keys(shape.varies.cases)[0];
        const chosen = word === undefined ? {} : { [shape.varies?.by as string]: word };
        const fields = fieldsOf(shape, chosen);
        return Object.fromEntries(
          Object.keys(fields).map((key) => [key, chosen[key] ?? this.value(fields[key] as Shape)]),
        );
      }
      case 'filters':
        return printJson(this.filters(shape.keys));
      case 'embedded': {
        const written = printJson(this.value(shape.of));
        return shape.encoding === 'json' ? written : Buffer.from(written).toString('base64url');
      }
    }
  }

  filters(keys: Readonly<Record<string, TextShape>>): { readonly [key: string]: readonly string[] } {
    return Object.fromEntries(
      Object.entries(keys).map(([key, shape]) => [key, [this.#text(shape), this.#text(shape)]]),
    );
  }

  #text(shape: TextShape): string {
    if (shape.values !== undefined) return shape.values[this.#count++ % shape.values.length] as string;
    if (shape.grammar !== undefined) {
      const { grammar } = shape;
      const fitting = SPELLINGS.find((spelling) => {
        const parts = grammar.split(spelling);
        return parts !== null && parts.length > 0;
      });
      if (fitting === undefined) throw new Error(`no sample is of the language ${grammar.name}: ${grammar.form}`);
      return fitting;
    }
    const number = ++this.#count;
    const id = shape.marks.some((mark) => mark.mark === 'uses' && mark.spelling === 'id');
    return id ? number.toString(16).padStart(64, '0') : `sample-${number}${this.#flavour}`;
  }

  /** Every third is more than JavaScript's numbers can hold. */
  #integer(): Json {
    const number = ++this.#count;
    return number % 3 === 0 ? new Lexeme(String(9_007_199_254_740_993n + BigInt(number) * 2n)) : number;
  }
}
