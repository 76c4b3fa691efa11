/** Takes a call to its engine and the answer back: printed, streamed, tunnelled or shared, as the table says. */

import type { AnswerTravel, Endpoint } from '../docker/endpoint.ts';
import { Refusal } from '../ground/refusal.ts';
import { endToEnd } from '../wire/end-to-end.ts';
import type { Exchange } from '../wire/inbound.ts';
import type { OutboundRequest } from '../wire/outbound.ts';
import type { OutboundFault } from '../wire/outbound-fault.ts';
import { relay } from '../wire/relay.ts';
import type { Call } from './call.ts';
import { clampBody, clampHead } from './clamp-version.ts';
import type { ApiRange, Engine } from './engine.ts';
import { engineRefusal } from './engine-fault.ts';
import { printCall } from './print-call.ts';
import type { Recorder } from './recorder.ts';
import { SharedAnswers } from './shared-answers.ts';

/** An answer up to this size is kept for all who asked the same; larger ones are streamed to each. */
const SHARED_BYTES = 16 * 1024 * 1024;

/** What an upgrade of each kind is called on the wire. */
const PROTOCOLS: Partial<Record<AnswerTravel, string>> = { hijack: 'tcp', websocket: 'websocket', h2c: 'h2c' };

/** Answers that live as long as something happens. */
const STREAMS: ReadonlySet<AnswerTravel> = new Set(['lines', 'frames', 'tar', 'hijack', 'websocket', 'h2c']);

export class Carrier {
  private readonly engine: Engine;
  private readonly recorder: Recorder;
  private readonly shared: SharedAnswers;

  constructor(engine: Engine, recorder: Recorder) {
    this.engine = engine;
    this.recorder = recorder;
    this.shared = new SharedAnswers(engine.pool, SHARED_BYTES);
  }

  /** Resolves when the answer is out, or the stream has ended. @throws Refusal when the engine gave no answer */
  carry(call: Call, api: ApiRange, exchange: Exchange): Promise<void> {
    const { endpoint } = call;
    const upgrade = wantedUpgrade(endpoint, exchange.head.upgrade);
    const request = printCall(call, exchange.head.framing, upgrade);
    if (endpoint.shareable === true) return this.share(call, api, exchange, request);
    return this.relay(call, api, exchange, request);
  }

  private relay(call: Call, api: ApiRange, exchange: Exchange, request: OutboundRequest): Promise<void> {
    const { travel } = call.endpoint.answer;
    const streams = STREAMS.has(travel);
    if (streams) this.recorder.streamOpened(travel);
    return new Promise((resolve, reject) => {
      let failed: OutboundFault | null = null;
      const stream = request.body !== null && !Buffer.isBuffer(request.body);
      relay(
        exchange,
        this.engine.pool,
        { ...request, stream, hijack: travel === 'hijack' && request.upgrade === null },
        {
          onHead: (head) => clampHead(head, api),
          onFault: (fault) => {
            failed = fault;
          },
          onDone: (outcome) => {
            if (streams) this.recorder.streamClosed(travel);
            if (outcome.kind === 'engine-fault') this.engine.doubt();
            if (failed === null) resolve();
            else reject(engineRefusal(failed));
          },
        },
      );
    });
  }

  private share(call: Call, api: ApiRange, exchange: Exchange, request: OutboundRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = this.shared.ask(`${request.method} ${request.target}`, request, {
        onAnswer: (head, body) => {
          const { status, reason, headers } = clampHead(head, api);
          exchange.answer({ status, reason, headers: endToEnd(headers) }, clampBody(call.endpoint, body, api));
          resolve();
        },
        onTooLarge: () => this.relay(call, api, exchange, request).then(resolve, reject),
        onFault: (fault) => {
          this.engine.doubt();
          reject(engineRefusal(fault));
        },
      });
      exchange.onGone = () => {
        leave();
        resolve();
      };
    });
  }
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
