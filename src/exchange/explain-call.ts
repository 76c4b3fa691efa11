/** What the table knows of a call, what the policies say to it, and what an engine would be sent. */

import type { Endpoint } from '../docker/endpoint.ts';
import { describeMark } from '../docker/marks.ts';
import { Matcher } from '../docker/match.ts';
import { isNeutral } from '../docker/neutral.ts';
import { readQuery } from '../docker/query.ts';
import { readAs, type Unknown } from '../docker/read.ts';
import { table } from '../docker/table.ts';
import { readTarget } from '../docker/target.ts';
import { visitCall } from '../docker/visit-call.ts';
import { type Json, JsonFault, readJson } from '../ground/json.ts';
import { Refusal } from '../ground/refusal.ts';
import type { Call } from './call.ts';
import type { ApiRange } from './engine.ts';
import type { DeskOrder } from './engine-desk.ts';
import type { Identity } from './identity.ts';
import { type Decision, judge } from './judge.ts';
import { keepGiven } from './keep-given.ts';
import type { Namespacing } from './namespacing.ts';
import type { Policy, PolicyContext } from './policy.ts';
import { printCall } from './print-call.ts';
import type { Rehearsal } from './rehearsal.ts';
import { needsRoom } from './room-on-disk.ts';
import { negotiate } from './version.ts';

/** The call that is asked about, as a client would make it. */
export interface Question {
  readonly method: string;
  /** As on the wire: `/v1.51/containers/create?name=web`. */
  readonly target: string;
  /** A JSON body; null for none. */
  readonly data: string | null;
}

/** Who asks, and what stands in the way. */
export interface Circumstances {
  readonly listener: string;
  readonly identity: Identity;
  /** Null: the engine as it is. */
  readonly namespacing: Rehearsed | null;
  readonly api: ApiRange;
  readonly policies: readonly Policy[];
  readonly context: PolicyContext;
  /** Absent where it does not matter. */
  readonly disk?: RehearsedDisk | null;
}

/** The engine's, as it is now. */
export interface RehearsedDisk {
  /** Percent above which what fills it is refused. */
  readonly high: number;
  /** Null where it cannot be seen from here. */
  readonly used: number | null;
}

/** Namespaces of an engine that does nothing. */
interface Rehearsed {
  readonly of: Namespacing['of'];
  readonly engine: Rehearsal;
}

/** One place of the call that means something to a proxy; what says nothing is left out. */
interface Meaning {
  readonly place: string;
  readonly value: Json;
  readonly means: readonly string[];
}

/** What an engine would be sent. */
export interface Sent {
  readonly line: string;
  readonly headers: readonly string[];
  readonly body: Json;
}

export interface Explanation {
  readonly endpoint: Endpoint;
  readonly meanings: readonly Meaning[];
  /** What the table does not know of the body or the query. */
  readonly unknown: readonly Unknown[];
  /** Query keys that are not sent. */
  readonly dropped: readonly string[];
  readonly decisions: readonly Decision[];
  /** Null for what does not depend on it. */
  readonly disk: RehearsedDisk | null;
  /** Whose names the call speaks; null where clients see the engine as it is, or none can be chosen. */
  readonly namespace: string | null;
  /** What Berthgate itself would have the engine do, before the call or in its place. */
  readonly ordered: readonly Sent[];
  /** Null where it is refused, and where the engine does not get it. */
  readonly sent: Sent | null;
  readonly refusal: Refusal | null;
}

const matcher = new Matcher(table);
const MAX_DEPTH = 64;

/** @throws Refusal for what is refused before anybody judges it */
export async function explainCall(question: Question, circumstances: Circumstances): Promise<Explanation> {
  const { listener, identity, namespacing, api, policies, context, disk = null } = circumstances;
  const target = readTarget(question.target);
  const matched = matcher.match(question.method, target.path);
  if (matched === null || matched.endpoint.risk === 'never') throw new Refusal('page-not-found', 'page not found');
  const { endpoint, parameters } = matched;
  const query = readQuery(target.query, endpoint.query);
  const body = question.data === null ? null : parse(question.data);
  const read = endpoint.body.shape === undefined ? null : readAs(endpoint.body.shape, body);
  const said: Call = {
    listener,
    identity,
    namespace: null,
    endpoint,
    version: negotiate(target.version, api),
    parameters,
    query: query.values,
    headers: {},
    body,
    unknown: [...query.unknown, ...(read?.unknown ?? [])],
  };
  const meanings = meaningsOf(said);
  const known = {
    endpoint,
    meanings,
    unknown: said.unknown,
    dropped: query.dropped,
    disk: endpoint.fills === true ? disk : null,
  };
  let namespace: string | null = null;
  try {
    const own = (await namespacing?.of(said)) ?? null;
    namespace = own?.name ?? null;
    const call = { ...said, namespace };
    if (disk !== null && (disk.used ?? 0) > disk.high) needsRoom({ disk: { isFull: true, roomBytes: 0 } }, endpoint);
    if ((own?.answerAlone(call) ?? null) !== null) return { ...known, ...NOTHING, namespace };
    const judgement = await judge(policies, call, own?.context ?? context);
    judgement.ended(0);
    const { decisions } = judgement;
    const kept = keepGiven(judgement);
    if (own === null || namespacing === null) return { ...known, ...NOTHING, decisions, sent: sentFor(kept) };
    const passage = await own.enter(kept);
    passage.ended?.(true);
    const ordered = namespacing.engine
      .takeOrders()
      .map(({ endpointId, order }) => sentFor(orderedCall(call, endpointId, order)));
    if (passage.answer !== null) return { ...known, ...NOTHING, namespace, decisions, ordered };
    namespacing.engine.carried(passage.call);
    return { ...known, namespace, decisions, ordered, sent: sentFor(passage.call), refusal: null };
  } catch (fault) {
    if (!(fault instanceof Refusal)) throw fault;
    return { ...known, ...NOTHING, namespace, refusal: fault };
  }
}

const NOTHING = { namespace: null, decisions: [], ordered: [], sent: null, refusal: null };

function orderedCall(call: Call, endpointId: string, { parameters = {}, query = {}, body = null }: DeskOrder): Call {
  const endpoint = table.find(({ id }) => id === endpointId) as Endpoint;
  return { ...call, endpoint, parameters, query, body, headers: {}, unknown: [] };
}

function meaningsOf(call: Call): readonly Meaning[] {
  const meanings: Meaning[] = [];
  visitCall(call, ({ place, value, marks, shape }) => {
    const means = marks.filter(({ mark }) => mark !== 'own').map(describeMark);
    if (means.length > 0 && !isNeutral(shape, value)) meanings.push({ place, value, means });
    return value;
  });
  return meanings;
}

function sentFor(call: Call): Sent {
  const request = printCall(call, { kind: 'none' }, null);
  const headers: string[] = [];
  for (let i = 0; i < request.headers.length; i += 2) headers.push(`${request.headers[i]}: ${request.headers[i + 1]}`);
  return { line: `${request.method} ${request.target} HTTP/1.1`, headers, body: call.body };
}

function parse(data: string): Json {
  try {
    return readJson(new TextEncoder().encode(data), MAX_DEPTH);
  } catch (fault) {
    if (!(fault instanceof JsonFault)) throw fault;
    throw new Refusal('unreadable-body', fault.message, { place: fault.place || 'body', cause: fault });
  }
}

/** As the reference of the `--json` form: plain values only. */
export function plain(explanation: Explanation): Json {
  const { endpoint, meanings, unknown, dropped, disk, namespace, decisions, ordered, sent, refusal } = explanation;
  return {
    endpoint: {
      id: endpoint.id,
      summary: endpoint.summary,
      method: endpoint.method,
      path: endpoint.path,
      risk: endpoint.risk,
      since: endpoint.since,
      until: endpoint.until ?? null,
      request: endpoint.body.travel,
      answer: endpoint.answer.travel,
    },
    meanings: meanings.map(({ place, value, means }) => ({ place, value, means })),
    unknown: unknown.map(({ place, value }) => ({ place, value })),
    dropped,
    disk: disk === null ? null : { high: disk.high, used: disk.used },
    decisions: decisions.map(({ policy, rule, changes, wouldRefuse }) => ({
      policy,
      rule,
      wouldRefuse,
      changes: changes.map(({ rule, place, from, to, warning }) => ({ rule, place, from, to, warning })),
    })),
    namespace,
    ordered: ordered.map(plainSent),
    sent: sent === null ? null : plainSent(sent),
    refusal: refusal === null ? null : plainRefusal(refusal),
  };
}

function plainSent({ line, headers, body }: Sent): Json {
  return { line, headers, body };
}

export function plainRefusal(refusal: Refusal): Json {
  return {
    code: refusal.code,
    status: refusal.status,
    policy: refusal.policy ?? null,
    rule: refusal.rule ?? null,
    place: refusal.place ?? null,
    message: refusal.message,
    hint: refusal.hint ?? null,
  };
}
