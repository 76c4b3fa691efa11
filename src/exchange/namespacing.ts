/** What a listener with a namespace makes of a call: names of the client become those of the engine, and back. */

import type { Json } from '../ground/json.ts';
import type { BodyStage } from './body-stage.ts';
import type { BuildNaming } from './build-judge.ts';
import type { Call } from './call.ts';
import type { LoadJudge } from './load-judge.ts';
import type { InnerPassage, Offer } from './mediation.ts';
import type { PolicyContext } from './policy.ts';

/** `web` of alice is `alice.web` for the engine. The first dot ends the namespace. */
export function engineName(namespace: string, name: string): string {
  return `${namespace}.${name}`;
}

/** The names of one answer, as the client knows them. */
export interface Names {
  /** Undefined where nothing of it is the client's: a line that is left out. */
  told(document: Json, status: number): Json | undefined;
  /** The same for what is not JSON. */
  toldText(text: string): string;
}

/** An answer without the engine. */
export interface OwnAnswer {
  readonly status: number;
  readonly body: Json;
}

export interface Telling {
  tell(document: Json): void;
  /** Null where it ends as it should. */
  end(fault: Error | null): void;
}

/** An answer that is told as it comes, without a call of the client's own to the engine. */
export interface OwnStream {
  /** Resolves when everything from then on is told; gives how to leave. @throws Refusal */
  begin(telling: Telling): Promise<() => void>;
}

/** A call that has come into its namespace. */
export interface Passage {
  readonly call: Call;
  readonly names: Names;
  /** What is answered without the engine; null where the call is carried. */
  readonly answer: OwnAnswer | null;
  /** What is told in place of an answer of the engine, where it is that. */
  readonly stream?: OwnStream;
  /** When the call is over, however it went. `failed`: it was refused, here or by the engine. */
  readonly ended?: (failed: boolean) => void;
  /** Of a build, whose Dockerfile the engine reads in other words. */
  readonly build?: BuildNaming;
  /** What the archive of a load passes through, which has judges. */
  readonly load?: (judges: readonly LoadJudge[]) => BodyStage;
  /** What the engine's answer passes through, where it travels as a stream of bytes. */
  readonly through?: BodyStage;
}

/** One namespace, as its calls see it. */
export interface Namespace {
  readonly name: string;
  /** What policies ask: about the namespace's own things, by the client's names, told in the client's names. */
  readonly context: PolicyContext;
  /** What is answered whatever the policies say, since nothing is done and nothing told; null for every other call. */
  answerAlone(call: Call): OwnAnswer | null;
  /** @throws Refusal `not-found` in dockerd's words for what is absent or another's, `refused` for what no namespace has */
  enter(call: Call): Promise<Passage>;
  /** The same for a call within a connection. @throws Refusal */
  enterInner(call: Call): Promise<InnerPassage>;
  /** What a client offers to its builds, as long as it does: gives how it ends. The headers are the engine's. */
  offered(headers: Call['headers'], offer: Offer): () => void;
}

export interface Namespacing {
  /** @throws Refusal where the identity has no namespace here, or none can be chosen for the call */
  of(call: Call): Namespace | Promise<Namespace>;
}
