/** gRPC over HTTP/2 (grpc/grpc, doc/PROTOCOL-HTTP2.md): length-prefixed messages, and how a call fails. */

import type http2 from 'node:http2';
import type { Readable } from 'node:stream';
import { withRpcMessage } from '../../docker/rpc-status.ts';
import { Refusal } from '../../ground/refusal.ts';
import { MAX_MESSAGE_BYTES, PREFIX_BYTES } from './message-reader.ts';

export const PERMISSION_DENIED = 7;
export const RESOURCE_EXHAUSTED = 8;
export const UNIMPLEMENTED = 12;
export const UNAVAILABLE = 14;

/** The only message of a request. @throws Refusal for more or less than one, and for a compressed one */
export async function readOnlyMessage(request: Readable): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > MAX_MESSAGE_BYTES + PREFIX_BYTES) throw new Refusal('body-too-large', 'a message of more than 16 MiB');
    pieces.push(piece);
  }
  return onlyMessageIn(Buffer.concat(pieces));
}

/** @throws Refusal for more or less than one, and for a compressed one */
export function onlyMessageIn(whole: Buffer): Uint8Array {
  if (whole.length < PREFIX_BYTES) throw new Refusal('unreadable-body', 'a message is expected');
  if (whole[0] !== 0) throw new Refusal('unreadable-body', 'a compressed message is not read');
  if (whole.readUInt32BE(1) !== whole.length - PREFIX_BYTES) {
    throw new Refusal('unreadable-body', 'one message is expected, of the length that it says');
  }
  return whole.subarray(PREFIX_BYTES);
}

export function framed(message: Uint8Array): Buffer {
  const whole = Buffer.alloc(PREFIX_BYTES + message.length);
  whole.writeUInt32BE(message.length, 1);
  whole.set(message, PREFIX_BYTES);
  return whole;
}

/** A stream can be told nothing as soon as it is closed, and is destroyed no sooner than what it has said is read. */
export function isGone(stream: http2.Http2Stream): boolean {
  return stream.destroyed || stream.closed;
}

/** Ends a call that has no answer yet. */
export function fail(stream: http2.ServerHttp2Stream, status: number, message: string): void {
  if (isGone(stream) || stream.headersSent) return;
  stream.respond(
    {
      ':status': 200,
      'content-type': 'application/grpc',
      ...failed(status, message),
    },
    { endStream: true },
  );
}

/** The last fields of an answer that fails. */
export function failed(status: number, message: string): Readonly<Record<string, string>> {
  return { 'grpc-status': String(status), 'grpc-message': printText(message) };
}

/** The fields of an answer, with the words of an error in those of the client. */
export function toldError(
  fields: http2.OutgoingHttpHeaders,
  tell: (text: string) => string,
): http2.OutgoingHttpHeaders {
  const { 'grpc-message': message, 'grpc-status-details-bin': details } = fields;
  if (typeof message !== 'string' || message === '') return fields;
  const said = readText(message);
  const told = tell(said);
  if (told === said) return fields;
  return {
    ...fields,
    'grpc-message': printText(told),
    ...(typeof details === 'string'
      ? {
          'grpc-status-details-bin': Buffer.from(withRpcMessage(Buffer.from(details, 'base64'), tell))
            .toString('base64')
            .replace(/=+$/, ''),
        }
      : {}),
  };
}

function printText(text: string): string {
  // Half a pair of surrogates, of a text of the client's, has no place in UTF-8.
  return encodeURIComponent(Buffer.from(text).toString()).replace(
    /%(2[0-46-9A-F]|3[A-F]|40|5B|5D)/g,
    decodeURIComponent,
  );
}

function readText(text: string): string {
  return Buffer.from(
    text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ).toString();
}
