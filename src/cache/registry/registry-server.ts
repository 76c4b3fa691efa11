/** HTTP as the gateway, the mirror and the proxy speak it: their server, and errors in the words of registries. */

import http from 'node:http';
import { LOOK_EVERY_MS } from '../../wire/handed-connections.ts';
import { OutFault } from '../../wire/way-out.ts';
import { errorBody, OciError } from './oci-error.ts';
import { beginAnswer, isPipelined } from './tell-answer.ts';

const HEAD_MS = 10_000;
const IDLE_MS = 60_000;

/** It listens nowhere. Uploads take as long as they take: what is silent is ended by the one who asks the registry. */
export function makeRegistryServer(
  maxHeaderSize: number,
  serve: (request: http.IncomingMessage, response: http.ServerResponse) => Promise<void>,
  onFault: (registry: string, fault: Error) => void,
): http.Server {
  const limits = {
    headersTimeout: HEAD_MS,
    requestTimeout: 0,
    keepAliveTimeout: IDLE_MS,
    connectionsCheckingInterval: LOOK_EVERY_MS,
    maxHeaderSize,
  };
  return http.createServer(limits, (request, response) => {
    if (isPipelined(response)) return void request.socket.destroy();
    serve(request, response).catch((fault: Error) => {
      onFault('', fault);
      response.destroy();
    });
  });
}

/** That the client has gone is nobody's fault. */
export function isGone(fault: Error): boolean {
  return fault.name === 'AbortError' || (fault as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE';
}

export function asOciError(fault: Error): OciError {
  if (fault instanceof OciError) return fault;
  if (!(fault instanceof OutFault)) return new OciError('UNKNOWN', 'a fault of Berthgate itself');
  return new OciError(fault.reason === 'inner-address' ? 'DENIED' : 'UNAVAILABLE', fault.message);
}

/** `challenge`: how to say who one is; null where that would change nothing. */
export function sayError(
  response: http.ServerResponse,
  status: number,
  code: string,
  message: string,
  challenge: string | null = null,
): void {
  const body = errorBody(code, message);
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Docker-Distribution-Api-Version': 'registry/2.0',
    ...(challenge === null ? {} : { 'WWW-Authenticate': challenge }),
  };
  beginAnswer(response, status, headers, message);
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
