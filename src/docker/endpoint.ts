/** One operation of the Docker Engine API, as data. */

import type { Mark } from './marks.ts';
import type { ApiVersion, ObjectShape, Shape, TextShape } from './shape.ts';

/** How much trust a call needs. */
export type Risk =
  | 'ping' // tells only that an engine is there, and its version
  | 'read' // looks at objects
  | 'write' // makes, changes or removes objects
  | 'exec' // runs programs or talks to them
  | 'build' // builds images
  | 'transfer' // the engine speaks with registries or other hosts
  | 'cluster' // swarm and plugins: root on every node
  | 'tunnel' // carries another protocol, unread
  | 'never'; // reaches the engine's insides: not served at all

/** How bytes travel. */
type RequestTravel = 'none' | 'json' | 'tar' | 'hijack' | 'websocket' | 'h2c' | 'grpc';
export type AnswerTravel =
  | 'none' // a status, and headers
  | 'text' // plain text
  | 'json' // one JSON document
  | 'lines' // JSON documents, one behind the other, as they happen
  | 'tar'
  | 'frames' // Docker's multiplexed (or, with a terminal, raw) output
  | 'hijack' // 101 `tcp`, or the legacy raw 200: both ways, as bytes
  | 'websocket'
  | 'h2c'
  | 'grpc'; // messages of a method, within `h2c`

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS';

export interface RequestBody {
  readonly travel: RequestTravel;
  /** For `json`: what it says. */
  readonly shape?: Shape;
  /** The body may be empty; for `json` that means all defaults. */
  readonly optional?: boolean;
  /** What the outgoing request says that it carries. */
  readonly contentType?: string;
}

export interface AnswerBody {
  readonly travel: AnswerTravel;
  readonly shape?: Shape;
}

export interface Endpoint {
  /** Docker's own operation id, e.g. `ContainerCreate`; stable: policies, metrics and the audit name it. */
  readonly id: string;
  readonly summary: string;
  readonly method: Method;
  /** Without the version: `/containers/{id}/json`. */
  readonly path: string;
  readonly risk: Risk;
  readonly since: ApiVersion;
  /** The last version that has it. */
  readonly until?: ApiVersion;
  readonly parameters: Readonly<Record<string, TextShape>>;
  readonly query: Readonly<Record<string, Shape>>;
  /** Request headers that are carried, by lower-case name, beside those of every call. */
  readonly headers: Readonly<Record<string, Shape>>;
  readonly body: RequestBody;
  readonly answer: AnswerBody;
  /** Headers of the answer that mean something, by lower-case name. */
  readonly answerHeaders: Readonly<Record<string, Shape>>;
  /** What every call means, whatever else it says. */
  readonly marks?: readonly Mark[];
  /** Not in Docker's OpenAPI file; says where moby registers it. */
  readonly undocumented?: string;
  /** Its refusals can repeat what a client has said earlier: a command line, names of files. */
  readonly repeats?: boolean;
  /** The connection carries calls that are in a table of their own; or what a client offers to them, where the engine asks. */
  readonly carries?: 'calls' | 'offers';
  /** What it makes takes room on the engine's disk. */
  readonly fills?: boolean;
  /** Everybody who asks at the same time may be given one answer of the engine (what many poll). */
  readonly shareable?: boolean;
}

type Declared = Pick<Endpoint, 'id' | 'summary' | 'method' | 'path' | 'risk' | 'answer'> & Partial<Endpoint>;

const nothing: RequestBody = { travel: 'none' };

/** Declares an endpoint; what is not said is empty, and the first version is 1.24. */
export function endpoint(declared: Declared): Endpoint {
  return {
    since: '1.24',
    parameters: {},
    query: {},
    headers: {},
    body: nothing,
    answerHeaders: {},
    ...declared,
  };
}

export function jsonBody(shape: ObjectShape | Shape, how: { optional?: boolean } = {}): RequestBody {
  return { travel: 'json', shape, contentType: 'application/json', ...how };
}

export function json(shape: Shape): AnswerBody {
  return { travel: 'json', shape };
}

export function lines(shape: Shape): AnswerBody {
  return { travel: 'lines', shape };
}

/** A status and headers, without a body. */
export const empty: AnswerBody = { travel: 'none' };
