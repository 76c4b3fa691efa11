/**
 * What the head of a request says by the table: everything of a call but who makes it and its body. It depends on nothing
 * else, so it is kept with the head, which the wire gives again when the same bytes come again.
 */

import type { Endpoint } from '../docker/endpoint.ts';
import { Matcher } from '../docker/match.ts';
import { type ReadQuery, readQuery } from '../docker/query.ts';
import { table } from '../docker/table.ts';
import { readTarget, type Target } from '../docker/target.ts';
import { Refusal } from '../ground/refusal.ts';
import type { RequestHead } from '../wire/message.ts';
import type { RelayRequest } from '../wire/relay.ts';
import type { Call } from './call.ts';
import { readHeaders } from './read-call.ts';

type Parameters = Readonly<Record<string, string>>;
type Headers = Call['headers'];

const matcher = new Matcher(table);

export class Meaning {
  readonly target: Target;
  readonly endpoint: Endpoint;
  readonly parameters: Parameters;
  readonly #head: RequestHead;
  #query: ReadQuery | null = null;
  #headers: Headers | null = null;
  #sent: { readonly version: number; readonly request: RelayRequest } | null = null;

  constructor(head: RequestHead, target: Target, endpoint: Endpoint, parameters: Parameters) {
    this.#head = head;
    this.target = target;
    this.endpoint = endpoint;
    this.parameters = parameters;
  }

  /** @throws Refusal unreadable-query */
  get query(): ReadQuery {
    this.#query ??= readQuery(this.target.query, this.endpoint.query);
    return this.#query;
  }

  /** @throws Refusal unreadable-header */
  get headers(): Headers {
    this.#headers ??= readHeaders(this.endpoint, this.#head.headers);
    return this.#headers;
  }

  /** What the engine is sent for `call`, as it was printed when a call last said nothing but what this head says. */
  sentFor(call: Call, print: () => RelayRequest): RelayRequest {
    const plain =
      call.body === null &&
      call.parameters === this.parameters &&
      call.query === this.#query?.values &&
      call.headers === this.#headers;
    if (plain && this.#sent?.version === call.version) return this.#sent.request;
    const request = print();
    if (plain && request.body === null) this.#sent = { version: call.version, request };
    return request;
  }
}

/** @throws Refusal unreadable-path, page-not-found */
export function meaningOf(head: RequestHead): Meaning {
  if (head.meaning instanceof Meaning) return head.meaning;
  const target = readTarget(head.target);
  const matched = matcher.match(head.method, target.path);
  if (matched === null || matched.endpoint.risk === 'never') throw new Refusal('page-not-found', 'page not found');
  const meaning = new Meaning(head, target, matched.endpoint, matched.parameters);
  head.meaning = meaning;
  return meaning;
}
