/**
 * Connections that carry calls of their own (BuildKit's gRPC within `/grpc`), on listeners with rules: each call within
 * is judged like one that came by itself.
 */

import type { Endpoint } from '../docker/endpoint.ts';
import type { Unknown } from '../docker/read.ts';
import type { RegistryCredentials } from '../docker/registry-credentials.ts';
import type { SourceRule } from '../docker/source-policy.ts';
import type { Json } from '../ground/json.ts';
import type { Refusal } from '../ground/refusal.ts';
import type { Exchange } from '../wire/inbound.ts';
import type { OutboundRequest } from '../wire/outbound.ts';
import { asRefusal, spelled } from './answer-refusal.ts';
import type { Call } from './call.ts';
import type { Engine } from './engine.ts';
import { type Decision, judge } from './judge.ts';
import type { BuildSources, Policy, PolicyContext } from './policy.ts';
import type { Recorder } from './recorder.ts';
import { needsRoom } from './room-on-disk.ts';

/** A call within a connection. */
export interface InnerCall {
  readonly endpoint: Endpoint;
  /** @throws Refusal when it cannot be read */
  read(): Promise<{
    readonly headers: Call['headers'];
    readonly body: Json;
    readonly unknown: readonly Unknown[];
  }>;
  /** Resolves with the status, as HTTP would say it, when the answer is out. @throws Refusal */
  carry(passage: InnerPassage, sources: readonly BuildSources[]): Promise<number>;
}

/** A call within a connection, as the engine is to be told it. */
export interface InnerPassage {
  readonly call: Call;
  /** Null where the client is told what the engine says, as it says it. */
  readonly names: InnerNames | null;
  /** What is answered without the engine, message by message; null where it is asked. */
  readonly answer: readonly Json[] | null;
  /** Where the sources of a build are found under the rules of a namespace. */
  readonly sources: readonly SourceRule[];
  /** The addresses, `HOST:PORT`, at which they find images. */
  readonly found: readonly string[];
  ended(): void;
}

export interface InnerNames {
  /** Undefined where nothing of it is the client's. */
  told(document: Json): Json | undefined;
  toldText(text: string): string;
}

export function asItIs(call: Call): InnerPassage {
  return { call, names: null, answer: null, sources: [], found: [], ended: () => {} };
}

/** What a client offers to its builds. */
export interface Offer {
  /** Null where it has none for the registry. */
  credentials(registry: string): Promise<RegistryCredentials | null>;
}

export interface MediatedConnection {
  /** How the engine is asked for a connection over which it takes what a client offers. */
  sessionRequest(headers: Call['headers']): OutboundRequest;
  /** Where offers are known by whom they are for; null where the engine takes them as they are. */
  readonly offers: ((headers: Call['headers'], offer: Offer) => () => void) | null;
  readonly exchange: Exchange;
  /** How the engine is asked for the same connection. */
  readonly request: OutboundRequest;
  readonly engine: Engine;
  /** Gives what the client is to be told in place of an answer; null where it has one. Never throws. */
  serve(inner: InnerCall): Promise<string | null>;
}

export interface Mediation {
  /** Resolves when the connection has ended. @throws Refusal when the engine gives no such connection */
  mediate(connection: MediatedConnection): Promise<void>;
  /** The same where the connection itself is an offer, as the headers say. */
  offer(connection: MediatedConnection, headers: Call['headers']): Promise<void>;
}

export interface InnerWay {
  readonly policies: readonly Policy[];
  readonly context: PolicyContext;
  readonly engine: Engine;
  readonly recorder: Recorder;
  readonly help: string | null;
  /** What the policies do not decide. @throws Refusal */
  enter(call: Call): Promise<InnerPassage>;
}

/** `opened` is the call that opened the connection. */
export async function serveInner(opened: Call, inner: InnerCall, way: InnerWay): Promise<string | null> {
  const { endpoint } = inner;
  const startedAt = performance.now();
  const decisions: Decision[] = [];
  let call: Call | null = null;
  let refusal: Refusal | null = null;
  let status: number;
  let ended: (status: number) => void = () => {};
  try {
    const { headers, body, unknown } = await inner.read();
    call = { ...opened, endpoint, parameters: {}, query: {}, headers, body, unknown };
    needsRoom(way.engine, endpoint);
    const judgement = await judge(way.policies, call, way.context, decisions);
    ended = (code) => judgement.ended(code);
    const passage = await way.enter(judgement.call);
    try {
      status = await inner.carry(passage, judgement.sources);
    } finally {
      passage.ended();
    }
  } catch (fault) {
    refusal = asRefusal(fault);
    status = refusal.status;
  }
  ended(status);
  way.recorder.callEnded({
    listener: opened.listener,
    method: endpoint.method,
    target: endpoint.path,
    endpoint,
    identity: opened.identity,
    status,
    call,
    refusal,
    decisions,
    durationMs: performance.now() - startedAt,
    bytesIn: 0,
    bytesOut: 0,
  });
  return refusal === null ? null : spelled(refusal, way.help);
}
