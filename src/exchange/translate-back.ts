/** What a client of a judged listener is shown: nothing of ours, and what it asked for where a policy changed it. */

import type { Endpoint } from '../docker/endpoint.ts';
import { showGiven } from '../docker/given.ts';
import { hideReserved, RESERVED_PREFIX } from '../docker/reserved-labels.ts';
import type { Shape } from '../docker/shape.ts';
import { visit } from '../docker/visit.ts';
import { withWarnings } from '../docker/warnings.ts';
import { type Json, JsonFault, printJson, readJson } from '../ground/json.ts';

/** Changes the JSON documents of one answer; gives back the same bytes where there is nothing to change. */
export type TranslateBack = (document: Buffer) => Buffer;

const MAX_DEPTH = 128;

/** Null where the answer of the endpoint can pass unread. `warnings` are told to the client where the answer has them. */
export function translatorOf(endpoint: Endpoint, warnings: readonly string[]): TranslateBack | null {
  const { shape, travel } = endpoint.answer;
  if (shape === undefined || (travel !== 'json' && travel !== 'lines')) return null;
  return (document) => {
    const ours = document.includes(RESERVED_PREFIX);
    if (!ours && warnings.length === 0) return document;
    const read = parse(document);
    if (read === undefined) return document;
    return Buffer.from(printJson(withWarnings(endpoint, ours ? hide(endpoint, shape, read) : read, warnings)));
  };
}

function hide(endpoint: Endpoint, shape: Shape, document: Json): Json {
  return visit(shape, endpoint.id === 'ContainerInspect' ? showGiven(document) : document, hideReserved);
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
