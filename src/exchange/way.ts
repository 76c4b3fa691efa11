/**
 * The way of a call, in its order. Each step stands in a file of its own; none may be left out or go before another.
 */

import type { Endpoint } from '../docker/endpoint.ts';
import { Matcher } from '../docker/match.ts';
import { readQuery } from '../docker/query.ts';
import { table } from '../docker/table.ts';
import { readTarget } from '../docker/target.ts';
import { Refusal } from '../ground/refusal.ts';
import type { Exchange } from '../wire/inbound.ts';
import { answerRefusal, asRefusal } from './answer-refusal.ts';
import type { Authenticator } from './authenticator.ts';
import type { Call } from './call.ts';
import { Carrier } from './carry.ts';
import type { Engine } from './engine.ts';
import { identify } from './identify.ts';
import type { Identity, Peer } from './identity.ts';
import { type Decision, type Judgement, judge, warningsOf } from './judge.ts';
import { keepGiven } from './keep-given.ts';
import type { Policy } from './policy.ts';
import { type BodyLimits, readBody, readHeaders } from './read-call.ts';
import type { Recorder } from './recorder.ts';
import { translatorOf } from './translate-back.ts';
import { negotiate } from './version.ts';

/** What the calls of one listener meet on their way. */
export interface WayOptions {
  readonly listener: string;
  readonly authenticators: readonly Authenticator[];
  readonly policies: readonly Policy[];
  readonly engine: Engine;
  readonly limits: BodyLimits;
  readonly recorder: Recorder;
  /** The site's page about refusals, named in those of policies; null for none. */
  readonly help?: string | null;
}

const matcher = new Matcher(table);

export class Way {
  private readonly options: WayOptions;
  private readonly carrier: Carrier;

  constructor(options: WayOptions) {
    this.options = options;
    this.carrier = new Carrier(options.engine, options.recorder);
  }

  /** Serves one call to its end. Never throws: what goes wrong is the client's answer, and is recorded. */
  async serve(exchange: Exchange, peer: Peer): Promise<void> {
    const { listener, authenticators, policies, engine, limits, recorder, help = null } = this.options;
    const decisions: Decision[] = [];
    const startedAt = performance.now();
    let identity: Identity | null = null;
    let endpoint: Endpoint | null = null;
    let call: Call | null = null;
    let judgement: Judgement | null = null;
    let refusal: Refusal | null = null;
    try {
      identity = await identify(authenticators, exchange.head, peer);

      const target = readTarget(exchange.head.target);
      const matched = matcher.match(exchange.head.method, target.path);
      if (matched === null || matched.endpoint.risk === 'never') throw new Refusal('page-not-found', 'page not found');
      endpoint = matched.endpoint;
      if (endpoint.answer.travel === 'hijack') exchange.keepsHalfOpen = true;

      const api = await engine.api();
      const version = negotiate(target.version, api);
      const query = readQuery(target.query, endpoint.query);
      const headers = readHeaders(endpoint, exchange.head.headers);
      const { body, unknown } = await readBody(endpoint, exchange, limits);
      call = {
        listener,
        identity,
        endpoint,
        version,
        parameters: matched.parameters,
        query: query.values,
        headers,
        body,
        unknown: query.unknown.length === 0 ? unknown : [...query.unknown, ...unknown],
      };

      judgement = await judge(policies, call, this.carrier, decisions);
      const back = policies.length === 0 ? null : translatorOf(endpoint, warningsOf(judgement));
      await this.carrier.carry(keepGiven(judgement), api, exchange, back);
    } catch (fault) {
      refusal = asRefusal(fault);
      answerRefusal(exchange, refusal, authenticators, help);
    }
    judgement?.ended(exchange.status);
    recorder.callEnded({
      listener,
      method: exchange.head.method,
      target: exchange.head.target,
      endpoint,
      identity,
      status: exchange.status,
      call,
      refusal,
      decisions,
      durationMs: performance.now() - startedAt,
      bytesIn: exchange.bytesIn,
      bytesOut: exchange.bytesOut,
    });
  }
}
