/** Why a call was not served. Thrown where it is known, rendered once. */

/** Whose doing it is. */
export type RefusalSource = 'client' | 'policy' | 'engine' | 'self';

interface Reason {
  readonly status: number;
  readonly source: RefusalSource;
  readonly about: string;
}

/** Every reason there is. The codes are stable: they stand in the header `Berthgate-Refusal`, in logs and metrics. */
export const reasons = {
  'unreadable-request': { status: 400, source: 'client', about: 'The bytes are not one well-formed HTTP/1.1 request.' },
  'unreadable-path': { status: 400, source: 'client', about: 'The path can be read in two ways.' },
  'unreadable-query': {
    status: 400,
    source: 'client',
    about: 'The query can be read in two ways, or a value is not of its type.',
  },
  'unreadable-header': {
    status: 400,
    source: 'client',
    about: 'A header that means something to the engine can be read in two ways.',
  },
  'unreadable-body': {
    status: 400,
    source: 'client',
    about: 'The body can be read in two ways, or is not what the endpoint takes.',
  },
  'media-type': { status: 415, source: 'client', about: 'The body has a media type that the endpoint does not take.' },
  'body-too-large': {
    status: 413,
    source: 'client',
    about: 'The body is over the limit of the listener (requests.json).',
  },
  'head-too-large': {
    status: 431,
    source: 'client',
    about: 'The head is over a limit of the listener (requests.head, requests.headers).',
  },
  'too-slow': {
    status: 408,
    source: 'client',
    about: 'The head or the body did not come in time (requests.headTimeout, requests.bodyTimeout).',
  },
  'slow-reader': {
    status: 408,
    source: 'client',
    about: 'The client reads what it is told more slowly than it happens; its stream was cut off.',
  },
  'too-many-connections': {
    status: 429,
    source: 'client',
    about: 'The listener has as many connections as it may (requests.connections).',
  },
  'page-not-found': { status: 404, source: 'client', about: "No such endpoint; the words are dockerd's own." },
  'not-found': {
    status: 404,
    source: 'client',
    about: "What the call names is not there, or is another's; the words are dockerd's own.",
  },
  'absent-in-create': {
    status: 400,
    source: 'client',
    about:
      "What the create of a container names besides its image is not there, or is another's; the words are dockerd's own. Clients take 404 for the image's absence, and pull it.",
  },
  ambiguous: {
    status: 400,
    source: 'client',
    about: "What the call names begins several ids; the words are dockerd's own.",
  },
  'version-too-old': { status: 400, source: 'client', about: 'The API version is older than what is served.' },
  'version-too-new': {
    status: 400,
    source: 'client',
    about: 'The API version is newer than what the engine and Berthgate both know.',
  },
  'not-upgradable': {
    status: 400,
    source: 'client',
    about: 'The endpoint needs an upgrade that the request does not ask for, or in another form.',
  },
  'not-identified': { status: 401, source: 'client', about: 'No authenticator of the listener accepted the client.' },
  'too-many-attempts': {
    status: 429,
    source: 'client',
    about: 'Too many wrong passwords of this user or from this client, or too many to look at in time.',
  },
  'identity-unavailable': {
    status: 503,
    source: 'self',
    about: "What would say who the client is (the name service, an issuer's keys) does not answer.",
  },
  refused: { status: 403, source: 'policy', about: 'A policy of the listener refused the call.' },
  'over-limit': {
    status: 403,
    source: 'policy',
    about: 'What the call asks for is over a limit of the user or the namespace.',
  },
  'too-many-at-once': {
    status: 429,
    source: 'policy',
    about: 'As many are in use as may be at one time; try again when one has ended.',
  },
  'disk-full': {
    status: 507,
    source: 'engine',
    about:
      "The engine's disk is fuller than it may be (gc.high): nothing is made, pulled or built until there is room.",
  },
  draining: { status: 503, source: 'self', about: 'Berthgate is shutting down.' },
  'engine-refused': { status: 503, source: 'engine', about: 'The engine does not accept connections.' },
  'engine-reset': { status: 502, source: 'engine', about: 'The engine ended the connection before it had answered.' },
  'engine-garbage': { status: 502, source: 'engine', about: 'What the engine answered is not HTTP.' },
  'engine-timeout': { status: 504, source: 'engine', about: 'The engine did not answer in time.' },
  'own-fault': { status: 500, source: 'self', about: 'A fault of Berthgate itself; the log says more.' },
} as const satisfies Record<string, Reason>;

export type RefusalCode = keyof typeof reasons;

export interface RefusalFacts {
  /** Where in the call: `HostConfig.Privileged`, `query.filters`. */
  readonly place?: string;
  /** What the client can do about it. */
  readonly hint?: string;
  /** Of 401: what `WWW-Authenticate` says in place of the standing offer of the same scheme. */
  readonly challenge?: string;
  readonly cause?: unknown;
  /** Of policies: which one refused, by which of its rules, and the id of the audit entry. */
  readonly policy?: string;
  readonly rule?: string;
  readonly id?: string;
}

export class Refusal extends Error {
  readonly code: RefusalCode;
  readonly status: number;
  readonly source: RefusalSource;
  readonly place: string | undefined;
  readonly hint: string | undefined;
  readonly challenge: string | undefined;
  readonly policy: string | undefined;
  readonly rule: string | undefined;
  readonly id: string | undefined;

  constructor(code: RefusalCode, message: string, facts: RefusalFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.status = reasons[code].status;
    this.source = reasons[code].source;
    this.place = facts.place;
    this.hint = facts.hint;
    this.challenge = facts.challenge;
    this.policy = facts.policy;
    this.rule = facts.rule;
    this.id = facts.id;
  }
}
