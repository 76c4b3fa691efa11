/** What a client of a judged listener is shown: nothing of ours, and what it asked for where a policy changed it. */

import type { Endpoint } from '../docker/endpoint.ts';
import { withoutExtraTrust } from '../docker/extra-trust.ts';
import { showGiven } from '../docker/given.ts';
import { withoutHost } from '../docker/hide-host.ts';
import { showLent } from '../docker/lent-paths.ts';
import { marksWithin } from '../docker/marks-within.ts';
import { tellContainers } from '../docker/named-things.ts';
import { hideReserved, RESERVED_PREFIX } from '../docker/reserved-labels.ts';
import type { Shape } from '../docker/shape.ts';
import { showSocket } from '../docker/socket-note.ts';
import { visit } from '../docker/visit.ts';
import { withWarnings } from '../docker/warnings.ts';
import { type Json, JsonFault, printJson, readJson } from '../ground/json.ts';
import { type Judgement, warningsOf } from './judge.ts';
import type { Names } from './namespacing.ts';

/**
 * Changes the JSON documents of one answer; gives back the same bytes where there is nothing to change, and none where
 * nothing of it may be told.
 */
export type TranslateBack = (document: Buffer, status: number) => Buffer;

const MAX_DEPTH = 128;
const NOTHING = Buffer.alloc(0);

/**
 * Null where the answer of the endpoint can pass unread. Warnings are told to the client where the answer has them;
 * `names` are those of a namespace.
 */
export function translatorOf(
  endpoint: Endpoint,
  judgement: Judgement,
  names: Names | null = null,
): TranslateBack | null {
  if (names !== null) return namingTranslator(endpoint, judgement, names);
  const { hidesHost, show } = judgement;
  const warnings = warningsOf(judgement);
  const { shape, travel } = endpoint.answer;
  if (shape === undefined || (travel !== 'json' && travel !== 'lines')) return null;
  // A wait is answered twice: its head at once, which clients wait for, and its body when the container has ended.
  if (show !== null) return showing(show, plainTranslator(endpoint, shape, hidesHost, warnings));
  if (warnings.length === 0 && !hidesHost && !tellsLabels(endpoint)) return null;
  if (warnings.length > 0) return plainTranslator(endpoint, shape, hidesHost, warnings);
  // The same one for all calls: who asks the same at the same time is told the same bytes.
  const made = hidesHost ? hiding : plain;
  const before = made.get(endpoint);
  if (before !== undefined) return before;
  const translate = plainTranslator(endpoint, shape, hidesHost, warnings);
  made.set(endpoint, translate);
  return translate;
}

const plain = new WeakMap<Endpoint, TranslateBack>();
const hiding = new WeakMap<Endpoint, TranslateBack>();

function plainTranslator(
  endpoint: Endpoint,
  shape: Shape,
  hidesHost: boolean,
  warnings: readonly string[],
): TranslateBack {
  return (document, status) => {
    if (status >= 300) return document;
    const ours = document.includes(RESERVED_PREFIX);
    if (!ours && !hidesHost && warnings.length === 0) return document;
    const read = parse(document);
    if (read === undefined) return document;
    const shown = ours ? hide(endpoint, shape, read) : read;
    return Buffer.from(printJson(withWarnings(endpoint, hidesHost ? withoutHost(shape, shown) : shown, warnings)));
  };
}

/** In what is told, after all else. */
function showing(show: (answer: Json) => Json, before: TranslateBack): TranslateBack {
  return (document, status) => {
    const told = before(document, status);
    const read = status >= 300 ? undefined : parse(told);
    return read === undefined ? told : Buffer.from(printJson(show(read)));
  };
}

function namingTranslator(endpoint: Endpoint, judgement: Judgement, names: Names): TranslateBack {
  const translate = plainNaming(endpoint, warningsOf(judgement), names);
  return judgement.show === null ? translate : showing(judgement.show, translate);
}

function plainNaming(endpoint: Endpoint, warnings: readonly string[], names: Names): TranslateBack {
  const { shape } = endpoint.answer;
  return (document, status) => {
    const read = parse(document);
    if (read === undefined) return Buffer.from(names.toldText(document.toString()));
    const told = names.told(read, status);
    if (told === undefined) return NOTHING;
    if (status >= 300 || shape === undefined) return Buffer.from(printJson(told));
    return Buffer.from(printJson(withWarnings(endpoint, shownOf(endpoint, told), warnings)));
  };
}

/** What a client of a namespace is shown of a document that speaks its names already: nobody there has a need of the host. */
export function shownOf(endpoint: Endpoint, told: Json): Json {
  const { shape } = endpoint.answer;
  return shape === undefined ? told : withoutHost(shape, hide(endpoint, shape, told));
}

const known = new WeakMap<Endpoint, boolean>();

/** Whether labels can stand in the answer at all. */
function tellsLabels(endpoint: Endpoint): boolean {
  let tells = known.get(endpoint);
  if (tells === undefined) {
    const { shape } = endpoint.answer;
    tells = shape !== undefined && marksWithin(shape).some(({ mark }) => mark === 'labels');
    known.set(endpoint, tells);
  }
  return tells;
}

function hide(endpoint: Endpoint, shape: Shape, document: Json): Json {
  return visit(shape, asAsked(endpoint.id, document), hideReserved);
}

/** Containers as their clients wanted them, where they were made otherwise. */
function asAsked(endpointId: string, document: Json): Json {
  if (endpointId === 'ContainerInspect') return withoutExtraTrust(showGiven(showLent(showSocket(document))));
  return tellContainers(endpointId, document, (one) => showLent(showSocket(one)));
}

/** What the engine says that is not JSON is an error page; it has no labels of ours. */
function parse(document: Buffer): Json | undefined {
  try {
    return readJson(document, MAX_DEPTH);
  } catch (fault) {
    if (fault instanceof JsonFault) return undefined;
    throw fault;
  }
}
