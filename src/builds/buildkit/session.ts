/**
 * What a client offers to its builds: here the engine asks, and the client serves. Ended on both sides, so that Berthgate can
 * ask the client for its credentials, which an engine has no need of: it finds images at the gateway.
 */

import http2 from 'node:http2';
import { Duplex } from 'node:stream';
import { printMessage, readMessage } from '../../docker/protobuf.ts';
import type { RegistryCredentials } from '../../docker/registry-credentials.ts';
import { credentialsRequest, credentialsResponse } from '../../docker/shapes/buildkit.ts';
import { sessionBytesIn, sessionMessage } from '../../docker/transferred-file.ts';
import type { Offer } from '../../exchange/mediation.ts';
import { AnswerMessages } from './answer-messages.ts';
import type { Frontends } from './asked-frontend.ts';
import { fail, framed, readOnlyMessage, UNAVAILABLE, UNIMPLEMENTED } from './grpc.ts';
import { relay } from './relay.ts';

/** Files of a context come through it. */
const WINDOW_BYTES = 8 * 1024 * 1024;
const SETTINGS: http2.Settings = { initialWindowSize: WINDOW_BYTES, enablePush: false };
const ANSWER_MS = 30_000;
const AUTH = '/moby.filesync.v1.Auth/';
/** HTTP/2's own, and what belongs to one connection. */
const NOT_CARRIED = /^(:|connection$|host$)/;

/** Resolves when the session has ended. */
export function bridgeSession(
  clientEnd: Duplex,
  engineEnd: Duplex,
  offered: (offer: Offer) => () => void,
  frontends: Frontends,
): Promise<void> {
  const client = http2.connect('http://localhost', { createConnection: () => clientEnd, settings: SETTINGS });
  const engine = http2.performServerHandshake(engineEnd, { settings: SETTINGS });
  client.once('connect', () => client.setLocalWindowSize(WINDOW_BYTES));
  const withdraw = offered({ credentials: (registry) => askCredentials(client, registry) });
  const onStream = (
    stream: http2.ServerHttp2Stream,
    headers: http2.IncomingHttpHeaders,
    _flags: number,
    raw: string[],
  ): void => {
    stream.on('error', () => stream.destroy());
    if (String(headers[':path']).startsWith(AUTH))
      fail(stream, UNIMPLEMENTED, 'berthgate: the gateway knows the client');
    else
      relay(stream, client, {
        headers: carried(headers, raw),
        request: stream,
        tell: sendsDockerfile(headers) ? frontends.watch() : null,
        tellText: (text) => text,
      }).catch(() => fail(stream, UNAVAILABLE, 'berthgate: the client cannot be asked'));
  };
  engine.on('stream', onStream as () => void);
  return new Promise((resolve) => {
    let open = 2;
    for (const session of [client, engine]) {
      session.on('error', () => session.destroy());
      session.on('close', () => {
        (session === client ? engine : client).destroy();
        if (--open > 0) return;
        withdraw();
        resolve();
      });
    }
  });
}

function sendsDockerfile({ ':path': path, 'dir-name': folder }: http2.IncomingHttpHeaders): boolean {
  return path === '/moby.filesync.v1.FileSync/DiffCopy' && folder === 'dockerfile';
}

function carried(headers: http2.IncomingHttpHeaders, raw: readonly string[]): http2.OutgoingHttpHeaders {
  const sent: Record<string, string | string[]> = { ':method': 'POST', ':path': String(headers[':path']) };
  for (let i = 0; i < raw.length; i += 2) {
    const [name = '', value = ''] = raw.slice(i, i + 2);
    if (NOT_CARRIED.test(name)) continue;
    const before = sent[name];
    sent[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  return sent;
}

/** Null where the client has none, or does not answer. */
async function askCredentials(client: http2.ClientHttp2Session, registry: string): Promise<RegistryCredentials | null> {
  if (client.destroyed || client.closed) return null;
  const asked = client.request({
    ':method': 'POST',
    ':path': `${AUTH}Credentials`,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  asked.on('error', () => {});
  // A client that does not answer has none: the engine waits for an image meanwhile.
  asked.setTimeout(ANSWER_MS, () => asked.close(http2.constants.NGHTTP2_CANCEL));
  asked.end(
    framed(printMessage(credentialsRequest, { Host: registry === 'docker.io' ? 'registry-1.docker.io' : registry })),
  );
  try {
    const { value } = readMessage(credentialsResponse, await readOnlyMessage(asked));
    const [username, secret] = [String(value.Username ?? ''), String(value.Secret ?? '')];
    if (secret === '') return null;
    return username === '' ? { kind: 'identity', token: secret } : { kind: 'password', username, password: secret };
  } catch {
    return null;
  }
}

/** A session that comes as messages of a call: each carries some bytes of it. */
export function sessionWithin(stream: http2.ServerHttp2Stream): Duplex {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  const bytes = new Duplex({
    read: () => void stream.resume(),
    write: (piece: Buffer, _encoding, done) =>
      void stream.write(framed(sessionMessage(piece.toString('latin1'))), done),
    final: (done) => void stream.end(done),
    destroy: (fault, done) => {
      stream.close();
      done(fault);
    },
  });
  const messages = new AnswerMessages((message) => {
    if (!bytes.push(Buffer.from(sessionBytesIn(message), 'latin1'))) stream.pause();
    return null;
  });
  stream.pipe(messages).resume();
  messages.on('end', () => bytes.push(null));
  messages.on('error', (fault) => bytes.destroy(fault));
  stream.on('close', () => bytes.destroy());
  return bytes;
}
