/**
 * The registry that engines find the images of namespaces at. It has nothing of its own: it takes the namespace off a
 * name, asks the real registry with the client's own credentials, and answers to those alone whom a call has sent.
 */

import type http from 'node:http';
import type { Duplex } from 'node:stream';
import { HandedConnections } from '../../wire/handed-connections.ts';
import { OutFault, type OutFaultReason } from '../../wire/way-out.ts';
import { answerRequest, type Permitted } from './answer-request.ts';
import { capabilityIn, type EngineNames } from './engine-names.ts';
import type { GatewayParts } from './gateway-parts.ts';
import { type Granted, mayPull, mayPush, nameOf } from './grants.ts';
import { OciError } from './oci-error.ts';
import { passOn } from './other-processes.ts';
import { asOciError, isGone, makeRegistryServer, sayError } from './registry-server.ts';
import { isPush, type Route, readRoute, takesMethod } from './route.ts';
import { ownStatusFor } from './tell-answer.ts';
import { answerToken, capabilityOf, challengeFor } from './token-realm.ts';

const MOST_HEAD_BYTES = 32 * 1024;
const MOST_CONNECTIONS = 2048;

export class Gateway {
  private readonly connections: HandedConnections;

  constructor(parts: GatewayParts) {
    const server = makeRegistryServer(
      MOST_HEAD_BYTES,
      (request, response) => serve(parts, request, response),
      parts.onFault,
    );
    this.connections = new HandedConnections(server, MOST_CONNECTIONS);
  }

  accept(socket: Duplex): void {
    this.connections.accept(socket);
  }

  /** What runs runs to its end. */
  close(): void {
    this.connections.close();
  }
}

async function serve(parts: GatewayParts, request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const [path = '', ...query] = (request.url ?? '').split('?');
  const route = readRoute(path);
  const kind = route?.kind ?? 'none';
  response.on('close', () => parts.tally.answered(kind, response.statusCode));
  let permitted: Permitted | null = null;
  try {
    if (route?.kind === 'token') return await answerToken(request, response, query.join('?'), parts);
    const capability = shownBy(request);
    const other = parts.grants.find(capability) === null ? await parts.others.reach(capability) : null;
    if (other !== null) return await passOn(other, request, response);
    permitted = permit(parts, request, route);
    if (permitted === null) return answerOwn(parts, request, response, route);
    await answerRequest(parts, permitted, query.join('?'), request, response);
  } catch (fault) {
    if (!request.destroyed) request.resume();
    tell(parts, permitted, fault as Error, request, response);
  }
}

/** Null where the path holds none. */
function inPathOf({ url = '' }: http.IncomingMessage): string | null {
  return capabilityIn(url.split('/', 3)[2] ?? '');
}

/** Empty where the request shows none. */
function shownBy(request: http.IncomingMessage): string {
  return inPathOf(request) ?? capabilityOf(request.headers.authorization) ?? '';
}

/** Null for what is answered without a registry. @throws OciError */
function permit({ names, grants }: GatewayParts, request: http.IncomingMessage, route: Route | null): Permitted | null {
  const { method = '' } = request;
  // Before anything is looked at: whoever has no right learns nothing, not even what there could be.
  const inPath = inPathOf(request);
  const granted = grants.find(shownBy(request));
  if (granted === null) throw new OciError(inPath === null ? 'UNAUTHORIZED' : 'DENIED', 'no right to this');
  if (route === null) throw new OciError('NAME_UNKNOWN', 'there is nothing of this name');
  if (!takesMethod(route, method)) throw new OciError('UNSUPPORTED', `${method} is not for this`);
  if (!('name' in route)) return null;
  const located = names.locate(route.name);
  if (located === null || (inPath === null && located.owner !== granted.namespace)) {
    throw new OciError('NAME_UNKNOWN', 'there is no repository of this name');
  }
  const { repository } = located;
  const may = isPush(route, method) ? mayPush : mayPull;
  if (!may(granted, repository)) throw new OciError('DENIED', `${nameOf(repository)} is not what this call is for`);
  return { granted, route, repository, owner: located.owner };
}

function answerOwn(
  { names, grants }: GatewayParts,
  request: http.IncomingMessage,
  response: http.ServerResponse,
  route: Route | null,
): void {
  const granted = grants.find(capabilityOf(request.headers.authorization) ?? '');
  const own = route?.kind === 'catalog' && granted !== null ? { repositories: repositoriesOf(names, granted) } : {};
  const body = JSON.stringify(own);
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** Nothing lies here: there is what the call is for. */
function repositoriesOf(names: EngineNames, { namespace, rights }: Granted): readonly string[] {
  const named = [...(rights.pull === 'every' ? [] : rights.pull), ...rights.push];
  return [...new Set(named.map((one) => names.pathOf(names.addresses.names, namespace, one)))].sort();
}

function tell(
  { tally, onFault }: GatewayParts,
  permitted: Permitted | null,
  fault: Error,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): void {
  if (fault instanceof OutFault) tally.failed(fault.reason);
  if (!(fault instanceof OciError) && !isGone(fault)) onFault(permitted?.repository.registry ?? '', fault);
  // A part of an answer must never look like the whole.
  if (response.headersSent || response.destroyed) return void response.destroy();
  const { code, status, message } = errorFor(fault, permitted);
  const challenge = status === 401 ? challengeFor(request, permitted === null ? '' : 'insufficient_scope') : null;
  sayError(response, ownStatusFor(request, status), code, message, challenge);
}

const NOWHERE: ReadonlySet<OutFaultReason> = new Set(['unknown-host', 'unreachable']);

function errorFor(fault: Error, permitted: Permitted | null): OciError {
  const error = asOciError(fault);
  const inPath = permitted !== null && permitted.owner !== permitted.granted.namespace;
  // Builds are never asked who they are.
  if (inPath && error.code === 'UNAUTHORIZED') return new OciError('DENIED', error.message);
  // dockerd asks again and again where a push is answered otherwise (distribution/push_v2.go, retryOnError).
  const isNowhere = fault instanceof OutFault && NOWHERE.has(fault.reason);
  if (permitted?.route.kind === 'uploads' && isNowhere) return new OciError('NAME_UNKNOWN', fault.message);
  return error;
}
