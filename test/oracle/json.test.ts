// JSON bodies against Go's encoding/json: what we accept Go decodes to the same value, into maps and into the structs of
// a container's create alike; fields that we would not see, Go must not see either.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAs } from '../../src/docker/read.ts';
import { elementOf, fieldsOf, type ObjectShape, type Shape } from '../../src/docker/shape.ts';
import { table } from '../../src/docker/table.ts';
import { isList, isObject, type Json, JsonFault, Lexeme, printJson, readJson } from '../../src/ground/json.ts';
import { Refusal } from '../../src/ground/refusal.ts';
import { Judge, type JudgedDocument } from './judge.ts';
import { Random, runSeed } from './random.ts';

const CASES = 20_000;
const seed = runSeed();
const create = table.find(({ id }) => id === 'ContainerCreate')?.body.shape as ObjectShape;

let judge: Judge;
beforeAll(() => {
  judge = Judge.build();
});
afterAll(() => judge?.close());

const TOP = [
  'Image',
  'Cmd',
  'Env',
  'Labels',
  'Tty',
  'HostConfig',
  'HostConfig',
  'HostConfig',
  'Volumes',
  'NetworkingConfig',
  'Privileged',
  'Binds',
];
const HOST = [
  'Binds',
  'Privileged',
  'NetworkMode',
  'Memory',
  'CapAdd',
  'Mounts',
  'RestartPolicy',
  'LogConfig',
  'Sysctls',
  'PidsLimit',
  'Devices',
  'MaskedPaths',
  'Init',
];
const MOUNT = ['Type', 'Source', 'Target', 'ReadOnly', 'VolumeOptions'];
const SCALARS = [
  ...[
    'null',
    'null',
    'true',
    'false',
    '0',
    '1',
    '-1',
    '""',
    '"host"',
    '"/:/h"',
    '[]',
    '{}',
    '["/:/h"]',
    '["a",null]',
    '["a",["b"]]',
  ],
  ...[
    '9007199254740993',
    '18446744073709551615',
    '9223372036854775808',
    '-9223372036854775808',
    '1.0',
    '1e3',
    '1.5',
    '-0',
    '1e999',
    '01',
  ],
  ...[
    '"\\u0068ost"',
    '"\\ud83d\\ude00"',
    '"\\ud83d"',
    '"é"',
    '"\u2028"',
    '"\\/"',
    '{"a":"b"}',
    '{"a":"b","A":"c"}',
    '{"a":1,"a":2}',
    '{"__proto__":"x"}',
  ],
];

class Documents {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  text(): string {
    const random = this.#random;
    let written = this.#object(TOP, 0);
    if (random.chance(0.05))
      written += random.pick([' ', '\n', '{}', 'null', ',', '}', '\u0000', '{"HostConfig":{"Privileged":true}}']);
    if (random.chance(0.03)) written = random.pick(['\ufeff', ' ', '[', '']) + written;
    if (random.chance(0.05)) {
      const at = random.below(written.length);
      written =
        written.slice(0, at) + random.pick(['', '"', '\\', ',', '}', ':', '\u0001', '//']) + written.slice(at + 1);
    }
    return written;
  }

  #object(names: readonly string[], depth: number): string {
    const random = this.#random;
    const fields: string[] = [];
    for (let count = random.below(5); count > 0; count--) {
      const name = random.pick(names);
      fields.push(`${this.#key(name)}:${this.#value(name, depth)}`);
    }
    return `{${fields.join(random.chance(0.1) ? ' , ' : ',')}}`;
  }

  #key(name: string): string {
    const random = this.#random;
    const chance = random.next();
    let key = name;
    if (chance < 0.03) key = key.toLowerCase();
    else if (chance < 0.05) key = key.toUpperCase();
    else if (chance < 0.08) key = key.replace('s', '\u017f').replace('S', '\u017f');
    else if (chance < 0.1) key = key.replace('k', '\u212a').replace('K', '\u212a');
    else if (chance < 0.12) key = `${key}X`;
    else if (chance < 0.15) return `"\\u${key.charCodeAt(0).toString(16).padStart(4, '0')}${key.slice(1)}"`;
    return `"${key}"`;
  }

  #value(name: string, depth: number): string {
    const random = this.#random;
    if (random.chance(0.08) || depth > 4) return random.pick(SCALARS);
    switch (name) {
      case 'HostConfig':
        return this.#object(HOST, depth + 1);
      case 'Mounts':
        return `[${this.#object(MOUNT, depth + 1)}${random.chance(0.3) ? `,${this.#object(MOUNT, depth + 1)}` : ''}]`;
      case 'RestartPolicy':
        return this.#object(['Name', 'MaximumRetryCount'], depth + 1);
      case 'LogConfig':
        return this.#object(['Type', 'Config'], depth + 1);
      case 'Privileged':
      case 'Tty':
      case 'Init':
      case 'ReadOnly':
        return random.pick(['true', 'false']);
      case 'Memory':
      case 'PidsLimit':
      case 'MaximumRetryCount':
        return random.pick(['0', '5', '-1', '9007199254740993', '9223372036854775807']);
      case 'Labels':
      case 'Sysctls':
      case 'Config':
        return random.pick([
          '{}',
          '{"a":"b"}',
          '{"a":"b","A":"c"}',
          '{"\u212a":"x","k":"y"}',
          '{"__proto__":"p","constructor":"c"}',
        ]);
      case 'Binds':
      case 'CapAdd':
      case 'Env':
      case 'Cmd':
      case 'MaskedPaths':
        return random.pick(['[]', '["/:/h"]', '["ALL","x"]']);
      case 'Volumes':
        return random.pick(['{}', '{"/data":{}}']);
      case 'NetworkingConfig':
        return random.pick([
          '{}',
          '{"EndpointsConfig":{"net":{"Aliases":["a"]}}}',
          '{"EndpointsConfig":{"net":{"aliases":["a"]}}}',
        ]);
      case 'VolumeOptions':
        return random.pick(['{}', '{"NoCopy":true}', '{"DriverConfig":{"Options":{"device":"/"}}}']);
      case 'Devices':
        return random.pick(['[]', '[{"PathOnHost":"/dev/sda"}]', '[{"pathonhost":"/dev/sda"}]']);
      default:
        return random.pick(['"host"', '"bind"', '""', '"x\\u0041"']);
    }
  }
}

function readByUs(bytes: Uint8Array): Json | undefined {
  try {
    const value = readJson(bytes, 64);
    return readAs(create, value).value;
  } catch (fault) {
    if (fault instanceof JsonFault || fault instanceof Refusal) return undefined;
    throw fault;
  }
}

/** What the table knows of a value, and nothing else: all that a policy can have seen. */
function known(shape: Shape, value: Json): Json {
  switch (shape.kind) {
    case 'list':
      return isList(value) ? value.map((item) => known(shape.of, item)) : value;
    case 'map':
      return isObject(value) ? mapFields(value, (key, field) => known(elementOf(shape, key), field)) : value;
    case 'object': {
      if (!isObject(value)) return value;
      const fields = fieldsOf(shape, value);
      return mapFields(value, (key, field) =>
        Object.hasOwn(fields, key) ? known(fields[key] as Shape, field) : undefined,
      );
    }
    default:
      return value;
  }
}

function mapFields(
  value: { readonly [key: string]: Json },
  change: (key: string, field: Json) => Json | undefined,
): Json {
  const fields: Record<string, Json> = Object.create(null);
  for (const key of Object.keys(value)) {
    const changed = change(key, value[key] as Json);
    if (changed !== undefined) fields[key] = changed;
  }
  return fields;
}

/** As the judge's lines come to us: numbers as JavaScript has them. */
function plain(value: Json): unknown {
  if (value instanceof Lexeme) return Number(value.text) || 0;
  if (isList(value)) return value.map(plain);
  if (!isObject(value)) return value;
  return Object.entries(value)
    .map(([key, field]) => [key, plain(field)] as const)
    .sort(byKey);
}

function sorted(value: unknown): unknown {
  if (typeof value === 'number') return value || 0;
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .map(([key, field]) => [key, sorted(field)] as const)
    .sort(byKey);
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

describe('a body that we accept', () => {
  it(`is decoded by Go to the value that was judged (seed ${seed})`, async () => {
    const documents = new Documents(new Random(seed));
    const texts = Array.from({ length: CASES }, () => documents.text());
    const bodies = texts.map((text) => Buffer.from(text));
    const ours = bodies.map(readByUs);
    const original = await judge.ask('json', bodies);
    const printed = await judge.ask(
      'json',
      ours.map((value) => Buffer.from(value === undefined ? '{}' : printJson(value))),
    );
    const seen = await judge.ask(
      'json',
      ours.map((value) => Buffer.from(value === undefined ? '{}' : printJson(known(create, value)))),
    );
    let accepted = 0;
    let bites = 0;
    for (const [at, text] of texts.entries()) {
      const go = original[at] as JudgedDocument;
      const value = ours[at];
      if (value === undefined) {
        if (go.create.error === '' && differsFromJavaScript(text, go)) bites++;
        continue;
      }
      accepted++;
      expect({ text, valid: go.valid, trailing: go.trailing }).toEqual({ text, valid: true, trailing: false });
      // A float beyond all floats: Go refuses it, as it comes and as it is printed.
      if (go.any.error === '') expect({ text, value: sorted(go.any.value) }).toEqual({ text, value: plain(value) });
      for (const way of ['create', 'legacy'] as const) {
        expect({ text, decoded: printed[at]?.[way] }).toEqual({ text, decoded: go[way] });
        // What Go refuses for its type reaches nobody.
        if (go[way].error === '') expect({ text, decoded: seen[at]?.[way] }).toEqual({ text, decoded: go[way] });
      }
    }
    expect(accepted).toBeGreaterThan(CASES / 10);
    expect(bites).toBeGreaterThan(CASES / 100);
  });
});

/** The control: whoever judged by JSON.parse and exact names would have judged something else than Go decodes. */
function differsFromJavaScript(text: string, go: JudgedDocument): boolean {
  let value: { HostConfig?: { Privileged?: unknown; Binds?: unknown } | null };
  try {
    value = JSON.parse(text);
  } catch {
    return go.trailing;
  }
  const decoded = (go.create.value as { HostConfig?: { Privileged?: boolean; Binds?: string[] | null } | null })
    .HostConfig;
  const host = value.HostConfig;
  return (
    (decoded?.Privileged ?? false) !== (host?.Privileged ?? false) ||
    JSON.stringify(decoded?.Binds ?? null) !== JSON.stringify(host?.Binds ?? null)
  );
}

describe('the control', () => {
  it('shows that Go reads what JavaScript does not', async () => {
    const tricks = [
      '{"HostConfig":{"privileged":true}}',
      '{"HostConfig":{"Bind\u017f":["/:/h"]}}',
      '{"HostConfig":{"Privileged":true},"HostConfig":{}}',
      '{"HostConfig":{"Privileged":true,"Privileged":null}}',
      '{"hostconfig":{"Privileged":true}}',
      '{"HostConfig":{"Binds":["/:/h"]},"HostConfig":{"Binds":null,"Bind\u017f":["/:/x"]}}',
    ];
    const judged = await judge.ask(
      'json',
      tricks.map((trick) => Buffer.from(trick)),
    );
    for (const [at, trick] of tricks.entries()) {
      expect({ trick, differs: differsFromJavaScript(trick, judged[at] as JudgedDocument) }).toEqual({
        trick,
        differs: true,
      });
      expect({ trick, ours: readByUs(Buffer.from(trick)) }).toEqual({ trick, ours: undefined });
    }
    const [kelvin] = await judge.ask('json', [Buffer.from('{"HostConfig":{"Networ\u212aMode":"host"}}')]);
    expect(kelvin?.create.value).toMatchObject({ HostConfig: { NetworkMode: 'host' } });
    expect(readByUs(Buffer.from('{"HostConfig":{"Networ\u212aMode":"host"}}'))).toBeUndefined();
  });

  it('shows that engines up to 26.1 take privileges from the top level, and that the table knows them there', async () => {
    const [legacy] = await judge.ask('json', [Buffer.from('{"Image":"x","Privileged":true}')]);
    expect(legacy?.legacy.value).toMatchObject({ Privileged: true });
    expect(create.fields.Privileged?.marks[0]).toMatchObject({ mark: 'privilege' });
  });
});
