/** Connections that carry gRPC: BuildKit's API, and the client's side of a build. */

import { endpoint } from '../endpoint.ts';
import { makes, own } from '../marks.ts';
import { list, text } from '../shape.ts';

/** What a client offers to a build, whichever way it comes. */
export const sessionHeaders = {
  'x-docker-expose-session-uuid': text(makes('session', 'id')),
  'x-docker-expose-session-name': text(own),
  /** Sessions with one key share the files that they have sent. */
  'x-docker-expose-session-sharedkey': text(makes('session', 'name')),
  'x-docker-expose-session-grpc-method': list(text(own)),
} as const;

export const sessionEndpoints = [
  endpoint({
    id: 'Session',
    summary: 'Offer files, secrets and credentials to a build: here the engine asks, and the client serves',
    method: 'POST',
    path: '/session',
    risk: 'build',
    since: '1.31',
    carries: 'offers',
    headers: sessionHeaders,
    body: { travel: 'h2c' },
    answer: { travel: 'h2c' },
  }),
  endpoint({
    id: 'Grpc',
    summary: "Speak with BuildKit's control API",
    method: 'POST',
    path: '/grpc',
    risk: 'build',
    carries: 'calls',
    undocumented: 'daemon/server/router/grpc/grpc.go',
    body: { travel: 'h2c' },
    answer: { travel: 'h2c' },
  }),
];
