/** The gateway's own token realm: what an engine is told to show comes back as the token that it asks for. */

import type http from 'node:http';
import type { GatewayParts } from './gateway-parts.ts';
import { OciError } from './oci-error.ts';

const MOST_FORM_BYTES = 16 * 1024;
/** Engines ask again after it; the grant itself ends with its call. */
const TOKEN_SECONDS = 300;

/** Of `Authorization`: a token of ours, or the password that stands for it. Null for none. */
export function capabilityOf(authorization: string | undefined): string | null {
  const [, scheme = '', said = ''] = /^(Basic|Bearer) +([\w+/=.~-]+)$/i.exec(authorization ?? '') ?? [];
  if (said === '') return null;
  if (scheme.toLowerCase() === 'bearer') return said;
  const pair = Buffer.from(said, 'base64').toString();
  return pair.slice(pair.indexOf(':') + 1);
}

/** `GET` with a password, `POST` with a form (OAuth2). @throws OciError for who has no right */
export async function answerToken(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  query: string,
  { grants, others }: Pick<GatewayParts, 'grants' | 'others'>,
): Promise<void> {
  const capability =
    request.method === 'POST' ? await capabilityInForm(request) : capabilityOf(request.headers.authorization);
  const isGood = capability !== null && (grants.find(capability) !== null || (await others.knows(capability)));
  if (!isGood) throw new OciError('UNAUTHORIZED', 'no right to this');
  // The scope says what it is for; what it is good for was decided when it was made.
  const scope = new URLSearchParams(query).getAll('scope').join(' ');
  const body = JSON.stringify({ token: capability, access_token: capability, expires_in: TOKEN_SECONDS, scope });
  response.writeHead(200, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  response.end(body);
}

async function capabilityInForm(request: http.IncomingMessage): Promise<string | null> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    // To leave would end the connection, and the answer with it.
    if (bytes <= MOST_FORM_BYTES) pieces.push(piece);
  }
  const form = new URLSearchParams(Buffer.concat(pieces).toString());
  return form.get('password') ?? form.get('refresh_token');
}

/** Our own realm, at the address that was asked. */
export function challengeFor({ headers, socket }: http.IncomingMessage, error = ''): string {
  const { localAddress = '', localPort } = socket;
  const host = headers.host ?? '';
  const own = localAddress.includes(':') ? `[${localAddress}]:${localPort}` : `${localAddress}:${localPort}`;
  const realm = /^[\w.-]+:\d+$/.test(host) ? host : own;
  return `Bearer realm="http://${realm}/token",service="berthgate"${error === '' ? '' : `,error="${error}"`}`;
}
