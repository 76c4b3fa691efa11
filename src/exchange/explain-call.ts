/** What the table knows of a call, and what an engine would be sent: the same steps as the way of a call, told. */

import type { Endpoint } from '../docker/endpoint.ts';
import { describeMark } from '../docker/marks.ts';
import { Matcher } from '../docker/match.ts';
import { readQuery } from '../docker/query.ts';
import { readAs, type Unknown } from '../docker/read.ts';
import { table } from '../docker/table.ts';
import { readTarget } from '../docker/target.ts';
import { visitCall } from '../docker/visit-call.ts';
import { type Json, JsonFault, printJson, readJson } from '../ground/json.ts';
import { Refusal } from '../ground/refusal.ts';
import type { Call } from './call.ts';
import type { ApiRange } from './engine.ts';
import { printCall } from './print-call.ts';
import { negotiate } from './version.ts';

/** One place of the call that means something. */
export interface Meaning {
  readonly place: string;
  readonly value: string;
  readonly means: readonly string[];
}

export interface Explanation {
  readonly endpoint: Pick<Endpoint, 'id' | 'summary' | 'method' | 'path' | 'risk' | 'since'> & {
    readonly until: string | null;
    readonly request: string;
    readonly answer: string;
  };
  readonly meanings: readonly Meaning[];
  /** What the table does not know of the body. */
  readonly unknown: readonly Unknown[];
  /** Query keys that are not sent. */
  readonly dropped: readonly string[];
  readonly sent: { readonly line: string; readonly headers: readonly string[]; readonly body: string | null };
}

const matcher = new Matcher(table);
const MAX_DEPTH = 64;

/** @throws Refusal for what would be refused */
export function explainCall(method: string, rawTarget: string, data: string | null, api: ApiRange): Explanation {
  const target = readTarget(rawTarget);
  const matched = matcher.match(method, target.path);
  if (matched === null || matched.endpoint.risk === 'never') throw new Refusal('page-not-found', 'page not found');
  const { endpoint, parameters } = matched;
  const query = readQuery(target.query, endpoint.query);
  const body = data === null ? null : parse(data);
  const read = endpoint.body.shape === undefined || body === null ? null : readAs(endpoint.body.shape, body);
  const call: Call = {
    listener: 'explain',
    identity: { user: 'explain', groups: [], claims: {}, by: 'explain' },
    endpoint,
    version: negotiate(target.version, api),
    parameters,
    query: query.values,
    headers: {},
    body,
    unknown: read?.unknown ?? [],
  };
  const meanings: Meaning[] = [];
  visitCall(call, ({ place, value, marks }) => {
    meanings.push({ place, value: printJson(value), means: marks.map(describeMark) });
    return value;
  });
  const request = printCall(call, { kind: 'none' }, null);
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
    meanings,
    unknown: call.unknown,
    dropped: query.dropped,
    sent: {
      line: `${request.method} ${request.target} HTTP/1.1`,
      headers: pairs(request.headers),
      body: body === null ? null : printJson(body),
    },
  };
}

function parse(data: string): Json {
  try {
    return readJson(new TextEncoder().encode(data), MAX_DEPTH);
  } catch (fault) {
    if (!(fault instanceof JsonFault)) throw fault;
    throw new Refusal('unreadable-body', fault.message, { place: fault.place || 'body', cause: fault });
  }
}

function pairs(headers: readonly string[]): readonly string[] {
  const printed: string[] = [];
  for (let i = 0; i < headers.length; i += 2) printed.push(`${headers[i]}: ${headers[i + 1]}`);
  return printed;
}
