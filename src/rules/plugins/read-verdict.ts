/** Reads what a plugin's policy answers: a verdict that changes only what a policy may change, and says so. */

import { type ReadValue, readAs } from '../../docker/read.ts';
import type { Shape } from '../../docker/shape.ts';
import type { Call } from '../../exchange/call.ts';
import type { Change, Verdict } from '../../exchange/policy.ts';
import { isObject, type Json, Lexeme } from '../../ground/json.ts';
import { Refusal } from '../../ground/refusal.ts';

/** Why an answer is no verdict. */
export class Nonsense extends Error {}

const verdictKeys: ReadonlySet<string> = new Set(['call', 'rule', 'changes', 'onEnd', 'wouldRefuse']);
/** What a policy may give another value; everything else says who asks for what, and stays. */
const changeable: ReadonlySet<string> = new Set(['parameters', 'query', 'headers', 'body']);

/** @throws Nonsense */
export function readVerdict(before: Call, answer: unknown): Verdict {
  if (!isRecord(answer)) throw new Nonsense('no verdict');
  for (const key of Object.keys(answer)) if (!verdictKeys.has(key)) throw new Nonsense(`a verdict has no \`${key}\``);
  const { call, rule, changes, onEnd, wouldRefuse } = answer;
  if (typeof rule !== 'string' || rule === '') throw new Nonsense('`rule` must be a text');
  if (onEnd !== undefined && typeof onEnd !== 'function') throw new Nonsense('`onEnd` must be a function');
  if (wouldRefuse !== undefined && typeof wouldRefuse !== 'string') throw new Nonsense('`wouldRefuse` must be a text');
  if (!Array.isArray(changes)) throw new Nonsense('`changes` must be a list');
  const told = changes.map(readChange);
  const after = readCall(before, call);
  if (after !== before && told.length === 0) throw new Nonsense('it changed the call and told no change');
  return {
    call: after,
    rule,
    changes: told,
    ...(onEnd === undefined ? {} : { onEnd: onEnd as (status: number) => void }),
    ...(wouldRefuse === undefined ? {} : { wouldRefuse }),
  };
}

function readChange(value: unknown): Change {
  if (!isRecord(value)) throw new Nonsense('a change must be an object');
  const { rule, place, from = null, to = null, warning = null, given = null } = value;
  if (typeof rule !== 'string' || typeof place !== 'string') throw new Nonsense('a change needs `rule` and `place`');
  if (warning !== null && typeof warning !== 'string') throw new Nonsense('`warning` must be a text or null');
  if (given !== null && !(Array.isArray(given) && given.every(isStep)))
    throw new Nonsense('`given` must be a path or null');
  if (!isJson(from) || !isJson(to)) throw new Nonsense('`from` and `to` must be JSON');
  return { rule, place, from, to, warning, given: given as Change['given'] };
}

function isStep(step: unknown): boolean {
  return typeof step === 'string' || Number.isInteger(step);
}

/** The same call where nothing differs. */
function readCall(before: Call, value: unknown): Call {
  if (value === before) return before;
  if (!isRecord(value)) throw new Nonsense('`call` must be the call');
  for (const key of Object.keys(value)) {
    if (!(key in before)) throw new Nonsense(`a call has no \`${key}\``);
    const kept = value[key] === before[key as keyof Call];
    if (!kept && !changeable.has(key)) throw new Nonsense(`\`call.${key}\` must not be changed`);
  }
  const { parameters, query, headers, body } = { ...before, ...(value as Partial<Call>) };
  if (parameters !== before.parameters) readParameters(before, parameters);
  if (query !== before.query) readQuery(before, query);
  if (headers !== before.headers) readHeaders(before, headers);
  if (body !== before.body) readBody(before, body);
  return { ...before, parameters, query, headers, body };
}

function readParameters({ endpoint }: Call, parameters: unknown): void {
  if (!isRecord(parameters)) throw new Nonsense('`call.parameters` must be an object');
  const names = Object.keys(endpoint.parameters);
  const same = Object.keys(parameters).length === names.length && names.every((name) => isName(parameters[name]));
  if (!same) throw new Nonsense('`call.parameters` must have the texts of the endpoint');
}

function isName(value: unknown): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
  return typeof value === 'string' && value !== '' && !/[\u0000-\u001f]|^\.\.?$|\/\.\.?(\/|$)/.test(value);
}

function readQuery({ endpoint }: Call, query: unknown): void {
  if (!isRecord(query)) throw new Nonsense('`call.query` must be an object');
  for (const [key, value] of Object.entries(query)) {
    const shape = Object.hasOwn(endpoint.query, key) ? endpoint.query[key] : undefined;
    if (shape === undefined) throw new Nonsense(`the endpoint has no \`query.${key}\``);
    if (!fitsQuery(shape, value)) throw new Nonsense(`\`query.${key}\` is not of its type`);
  }
}

function fitsQuery(shape: Shape, value: unknown): boolean {
  switch (shape.kind) {
    case 'bool':
      return typeof value === 'boolean';
    case 'int':
      return typeof value === 'string' && /^-?\d{1,19}$/.test(value);
    case 'list':
      return isTexts(value);
    case 'filters':
      return isRecord(value) && Object.values(value).every(isTexts);
    case 'embedded':
      return isJson(value) && known(shape.of, value);
    default:
      return typeof value === 'string' && !value.includes('\0');
  }
}

function readHeaders({ endpoint }: Call, headers: unknown): void {
  if (!isRecord(headers)) throw new Nonsense('`call.headers` must be an object');
  for (const [name, values] of Object.entries(headers)) {
    if (name !== 'user-agent' && !Object.hasOwn(endpoint.headers, name)) {
      throw new Nonsense(`the endpoint has no header \`${name}\``);
    }
    const visible = isTexts(values) && values.every((value) => /^[\x20-\x7e\x80-\xff]*$/.test(value));
    if (!visible) throw new Nonsense(`the header \`${name}\` must be a list of texts in one line`);
  }
}

function readBody({ endpoint }: Call, body: unknown): void {
  const { shape } = endpoint.body;
  if (shape === undefined) throw new Nonsense('the endpoint has no JSON body');
  if (!isJson(body) || !known(shape, body)) throw new Nonsense('`call.body` is not what the endpoint takes');
}

/** By the table, and nothing beyond it: what a plugin adds must be known. */
function known(shape: Shape, value: Json): boolean {
  let read: ReadValue;
  try {
    read = readAs(shape, value);
  } catch (fault) {
    if (fault instanceof Refusal) return false;
    throw fault;
  }
  return read.unknown.length === 0;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return isObject(value as Json);
}

const MOST_DEPTH = 64;

function isJson(value: unknown, depth = 0): value is Json {
  if (value === null || typeof value === 'boolean' || value instanceof Lexeme) return true;
  if (typeof value === 'string') return value.isWellFormed();
  // Others are Lexemes: printed by JavaScript they would be other numbers, or none.
  if (typeof value === 'number') return Number.isSafeInteger(value);
  if (typeof value !== 'object' || depth > MOST_DEPTH) return false;
  return Object.values(value).every((inner) => isJson(inner, depth + 1));
}
