/** The request that an engine is sent: printed from the values of the call, never the client's bytes. */

import { printPath } from '../docker/match.ts';
import { printQuery } from '../docker/query.ts';
import { printJson } from '../ground/json.ts';
import type { Framing, RawHeaders } from '../wire/message.ts';
import type { OutboundRequest } from '../wire/outbound.ts';
import type { Call } from './call.ts';

/** `framing` is that of the client's body, for endpoints whose body is a stream. */
export function printCall(call: Call, framing: Framing, upgrade: string | null): OutboundRequest {
  const { endpoint } = call;
  const target = `/v1.${call.version}${printPath(endpoint, call.parameters)}${printQuery(call.query, endpoint.query)}`;
  return {
    method: endpoint.method,
    target: endpoint.path === '*' ? '*' : target,
    headers: printHeaders(call),
    body: printBody(call, framing),
    upgrade,
  };
}

function printHeaders(call: Call): RawHeaders {
  const printed = ['Host', 'docker'];
  for (const name in call.headers) {
    for (const value of call.headers[name] as readonly string[]) printed.push(name, value);
  }
  const { contentType } = call.endpoint.body;
  if (contentType !== undefined) printed.push('Content-Type', contentType);
  return printed;
}

function printBody(call: Call, framing: Framing): OutboundRequest['body'] {
  switch (call.endpoint.body.travel) {
    case 'json':
      return call.body === null ? null : Buffer.from(printJson(call.body));
    case 'tar':
      if (framing.kind === 'length') return framing.bytes === 0 ? null : { length: framing.bytes };
      return framing.kind === 'chunked' ? 'chunked' : null;
    default:
      return null;
  }
}
