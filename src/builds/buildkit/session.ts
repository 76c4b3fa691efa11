/**
 * What a client offers to its builds: here the engine asks, and the client serves. Frames pass as they come, but that Berthgate
 * asks the client for its credentials, which an engine has no need of, since it finds images at the gateway, and sees Dockerfiles.
 */

import type http2 from 'node:http2';
import { Duplex } from 'node:stream';
import { printMessage, readMessage } from '../../docker/protobuf.ts';
import { type RegistryCredentials, readSessionCredentials, registryUrlOf } from '../../docker/registry-credentials.ts';
import { credentialsRequest, credentialsResponse } from '../../docker/shapes/buildkit.ts';
import { sessionBytesIn, sessionMessage } from '../../docker/transferred-file.ts';
import type { Offer } from '../../exchange/mediation.ts';
import { Refusal } from '../../ground/refusal.ts';
import { Http2Fault } from '../../wire/h2/frames.ts';
import { Http2Splice, type Watch } from '../../wire/h2/splice.ts';
import { StreamEnd } from '../../wire/h2/stream-end.ts';
import type { RawHeaders } from '../../wire/message.ts';
import { AnswerMessages } from './answer-messages.ts';
import type { Frontends } from './asked-frontend.ts';
import { failed, framed, onlyMessageIn, PERMISSION_DENIED, UNIMPLEMENTED } from './grpc.ts';
import { MessageReader } from './message-reader.ts';

const ANSWER_MS = 30_000;
const AUTH = '/moby.filesync.v1.Auth/';
const FILES = '/moby.filesync.v1.FileSync/DiffCopy';

type SessionEnd = ConstructorParameters<typeof Http2Splice>[0];

/** Resolves when the session has ended. @throws Refusal where that is because of what somebody has said in it */
export async function bridgeSession(
  client: SessionEnd,
  engine: SessionEnd,
  offered: (offer: Offer) => () => void,
  frontends: Frontends,
): Promise<void> {
  const splice = new Http2Splice(engine, client, (fields) => {
    const path = fieldIn(fields, ':path') ?? '';
    if (path.startsWith(AUTH)) return { refusedBy: KNOWN };
    return path === FILES && fieldIn(fields, 'dir-name') === 'dockerfile' ? { watch: watchFor(frontends) } : 'pass';
  });
  const withdraw = offered({ credentials: (registry) => askCredentials(splice, registry) });
  const fault = await splice.ended;
  withdraw();
  if (fault instanceof Http2Fault) throw new Refusal('unreadable-body', `a session ended by ${fault.message}`);
  if (fault !== null) throw fault;
}

const KNOWN: RawHeaders = [
  ...[':status', '200', 'content-type', 'application/grpc'],
  ...Object.entries(failed(UNIMPLEMENTED, 'berthgate: the gateway knows the client')).flat(),
];

function fieldIn(fields: RawHeaders, name: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1];
  return undefined;
}

/** Nothing of a message passes that has not been seen as a whole. */
function watchFor(frontends: Frontends): Watch {
  const judge = frontends.watch();
  let fault: string | null = null;
  const reader = new MessageReader((message) => {
    fault ??= judge(message);
  });
  return (payload) => {
    try {
      reader.push(payload);
    } catch (unread) {
      fault = `berthgate: ${(unread as Error).message}`;
    }
    if (fault !== null) return { endedBy: Object.entries(failed(PERMISSION_DENIED, fault)).flat() };
    return reader.midway ? 'hold' : 'pass';
  };
}

/** Null where the client has none, or does not answer: the engine waits for an image meanwhile. */
async function askCredentials(splice: Http2Splice, registry: string): Promise<RegistryCredentials | null> {
  const Host = registryUrlOf(registry).slice('https://'.length);
  const answer = await splice.ask(CREDENTIALS, framed(printMessage(credentialsRequest, { Host })), ANSWER_MS);
  if (answer === null) return null;
  try {
    return readSessionCredentials(readMessage(credentialsResponse, onlyMessageIn(answer)).value);
  } catch {
    return null;
  }
}

const CREDENTIALS: RawHeaders = [
  ...[':method', 'POST', ':scheme', 'http', ':path', `${AUTH}Credentials`, ':authority', 'localhost'],
  ...['content-type', 'application/grpc', 'te', 'trailers'],
];

/** A session that comes as messages of a call: each carries some bytes of it. */
export function sessionWithin(stream: http2.ServerHttp2Stream): SessionEnd {
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
  return { channel: new StreamEnd(bytes), bytes: Buffer.alloc(0) };
}
