/** gRPC over HTTP/2 (grpc/grpc, doc/PROTOCOL-HTTP2.md): length-prefixed messages, and how a call fails. */

import type http2 from 'node:http2';
import { withRpcMessage } from '../../docker/rpc-status.ts';
import { ProtobufFault } from '../../ground/protobuf.ts';
import { OnlyMessage, PREFIX_BYTES } from './message-reader.ts';

export const PERMISSION_DENIED = 7;
export const RESOURCE_EXHAUSTED = 8;
export const UNIMPLEMENTED = 12;
export const UNAVAILABLE = 14;

/** In characters as they are sent, of a text and of its details: Node sends no fields of more than 64 KiB, and the client would be told nothing. */
const MAX_TEXT = 24 * 1024;

/** @throws Refusal for more or less than one, and for a compressed one */
export function onlyMessageIn(whole: Buffer): Uint8Array {
  const only = new OnlyMessage();
  only.push(whole);
  return only.end();
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
  const { 'grpc-status-details-bin': _, ...plain } = fields;
  return { ...plain, 'grpc-message': printText(told), ...toldDetails(details, tell) };
}

/** Nothing where they cannot be read, or sent. */
function toldDetails(
  details: http2.OutgoingHttpHeaders[string],
  tell: (text: string) => string,
): http2.OutgoingHttpHeaders {
  if (typeof details !== 'string') return {};
  try {
    const told = withRpcMessage(Buffer.from(details, 'base64'), tell);
    const printed = Buffer.from(told).toString('base64').replace(/=+$/, '');
    return printed.length <= MAX_TEXT ? { 'grpc-status-details-bin': printed } : {};
  } catch (fault) {
    if (fault instanceof ProtobufFault) return {};
    throw fault;
  }
}

function printText(text: string): string {
  // Half a pair of surrogates, of a text of the client's, has no place in UTF-8.
  const printed = encodeURIComponent(Buffer.from(text).toString()).replace(
    /%(2[0-46-9A-F]|3[A-F]|40|5B|5D)/g,
    decodeURIComponent,
  );
  if (printed.length <= MAX_TEXT) return printed;
  // No character is cut in two: the last one that needs more than one byte goes whole.
  return printed.slice(0, MAX_TEXT).replace(/(%[C-F].(%[89AB].){0,3})?(%.?)?$/, '');
}

function readText(text: string): string {
  return Buffer.from(
    text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ).toString();
}
