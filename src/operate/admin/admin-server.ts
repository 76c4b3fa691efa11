/**
 * What operators and their tools ask over HTTP: /healthz, /readyz, /metrics, /ca.crt, and for administrators alone /api/….
 * Knows nothing of who listens where.
 */

import http from 'node:http';
import { HandedConnections, LOOK_EVERY_MS, STALLED_MS } from '../../wire/handed-connections.ts';
import type { AnswerApi } from './api.ts';

export interface EngineReadiness {
  readonly name: string;
  readonly up: boolean;
  readonly since: string;
  readonly version: string | null;
  readonly reason: string | null;
}

/** Where engines find the images of namespaces. */
export interface GatewayReadiness {
  readonly address: string;
  readonly up: boolean;
  readonly reason: string | null;
}

export interface FirewallReadiness {
  readonly inPlace: boolean;
  /** Whether it must be there. */
  readonly required: boolean;
  /** Why it is not in place, for all engines or some. */
  readonly missing: readonly string[];
}

interface Readiness {
  readonly draining: boolean;
  readonly engines: readonly EngineReadiness[];
  readonly gateways: readonly GatewayReadiness[];
  /** Absent where nobody has a namespace, and where it is not wanted. */
  readonly firewall?: FirewallReadiness | undefined;
}

export interface AdminSources {
  /** Asks the engines, within a few seconds. */
  readonly readiness: () => Promise<Readiness>;
  readonly metrics: () => Promise<string>;
  /** PEM of what containers are made to trust; null where there is nothing. */
  readonly roots: () => string | null;
  readonly version: string;
}

/** From the first byte to the last. */
const REQUEST_MS = 10_000;
const MOST_CONNECTIONS = 256;
const PEM_TYPE = 'application/x-pem-file';
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * Without `apis`, for whoever can reach a port: nothing is told of what anybody has, and nothing done. What administrators ask
 * for takes what it takes, and may have nothing to say meanwhile.
 */
export function makeAdminServer(
  sources: AdminSources,
  apis: readonly AnswerApi[],
  stalledMs = STALLED_MS,
  requestMs = REQUEST_MS,
): HandedConnections {
  const server = http.createServer(
    {
      headersTimeout: requestMs,
      requestTimeout: requestMs,
      keepAliveTimeout: 60_000,
      connectionsCheckingInterval: Math.min(LOOK_EVERY_MS, requestMs),
      maxHeaderSize: 16 * 1024,
    },
    (request, response) => {
      // Nothing here takes a body.
      request.resume();
      if (apis.some((answers) => answers(request, response))) return;
      answer(sources, request).then(
        ({ status, type, body }) => send(request, response, status, type, body),
        () => send(request, response, 500, 'application/json', '{"message":"berthgate: internal fault"}\n'),
      );
    },
  );
  return new HandedConnections(server, MOST_CONNECTIONS, apis.length > 0 ? 0 : stalledMs);
}

interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

async function answer(sources: AdminSources, { method, url }: http.IncomingMessage): Promise<Page> {
  const path = url?.split('?', 1)[0];
  if (path !== '/healthz' && path !== '/readyz' && path !== '/metrics' && path !== '/ca.crt') {
    return json(404, { message: 'page not found' });
  }
  if (method !== 'GET' && method !== 'HEAD') return json(405, { message: 'only GET and HEAD' });
  if (path === '/healthz') return json(200, { status: 'alive', version: sources.version });
  if (path === '/ca.crt') {
    const roots = sources.roots();
    return roots === null
      ? json(404, { message: 'nothing is intercepted here' })
      : { status: 200, type: PEM_TYPE, body: roots };
  }
  if (path === '/metrics') return { status: 200, type: METRICS_TYPE, body: await sources.metrics() };
  const readiness = await sources.readiness();
  const reasons = reasonsOf(readiness);
  const { engines, gateways, firewall } = readiness;
  return json(reasons.length === 0 ? 200 : 503, {
    ready: reasons.length === 0,
    ...(reasons.length === 0 ? {} : { reason: reasons.join('; ') }),
    engines,
    gateways,
    ...(firewall === undefined ? {} : { firewall }),
  });
}

function reasonsOf({ draining, engines, gateways, firewall }: Readiness): readonly string[] {
  return [
    ...(draining ? ['shutting down'] : []),
    ...engines.filter(({ up }) => !up).map(({ name, reason }) => `engine ${name}: ${reason ?? 'is not up'}`),
    ...gateways.filter(({ up }) => !up).map(({ address, reason }) => `gateway ${address}: ${reason ?? 'is not up'}`),
    ...(firewall?.required && !firewall.inPlace ? [`firewall: ${firewall.missing.join(', ')}`] : []),
  ];
}

function json(status: number, value: unknown): Page {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

function send(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  status: number,
  type: string,
  body: string,
): void {
  const bytes = Buffer.from(body);
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': bytes.length,
    // A page of a local port is nothing that another site may show or read.
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
    ...(status === 405 ? { Allow: 'GET, HEAD' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}
