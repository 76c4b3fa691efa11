/**
 * YAML text to plain values that remember where they stood. Refuses what people and parsers read differently (doubled
 * keys, tags, other YAML versions, several documents) and what grows without bound (aliases, nesting).
 */

import { CST, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import { ConfigFault, type Path, type Position, placeOf } from './faults.ts';

export const maxConfigBytes = 1024 * 1024;

/** Values that aliases may add to the file: enough for people, nothing for a "billion laughs". */
const maxAliasedNodes = 10_000;
const maxIndent = 100;
const maxFlowDepth = 32;

interface Spot {
  /** Offsets into the text. */
  readonly valueAt: number;
  readonly keyAt: number | undefined;
  readonly children: Map<string | number, Spot>;
}

export interface YamlSource {
  readonly value: unknown;
  /** Where the value at this path stands; what is not in the file stands where its nearest ancestor does. */
  locate(path: Path): Position;
  /** Where the key at this path stands. */
  locateKey(path: Path): Position;
}

export interface ReadYaml {
  readonly source: YamlSource;
  readonly faults: readonly ConfigFault[];
}

export function readYaml(text: string, file: string): ReadYaml {
  const body = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const lines = new LineCounter();
  const positionOf = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const failed = (faults: readonly ConfigFault[]): ReadYaml => ({ source: emptySource, faults });

  if (Buffer.byteLength(body) > maxConfigBytes) {
    return failed([new ConfigFault(file, { line: 1, column: 1 }, '', 'the file is larger than 1MiB')]);
  }
  // The parser behind recurses by nesting, and a regular expression compiled at the end of the stack aborts the process.
  const tooDeep = offsetOfExcessiveNesting(body);
  if (tooDeep !== undefined) {
    const before = body.slice(0, tooDeep).split(/\r\n|[\r\n]/);
    const position = { line: before.length, column: (before.at(-1) as string).length + 1 };
    return failed([new ConfigFault(file, position, '', 'nested too deeply')]);
  }

  const document = parseDocument(body, {
    lineCounter: lines,
    prettyErrors: false,
    version: '1.2',
    schema: 'core',
    // Its own check compares each key with each other one; the reader below uses a set.
    uniqueKeys: false,
  });
  const directives = document.directives?.yaml;
  if (directives?.explicit && directives.version !== '1.2') {
    return failed([new ConfigFault(file, { line: 1, column: 1 }, '', 'only YAML 1.2 is read')]);
  }
  const problems = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  if (problems.length > 0) {
    return failed(problems.map((problem) => new ConfigFault(file, positionOf(problem.pos[0]), '', wordsFor(problem))));
  }

  const faults: ConfigFault[] = [];
  const reader = new NodeReader((offset, path, message) => {
    faults.push(new ConfigFault(file, positionOf(offset), placeOf(path), message));
  });
  const value = reader.read(document.contents, []);
  const top = reader.spot ?? { valueAt: 0, keyAt: undefined, children: new Map() };
  return { source: sourceOf(value, top, positionOf), faults };
}

function wordsFor(problem: { readonly code: string; readonly message: string }): string {
  return problem.code === 'MULTIPLE_DOCS' ? 'a second document: one file holds one configuration' : problem.message;
}

const emptySource: YamlSource = {
  value: undefined,
  locate: () => ({ line: 1, column: 1 }),
  locateKey: () => ({ line: 1, column: 1 }),
};

function sourceOf(value: unknown, top: Spot, positionOf: (offset: number) => Position): YamlSource {
  const spotAt = (path: Path): { readonly spot: Spot; readonly whole: boolean } => {
    let spot = top;
    for (const step of path) {
      const child = spot.children.get(step);
      if (child === undefined) return { spot, whole: false };
      spot = child;
    }
    return { spot, whole: true };
  };
  return {
    value,
    locate: (path) => positionOf(spotAt(path).spot.valueAt),
    locateKey: (path) => {
      const { spot, whole } = spotAt(path);
      return positionOf(whole ? (spot.keyAt ?? spot.valueAt) : spot.valueAt);
    },
  };
}

const lexerMarks: ReadonlySet<string> = new Set([CST.BOM, CST.DOCUMENT, CST.FLOW_END, CST.SCALAR]);

/** Where the text begins to nest deeper than any configuration does. Looks at tokens only, without recursion. */
function offsetOfExcessiveNesting(text: string): number | undefined {
  let offset = 0;
  let flowDepth = 0;
  let indicators = 0;
  let indent = 0;
  let atLineStart = true;
  let textFollows = false;
  for (const token of new Lexer().lex(text)) {
    if (lexerMarks.has(token)) {
      textFollows = token === CST.SCALAR;
      continue;
    }
    const type = textFollows ? null : CST.tokenType(token);
    textFollows = false;
    if (type === 'newline') {
      atLineStart = true;
      indicators = 0;
      indent = 0;
    } else if (type === 'space') {
      if (atLineStart) indent += token.length;
    } else if (type !== 'comment') {
      if (type === 'flow-seq-start' || type === 'flow-map-start') flowDepth++;
      else if (type === 'flow-seq-end' || type === 'flow-map-end') flowDepth = Math.max(0, flowDepth - 1);
      else if (type === 'seq-item-ind' || type === 'explicit-key-ind') indicators++;
      if (flowDepth > maxFlowDepth || indicators > maxFlowDepth) return offset;
      if (atLineStart && flowDepth === 0 && indent > maxIndent) return offset;
      atLineStart = token.endsWith('\n');
      if (atLineStart) {
        indicators = 0;
        indent = 0;
      }
    }
    offset += token.length;
  }
  return undefined;
}

const ordinaryTags = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((t) => `tag:yaml.org,2002:${t}`),
);

class NodeReader {
  spot: Spot | undefined;
  readonly #fault: (offset: number, path: Path, message: string) => void;
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();
  #aliasDepth = 0;
  #aliasedNodes = 0;

  constructor(fault: (offset: number, path: Path, message: string) => void) {
    this.#fault = fault;
  }

  read(node: Node | null, path: Path): unknown {
    this.spot = undefined;
    if (node === null) return null;
    return this.#value(node, path, undefined, (spot) => {
      this.spot = spot;
    });
  }

  #value(node: Node, path: Path, keyAt: number | undefined, place: (spot: Spot) => void): unknown {
    const valueAt = node.range?.[0] ?? keyAt ?? 0;
    if (this.#aliasDepth > 0 && ++this.#aliasedNodes > maxAliasedNodes) {
      if (this.#aliasedNodes === maxAliasedNodes + 1) this.#fault(valueAt, path, 'aliases repeat too much');
      return null;
    }
    if (isAlias(node)) return this.#alias(node.source, node.range?.[0] ?? valueAt, path, keyAt, place);
    const anchor = node.anchor;
    if (anchor !== undefined && this.#aliasDepth === 0) this.#anchors.set(anchor, node);
    if (node.tag !== undefined && !ordinaryTags.has(node.tag)) this.#fault(valueAt, path, 'tags are not read');

    // A block begins below its key, at its first entry: it is the key that names the whole.
    const block = (isMap(node) || isSeq(node)) && node.flow !== true && keyAt !== undefined;
    const spot: Spot = { valueAt: block ? keyAt : valueAt, keyAt, children: new Map() };
    place(spot);
    if (isScalar(node)) {
      // `key:` with nothing behind it: the key is what the reader of a message looks for.
      if (node.value === null && node.source === '') place({ ...spot, valueAt: keyAt ?? valueAt });
      return node.value;
    }
    this.#open.add(node);
    try {
      if (isSeq(node)) {
        return node.items.map((item, i) => {
          return this.#value(item as Node, [...path, i], undefined, (child) => spot.children.set(i, child));
        });
      }
      return isMap(node) ? this.#map(node.items as Pair<Node, Node | null>[], path, spot) : null;
    } finally {
      this.#open.delete(node);
    }
  }

  #alias(name: string, at: number, path: Path, keyAt: number | undefined, place: (spot: Spot) => void): unknown {
    const target = this.#anchors.get(name);
    if (target === undefined || this.#open.has(target)) {
      const why = target === undefined ? 'there is no such anchor before it' : 'it stands inside what it repeats';
      this.#fault(at, path, `the alias *${name} cannot be followed: ${why}`);
      return null;
    }
    this.#aliasDepth++;
    try {
      return this.#value(target, path, keyAt, place);
    } finally {
      this.#aliasDepth--;
    }
  }

  #map(pairs: readonly Pair<Node, Node | null>[], path: Path, spot: Spot): Record<string, unknown> {
    // Without a prototype: a key of the file is a key and nothing else.
    const values: Record<string, unknown> = Object.create(null);
    for (const { key, value } of pairs) {
      const keyAt = key?.range?.[0] ?? spot.valueAt;
      if (!isScalar(key) || typeof key.value !== 'string') {
        this.#fault(keyAt, path, 'a key must be text (in quotes where YAML reads it as something else)');
        continue;
      }
      const name = key.value;
      const here = [...path, name];
      if (name === '__proto__') this.#fault(keyAt, here, `unknown key \`${name}\``);
      else if (Object.hasOwn(values, name)) {
        const first = 'a key may stand only once in a map';
        this.#fault(keyAt, here, `the key \`${name}\` stands here a second time: ${first}`);
      } else {
        const child = (found: Spot): unknown => spot.children.set(name, found);
        spot.children.set(name, { valueAt: keyAt, keyAt, children: new Map() });
        values[name] = value === null ? null : this.#value(value, here, keyAt, child);
      }
    }
    return values;
  }
}
