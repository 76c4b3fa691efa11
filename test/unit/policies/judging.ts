// Calls as clients make them, put before policies, with an engine that knows what a test says it knows.
import { Matcher } from '../../../src/docker/match.ts';
import { readQuery } from '../../../src/docker/query.ts';
import { readAs } from '../../../src/docker/read.ts';
import { everyCall } from '../../../src/docker/table.ts';
import { readTarget } from '../../../src/docker/target.ts';
import type { Call } from '../../../src/exchange/call.ts';
import { type Judgement, judge } from '../../../src/exchange/judge.ts';
import type { Policy, PolicyContext, PolicyCreation, PolicyKind } from '../../../src/exchange/policy.ts';
import { type Json, readJsonText } from '../../../src/ground/json.ts';
import { Refusal } from '../../../src/ground/refusal.ts';

const matcher = new Matcher(everyCall);

export interface Said {
  readonly method?: string;
  /** With or without a version. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, readonly string[]>>;
  readonly namespace?: string | null;
}

export function callOf({ method = 'POST', path, body, headers = {}, namespace = null }: Said): Call {
  const target = readTarget(path);
  const matched = matcher.match(method, target.path);
  if (matched === null) throw new Error(`no endpoint: ${method} ${path}`);
  const { endpoint, parameters } = matched;
  const query = readQuery(target.query, endpoint.query);
  const value = body === undefined ? null : readJsonText(JSON.stringify(body), 64);
  const read = endpoint.body.shape === undefined ? { unknown: [] } : readAs(endpoint.body.shape, value);
  return {
    listener: 'people',
    identity: { user: 'alice', groups: [], claims: {}, by: 'test' },
    namespace,
    endpoint,
    version: target.version?.minor ?? 51,
    parameters,
    query: query.values,
    headers,
    body: value,
    // What stands in the query already is dropped where it is read.
    unknown: [...query.unknown, ...read.unknown.filter(({ place }) => !(place in endpoint.query))],
  };
}

/** What an engine answers, by `ContainerInspect web`; what is not here is not there. */
export type Known = Readonly<Record<string, unknown>>;

const info = { DefaultRuntime: 'runc', CgroupVersion: '2' };

export function contextOf(known: Known = {}): PolicyContext & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    lookUp: (id, parameters) => {
      const name = [id, ...Object.values(parameters)].join(' ');
      asked.push(name);
      const answer = known[name] ?? (name === 'SystemInfo' ? info : name === 'NetworkList' ? [] : null);
      return Promise.resolve(answer === null ? null : (readJsonText(JSON.stringify(answer), 64) as Json));
    },
  };
}

/** For what a policy is made with but does not use. */
const creation = {
  listener: 'people',
  ownPorts: [2375, 5350],
  resolve: (file: string) => file,
  log: { info: () => {}, warn: () => {} },
} as unknown as PolicyCreation;

export function create(kind: PolicyKind, options: unknown = {}): Policy {
  return kind.create(kind.options.parse(options), creation);
}

/** The judgement, or the refusal. */
export async function judgeBy(
  policies: Policy | readonly Policy[],
  said: Said,
  context: PolicyContext = contextOf(),
): Promise<Judgement> {
  return judge(Array.isArray(policies) ? policies : [policies as Policy], callOf(said), context);
}

export async function refusalBy(
  policies: Policy | readonly Policy[],
  said: Said,
  context: PolicyContext = contextOf(),
): Promise<Refusal> {
  try {
    await judgeBy(policies, said, context);
  } catch (fault) {
    if (fault instanceof Refusal) return fault;
    throw fault;
  }
  throw new Error(`it passed: ${said.method ?? 'POST'} ${said.path} ${JSON.stringify(said.body)}`);
}
