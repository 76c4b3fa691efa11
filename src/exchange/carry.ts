/** Takes a call to its engine and the answer back: printed, streamed, tunnelled or shared, as the table says. */

import type { AnswerTravel, Endpoint } from '../docker/endpoint.ts';
import { eventAt, eventsMediaType } from '../docker/events.ts';
import { type Json, JsonFault, printJson, readJson } from '../ground/json.ts';
import { Refusal } from '../ground/refusal.ts';
import type { Exchange } from '../wire/inbound.ts';
import type { RequestHead } from '../wire/message.ts';
import type { OutboundFault } from '../wire/outbound-fault.ts';
import { onward, type RelayRequest, relay } from '../wire/relay.ts';
import { type BodyStage, chained, releasing } from './body-stage.ts';
import type { Call } from './call.ts';
import { clampBody, clampHead } from './clamp-version.ts';
import type { ApiRange, Engine } from './engine.ts';
import { LiveEngineDesk } from './engine-desk.ts';
import { engineRefusal } from './engine-fault.ts';
import { type LookUp, lookUpOf } from './look-up.ts';
import { meaningOf } from './meaning.ts';
import type { OwnStream } from './namespacing.ts';
import { printCall } from './print-call.ts';
import type { Recorder } from './recorder.ts';
import { type Deadline, relayLines } from './relay-lines.ts';
import { SharedAnswers, type Waiter } from './shared-answers.ts';
import { tellStream } from './tell-stream.ts';
import { transformingAnswers } from './transform-answer.ts';
import { shownOf, type TranslateBack } from './translate-back.ts';
import { translatingFaults } from './translate-faults.ts';

/** An answer up to this size is kept for all who asked the same; larger ones are streamed to each. */
const SHARED_BYTES = 16 * 1024 * 1024;
/** An answer that must be read to be told is not told beyond this size. */
const COLLECTED_BYTES = 256 * 1024 * 1024;

const MAX_DEPTH = 64;

/** What an upgrade of each kind is called on the wire. */
const PROTOCOLS: Partial<Record<AnswerTravel, string>> = { hijack: 'tcp', websocket: 'websocket', h2c: 'h2c' };

/** Whether a client may end its half of the connection and go on listening. */
export function becomesTunnel({ answer }: Endpoint): boolean {
  return PROTOCOLS[answer.travel] !== undefined;
}

/** Answers that live as long as something happens. */
const STREAMS: ReadonlySet<AnswerTravel> = new Set(['lines', 'frames', 'tar', 'hijack', 'websocket', 'h2c']);

/** What of a call changes on its way. */
export interface Changing {
  /** Changes the documents of the answer; null where they pass as they are. */
  readonly back: TranslateBack | null;
  /** What a body that travels as a stream passes through. */
  readonly through: readonly BodyStage[];
  /** Of an answer of lines: when it has lasted too long. */
  readonly deadline?: Deadline | null;
  /** Hears an answer that is JSON, and what the client is told waits for it. @throws whatever is to be told instead */
  readonly heard?: ((document: Json, status: number) => Promise<void>) | null;
  /** An answer that is heard is waited for also when the client has gone. */
  readonly finishes?: boolean;
  /** What an answer of bytes passes through. */
  readonly answer?: BodyStage;
}

interface Carried {
  readonly call: Call;
  readonly api: ApiRange;
  readonly exchange: Exchange;
  readonly request: RelayRequest;
  readonly back: TranslateBack | null;
  readonly deadline: Deadline | null;
  readonly heard: Changing['heard'];
  readonly finishes: boolean;
  readonly stage: BodyStage | null;
}

const AS_IT_IS: TranslateBack = (line) => line;

export class Carrier {
  readonly lookUp: LookUp;
  private readonly engine: Engine;
  private readonly recorder: Recorder;
  private readonly shared: SharedAnswers;

  constructor(engine: Engine, recorder: Recorder) {
    this.engine = engine;
    this.recorder = recorder;
    this.shared = new SharedAnswers(engine.pool, SHARED_BYTES);
    this.lookUp = lookUpOf(new LiveEngineDesk(engine, this.shared));
  }

  /**
   * Resolves when the answer is out, or the stream has ended. @throws Refusal when the engine gave no answer, and
   * whatever a stage of the body has ended the call with
   */
  async carry(call: Call, api: ApiRange, exchange: Exchange, changing: Changing): Promise<void> {
    // Nobody hears of it any more who could end it: a stream would run for ever.
    if (exchange.gone) return;
    if (changing.through.length === 0) return this.carryThrough(call, api, exchange, changing);
    const { stages, release } = releasing(changing.through);
    try {
      await this.carryThrough(call, api, exchange, { ...changing, through: stages });
    } finally {
      release();
    }
  }

  private async carryThrough(call: Call, api: ApiRange, exchange: Exchange, changing: Changing): Promise<void> {
    const { back, through, deadline = null, heard = null, finishes = false, answer: stage = null } = changing;
    const { endpoint } = call;
    const { travel } = endpoint.answer;
    const { head } = exchange;
    const request = meaningOf(head).sentFor(call, () => requestFor(call, head, through));
    const carried: Carried = { call, api, exchange, request, back, deadline, heard, finishes, stage };
    if (endpoint.shareable === true) return this.share(carried);
    if (!STREAMS.has(travel)) {
      const unread = (back === null && heard === null) || travel !== 'json';
      return unread ? this.relay(carried) : this.collect(carried);
    }
    this.recorder.streamOpened(travel);
    try {
      const read = travel === 'lines' && (back !== null || deadline !== null);
      await (read ? this.relayLines(carried, back ?? AS_IT_IS) : this.relay(carried));
    } finally {
      this.recorder.streamClosed(travel);
    }
  }

  /** Resolves when the stream is over. @throws Refusal */
  async tell(call: Call, stream: OwnStream, exchange: Exchange): Promise<void> {
    if (exchange.gone) return;
    const { endpoint, version } = call;
    const { travel } = endpoint.answer;
    this.recorder.streamOpened(travel);
    try {
      const print = (document: Json): string => `${printJson(eventAt(shownOf(endpoint, document), version))}\n`;
      await tellStream(exchange, stream, eventsMediaType(version), print);
    } finally {
      this.recorder.streamClosed(travel);
    }
  }

  private relay({ api, exchange, request, back, stage }: Carried): Promise<void> {
    const changed = stage === null ? this.engine.pool : transformingAnswers(this.engine.pool, stage);
    const pool = back === null ? changed : translatingFaults(changed, back);
    return new Promise((resolve, reject) => {
      let failed: OutboundFault | null = null;
      relay(exchange, pool, request, {
        onHead: (head) => clampHead(head, api),
        onFault: (fault) => {
          failed = fault;
        },
        onDone: (outcome) => {
          if (outcome.kind === 'engine-fault') this.engine.doubt();
          if (outcome.kind === 'stopped') reject(outcome.fault);
          else if (failed === null) resolve();
          else reject(engineRefusal(failed));
        },
      });
    });
  }

  private relayLines({ api, exchange, request, deadline }: Carried, back: TranslateBack): Promise<void> {
    return new Promise((resolve, reject) => {
      relayLines(exchange, this.engine.pool, request, back, {
        onHead: (head) => clampHead(head, api),
        onDone: (fault) => (fault === null ? resolve() : reject(this.failed(fault))),
        onStopped: reject,
        deadline,
      });
    });
  }

  /** The same answer for everybody who asks the same now; each is told it in its own words. */
  private share(carried: Carried): Promise<void> {
    const { request } = carried;
    return this.answerFrom(carried, (waiter) =>
      this.shared.ask(`${request.method} ${request.target}`, request, waiter),
    );
  }

  /** An answer that has to be read whole before it is told. */
  private collect(carried: Carried): Promise<void> {
    const alone = new SharedAnswers(this.engine.pool, COLLECTED_BYTES);
    return this.answerFrom(carried, (waiter) => alone.ask('', carried.request, waiter));
  }

  private answerFrom(carried: Carried, ask: (waiter: Waiter) => () => void): Promise<void> {
    const { call, api, exchange, back, heard = null, finishes } = carried;
    return new Promise((resolve, reject) => {
      const tell: Waiter['onAnswer'] = (head, body, once) => {
        try {
          const start = onward(clampHead(head, api), head);
          const clamped = clampBody(call.endpoint, body, api);
          const told = back === null ? clamped : once(back, () => back(clamped, start.status));
          const free = exchange.answer(start, told);
          resolve();
          return free;
        } catch (fault) {
          // Whoever tells the answer tells it to others too, and on the connection nobody would catch it.
          reject(fault);
          return true;
        }
      };
      const hear: Waiter['onAnswer'] = (head, body, once) => {
        // It is told in a later turn, when the wire may have read over it.
        const kept = Buffer.from(body);
        const hearing = async (): Promise<void> => heard?.(documentIn(kept), head.status);
        hearing().then(() => void tell(head, kept, once), reject);
        return true;
      };
      const leave = ask({
        onAnswer: heard === null ? tell : hear,
        onTooLarge: () => {
          if (back === null) this.relay(carried).then(resolve, reject);
          else reject(new Refusal('engine-garbage', 'the answer of the engine is too large to be read'));
        },
        onFault: (fault) => reject(this.failed(fault)),
      });
      if (finishes) return;
      exchange.onGone = () => {
        leave();
        resolve();
      };
    });
  }

  private failed(fault: OutboundFault): Refusal {
    this.engine.doubt();
    return engineRefusal(fault);
  }
}

/** Null for what is no JSON: an engine's page of an error. */
function documentIn(body: Buffer): Json {
  try {
    return readJson(body, MAX_DEPTH);
  } catch (fault) {
    if (fault instanceof JsonFault) return null;
    throw fault;
  }
}

/** How the engine is asked. @throws Refusal not-upgradable */
export function requestFor(call: Call, head: RequestHead, through: readonly BodyStage[] = []): RelayRequest {
  const upgrade = wantedUpgrade(call.endpoint, head.upgrade);
  const request = printCall(call, head.framing, upgrade);
  const stream = request.body !== null && !Buffer.isBuffer(request.body);
  const hijack = call.endpoint.answer.travel === 'hijack' && upgrade === null;
  if (!stream || through.length === 0) return { ...request, stream, hijack };
  // What a stage makes of it has another length.
  return { ...request, body: 'chunked', stream, through: chained(through), hijack };
}

/**
 * An upgrade is asked of the engine only where the endpoint has one: everywhere else the client's wish is dropped and
 * the call served as an ordinary one. @throws Refusal not-upgradable
 */
function wantedUpgrade(endpoint: Endpoint, asked: string | null): string | null {
  const protocol = PROTOCOLS[endpoint.answer.travel];
  if (protocol === undefined) return null;
  // An attach or exec without an upgrade is answered by dockerd with a raw 200 that goes both ways.
  if (protocol === 'tcp') return asked === null ? null : protocol;
  if (asked === protocol) return protocol;
  throw new Refusal('not-upgradable', `this endpoint needs "Upgrade: ${protocol}"`, { place: 'header Upgrade' });
}
