/**
 * The way of a call, in its order. Each step stands in a file of its own; none may be left out or go before another.
 */

import { runsBuild } from '../docker/build-call.ts';
import type { Endpoint } from '../docker/endpoint.ts';
import { table } from '../docker/table.ts';
import { withWarnings } from '../docker/warnings.ts';
import { printJson } from '../ground/json.ts';
import { Refusal } from '../ground/refusal.ts';
import type { Exchange } from '../wire/inbound.ts';
import type { Framing } from '../wire/message.ts';
import { answerRefusal, asRefusal } from './answer-refusal.ts';
import type { Authenticator } from './authenticator.ts';
import type { BodyStage } from './body-stage.ts';
import { buildDeadline } from './build-deadline.ts';
import type { BuildNaming, BuildReading } from './build-judge.ts';
import type { Call } from './call.ts';
import { becomesTunnel, Carrier, requestFor } from './carry.ts';
import type { ApiRange, Engine } from './engine.ts';
import { identify } from './identify.ts';
import type { Identity, Peer } from './identity.ts';
import { type Decision, type Judgement, judge, warningsOf } from './judge.ts';
import { keepGiven } from './keep-given.ts';
import { meaningOf } from './meaning.ts';
import { asItIs, type MediatedConnection, type Mediation, serveInner } from './mediation.ts';
import type { Namespace, Namespacing, OwnAnswer } from './namespacing.ts';
import type { Policy, PolicyContext } from './policy.ts';
import { printCall } from './print-call.ts';
import { type BodyLimits, readBody } from './read-call.ts';
import type { Recorder } from './recorder.ts';
import type { Deadline } from './relay-lines.ts';
import { needsRoom, roomJudges } from './room-on-disk.ts';
import { translatorOf } from './translate-back.ts';
import { negotiate } from './version.ts';

/** What the calls of one listener meet on their way. */
export interface WayOptions {
  readonly listener: string;
  readonly authenticators: readonly Authenticator[];
  readonly policies: readonly Policy[];
  readonly engine: Engine;
  /** Null: the engine as it is. */
  readonly namespacing?: Namespacing | null;
  /** Absent where no policy judges what builds take from elsewhere. */
  readonly builds?: BuildReading;
  /** How long one build may take; absent: as long as it takes. */
  readonly buildTimeMs?: number;
  /** Null: connections that carry calls of their own are not served where there are rules. */
  readonly mediation?: Mediation | null;
  readonly limits: BodyLimits;
  readonly recorder: Recorder;
  /** The container whose own socket the listener is: null as long as the engine has not made it; absent elsewhere. */
  readonly caller?: () => string | null;
  /** The site's page about refusals, named in those of policies; null for none. */
  readonly help?: string | null;
}

const NO_STAGES: readonly BodyStage[] = [];

/** Where the engine takes what a client offers. */
const offering = table.find(({ carries }) => carries === 'offers') as Endpoint;
const NO_BODY: Framing = { kind: 'none' };

export class Way {
  private readonly options: WayOptions;
  private readonly carrier: Carrier;

  constructor(options: WayOptions) {
    this.options = options;
    this.carrier = new Carrier(options.engine, options.recorder);
  }

  /** Serves one call to its end. Never throws: what goes wrong is the client's answer, and is recorded. */
  async serve(exchange: Exchange, peer: Peer): Promise<void> {
    const {
      listener,
      authenticators,
      policies,
      engine,
      limits,
      recorder,
      help = null,
      namespacing = null,
    } = this.options;
    const decisions: Decision[] = [];
    const startedAt = performance.now();
    let identity: Identity | null = null;
    let endpoint: Endpoint | null = null;
    let call: Call | null = null;
    let judgement: Judgement | null = null;
    let refusal: Refusal | null = null;
    try {
      // Whoever knows at once gives no promise, and is not waited for: the usual call reaches its engine in one turn.
      const identified = identify(authenticators, exchange.head, peer);
      identity = identified instanceof Promise ? await identified : identified;

      const meaning = meaningOf(exchange.head);
      endpoint = meaning.endpoint;
      exchange.keepsHalfOpen = becomesTunnel(endpoint);

      const range = engine.api();
      const api = range instanceof Promise ? await range : range;
      const version = negotiate(meaning.target.version, api);
      const { query, headers } = meaning;
      const reading = readBody(endpoint, exchange, limits);
      const { body, unknown } = reading instanceof Promise ? await reading : reading;
      const said: Call = {
        listener,
        identity,
        namespace: null,
        endpoint,
        version,
        parameters: meaning.parameters,
        query: query.values,
        headers,
        body,
        unknown: query.unknown.length === 0 ? unknown : [...query.unknown, ...unknown],
        ...this.spokenBy(),
      };
      call = said;

      const choosing = namespacing?.of(said) ?? null;
      const namespace = choosing instanceof Promise ? await choosing : choosing;
      if (namespace !== null) call = { ...said, namespace: namespace.name };
      needsRoom(engine, endpoint);
      const alone = namespace?.answerAlone(call) ?? null;
      if (alone !== null) {
        answerHere(exchange, alone);
      } else {
        const judging = judge(policies, call, namespace?.context ?? this.carrier, decisions);
        judgement = judging instanceof Promise ? await judging : judging;
        const ruled = namespace !== null || policies.length > 0 || this.options.buildTimeMs !== undefined;
        // Where the disk is full, builds within are to be told from what removes.
        if (endpoint.carries === 'calls' && (ruled || engine.disk?.isFull === true))
          await this.mediate(judgement.call, namespace, exchange);
        else if (endpoint.carries === 'offers' && namespace !== null)
          await this.mediate((await namespace.enter(judgement.call)).call, namespace, exchange);
        else if (namespace === null) await this.carryAsItIs(judgement, api, exchange);
        else await this.carryTranslated(judgement, namespace, api, exchange);
      }
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

  private spokenBy(): Pick<Call, 'caller'> {
    const caller = this.options.caller?.() ?? null;
    return caller === null ? {} : { caller };
  }

  private stagesOf(
    { build, call }: Judgement,
    context: PolicyContext,
    naming: BuildNaming | null,
  ): readonly BodyStage[] {
    if (build.length === 0 && naming === null) return NO_STAGES;
    const { builds } = this.options;
    // What asks to be judged must not pass unread.
    if (builds === undefined) throw new Error('nobody here reads builds');
    return [builds(call, build, context, naming)];
  }

  private mediate(call: Call, namespace: Namespace | null, exchange: Exchange): Promise<void> {
    const { engine, policies, recorder, help = null, mediation = null } = this.options;
    if (mediation === null) throw new Refusal('not-upgradable', 'calls within a connection are not read here');
    const connection: MediatedConnection = {
      exchange,
      engine,
      request: requestFor(call, exchange.head),
      sessionRequest: (headers) => printCall({ ...call, endpoint: offering, headers }, NO_BODY, 'h2c'),
      offers: namespace === null ? null : (headers, offer) => namespace.offered(headers, offer),
      serve: (inner) =>
        serveInner(call, inner, {
          policies,
          context: namespace?.context ?? this.carrier,
          engine,
          recorder,
          help,
          enter: (judged) => namespace?.enterInner(judged) ?? Promise.resolve(asItIs(judged)),
        }),
    };
    return call.endpoint.carries === 'offers'
      ? mediation.offer(connection, call.headers)
      : mediation.mediate(connection);
  }

  private carryAsItIs(judgement: Judgement, api: ApiRange, exchange: Exchange): Promise<void> {
    // What asks to be judged must not pass unread.
    if (judgement.load.length > 0) throw new Error('nobody here reads loads');
    const back = this.options.policies.length === 0 ? null : translatorOf(judgement.call.endpoint, judgement);
    return this.carrier.carry(keepGiven(judgement), api, exchange, {
      back,
      through: this.stagesOf(judgement, this.carrier, null),
      deadline: this.deadlineOf(judgement.call),
      heard: judgement.heard,
      finishes: judgement.finishes,
    });
  }

  private deadlineOf({ endpoint }: Call): Deadline | null {
    const { buildTimeMs } = this.options;
    return buildTimeMs === undefined || !runsBuild(endpoint) ? null : buildDeadline(buildTimeMs);
  }

  private async carryTranslated(
    judgement: Judgement,
    namespace: Namespace,
    api: ApiRange,
    exchange: Exchange,
  ): Promise<void> {
    const { call, names, answer, stream, build, load, through, ended } = await namespace.enter(keepGiven(judgement));
    let failed = true;
    try {
      if (answer !== null) {
        // What was done here is the engine's doing as well.
        await judgement.heard?.(answer.body, answer.status);
        answerHere(exchange, warned(answer, judgement));
      } else if (stream !== undefined) await this.carrier.tell(call, stream, exchange);
      else {
        const back = translatorOf(call.endpoint, judgement, names);
        if (load !== undefined && isBodyless(exchange.head.framing)) {
          throw new Refusal('unreadable-body', 'an archive is expected', { place: 'body' });
        }
        const { engine } = this.options;
        const read = this.stagesOf(judgement, namespace.context, build ?? null);
        const stages = load === undefined ? read : [...read, load([...judgement.load, ...roomJudges(engine)])];
        await this.carrier.carry(call, api, exchange, {
          back,
          through: stages,
          ...(through === undefined ? {} : { answer: through }),
          deadline: this.deadlineOf(call),
          heard: judgement.heard,
          finishes: judgement.finishes,
        });
      }
      failed = exchange.status >= 400;
    } finally {
      ended?.(failed);
    }
  }
}

function answerHere(exchange: Exchange, { status, body }: OwnAnswer): void {
  const headers = body === null ? [] : ['Content-Type', 'application/json'];
  exchange.answer({ status, reason: '', headers }, body === null ? null : `${printJson(body)}\n`);
}

function warned(answer: OwnAnswer, judgement: Judgement): OwnAnswer {
  if (answer.status >= 300) return answer;
  return { ...answer, body: withWarnings(judgement.call.endpoint, answer.body, warningsOf(judgement)) };
}

function isBodyless(framing: Framing): boolean {
  return framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0);
}
