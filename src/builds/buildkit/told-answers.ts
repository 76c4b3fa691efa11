/** What the messages of an answer become for the client. */

import type http2 from 'node:http2';
import { contentsIn } from '../../docker/buildkit-requests.ts';
import type { Endpoint } from '../../docker/endpoint.ts';
import { printMessage, readMessage } from '../../docker/protobuf.ts';
import type { InnerNames } from '../../exchange/mediation.ts';
import { isObject, type Json } from '../../ground/json.ts';
import type { Tell } from './answer-messages.ts';
import { framed, isGone } from './grpc.ts';

/** Null where they pass unread. `contents` takes what the engine has spoken of. */
export function tellerOf(endpoint: Endpoint, names: InnerNames | null, contents: Set<string>): Tell | null {
  const { shape } = endpoint.answer;
  if (shape?.kind !== 'object') return null;
  return (message) => {
    if (names === null) {
      for (const digest of contentsIn(endpoint, message)) contents.add(digest);
      return message;
    }
    const told = names.told(readMessage(shape, message).value);
    return isObject(told ?? null) ? printMessage(shape, told as never) : null;
  };
}

/** Answers without the engine. Gives the status. */
export function answerAlone(stream: http2.ServerHttp2Stream, { answer }: Endpoint, messages: readonly Json[]): number {
  if (isGone(stream)) return 200;
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  for (const message of messages) {
    const bytes = answer.shape?.kind === 'object' ? printMessage(answer.shape, message as never) : new Uint8Array(0);
    stream.write(framed(bytes));
  }
  stream.end();
  return 200;
}
