/** Turns what came over the wire into the values of a call, by the endpoint's shapes. */

import type { Endpoint } from '../docker/endpoint.ts';
import { readAs, type Unknown } from '../docker/read.ts';
import type { Shape } from '../docker/shape.ts';
import { isObject, type Json, JsonFault, readJson } from '../ground/json.ts';
import { Refusal } from '../ground/refusal.ts';
import type { Exchange } from '../wire/inbound.ts';
import { headerValue, type RawHeaders } from '../wire/message.ts';

export interface BodyLimits {
  readonly jsonBytes: number;
  readonly jsonDepth: number;
}

export interface ReadBody {
  readonly body: Json;
  readonly unknown: readonly Unknown[];
}

/** Of a body: what is judged and translated value by value keeps everybody else waiting. No client says a hundredth of it. */
const MAX_VALUES = 20_000;
const NO_BODY: ReadBody = { body: null, unknown: [] };
const FORMS = /^(application\/x-www-form-urlencoded|multipart\/)/i;

/** Headers that every call may carry. */
const COMMON_HEADERS: Readonly<Record<string, true>> = { 'user-agent': true };

/** Whether the engine would read the body of a call as JSON, or get a stream, or nothing. */
export function readBody(endpoint: Endpoint, exchange: Exchange, limits: BodyLimits): ReadBody | Promise<ReadBody> {
  const { framing, headers } = exchange.head;
  const bodyless = framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0);
  if (bodyless) {
    if (endpoint.body.travel === 'json' && endpoint.body.optional !== true) {
      throw new Refusal('unreadable-body', 'a JSON body is expected', { place: 'body' });
    }
    return NO_BODY;
  }
  const mediaType = headerValue(headers, 'content-type') ?? '';
  // Go takes a form body over the query: it would be read there and not here.
  if (FORMS.test(mediaType.trim())) {
    throw new Refusal('media-type', 'form bodies are not taken: they would override the query', {
      place: 'header Content-Type',
    });
  }
  switch (endpoint.body.travel) {
    case 'json':
      return readJsonBody(endpoint, exchange, limits, mediaType);
    case 'none':
    case 'hijack':
      return dropBody(exchange, limits);
    default:
      return NO_BODY;
  }
}

async function readJsonBody(
  endpoint: Endpoint,
  exchange: Exchange,
  limits: BodyLimits,
  mediaType: string,
): Promise<ReadBody> {
  if (!/^application\/json\s*(;|$)/i.test(mediaType.trim())) {
    throw new Refusal('media-type', `unsupported Content-Type header (${mediaType}): must be 'application/json'`, {
      place: 'header Content-Type',
    });
  }
  const bytes = await exchange.readBody(limits.jsonBytes);
  if (bytes.length === 0) {
    if (endpoint.body.optional === true) return NO_BODY;
    throw new Refusal('unreadable-body', 'a JSON body is expected', { place: 'body' });
  }
  let value: Json;
  try {
    value = readJson(bytes, limits.jsonDepth, MAX_VALUES);
  } catch (fault) {
    if (!(fault instanceof JsonFault)) throw fault;
    throw new Refusal('unreadable-body', fault.message, { place: fault.place || 'body', cause: fault });
  }
  const { unknown } = readAs(endpoint.body.shape as Shape, value);
  return { body: value, unknown: unknown.filter(({ place }) => !dropSaidAgain(endpoint, value, place)) };
}

/**
 * dockerode says the query once more in the body, and engines do not look at it there; so it means nothing, and is never
 * sent on.
 */
function dropSaidAgain(endpoint: Endpoint, body: Json, place: string): boolean {
  if (!isObject(body) || !Object.hasOwn(endpoint.query, place)) return false;
  return delete (body as Record<string, Json>)[place];
}

/** An endpoint that takes no body gets none, for the same reason. */
async function dropBody(exchange: Exchange, limits: BodyLimits): Promise<ReadBody> {
  await exchange.readBody(limits.jsonBytes);
  return NO_BODY;
}

/** @throws Refusal unreadable-header when one that is single stands twice */
export function readHeaders(endpoint: Endpoint, raw: RawHeaders): Record<string, readonly string[]> {
  const carried: Record<string, string[]> = {};
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase();
    const shape = Object.hasOwn(endpoint.headers, name) ? endpoint.headers[name] : undefined;
    if (shape === undefined && COMMON_HEADERS[name] !== true) continue;
    const before = carried[name];
    if (before === undefined) {
      carried[name] = [raw[i + 1] as string];
    } else if (shape?.kind === 'list') {
      before.push(raw[i + 1] as string);
    } else {
      throw new Refusal('unreadable-header', 'the header stands twice', { place: `header ${name}` });
    }
  }
  return carried;
}
