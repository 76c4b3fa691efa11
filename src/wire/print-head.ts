/**
 * Prints heads. The framing and connection fields are the printer's own: what the caller's headers say of them is left
 * out, so that a message never carries two framings. What would be read otherwise than meant is never printed.
 */
import type { AnswerStart, Framing, RawHeaders } from './message.ts';
import { isFieldValue, isTarget, isToken } from './octets.ts';
import { WireFault } from './wire-fault.ts';

/** The fields of one connection (RFC 9110 §7.6.1) and of framing, by lower-case name. */
export function isConnectionField(name: string): boolean {
  switch (name.length) {
    case 2:
      return name.toLowerCase() === 'te';
    case 7:
      return isOneOf(name, 'upgrade', 'trailer');
    case 10:
      return isOneOf(name, 'connection', 'keep-alive');
    case 14:
      return name.toLowerCase() === 'content-length';
    case 16:
      return name.toLowerCase() === 'proxy-connection';
    case 17:
      return name.toLowerCase() === 'transfer-encoding';
    default:
      return false;
  }
}

function isOneOf(name: string, one: string, other: string): boolean {
  const lower = name.toLowerCase();
  return lower === one || lower === other;
}

export function printFields(headers: RawHeaders): string {
  let text = '';
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1];
    if (isConnectionField(name)) continue;
    if (value === undefined || !isToken(name) || !isFieldValue(value))
      throw unprintable(`the field ${JSON.stringify(name)}`);
    text += `${name}: ${value}\r\n`;
  }
  return text;
}

export function printFraming(framing: Framing): string {
  switch (framing.kind) {
    case 'length':
      return `Content-Length: ${framing.bytes}\r\n`;
    case 'chunked':
      return 'Transfer-Encoding: chunked\r\n';
    default:
      return '';
  }
}

export function printRequestLine(method: string, target: string): string {
  if (!isToken(method)) throw unprintable('the method');
  if (!isTarget(target)) throw unprintable('the request target');
  return `${method} ${target} HTTP/1.1\r\n`;
}

export function printStatusLine(status: number, reason: string): string {
  if (status === 200 && reason === 'OK') return 'HTTP/1.1 200 OK\r\n';
  if (!Number.isInteger(status) || status < 100 || status > 999) throw unprintable('the status');
  if (!isFieldValue(reason)) throw unprintable('the reason');
  return `HTTP/1.1 ${status} ${reason}\r\n`;
}

/** Status line and fields of an answer; kept with it for the next time. */
export function printStart(start: AnswerStart): string {
  if (start.kept?.of === start) return start.kept.made;
  const text = printStatusLine(start.status, start.reason) + printFields(start.headers);
  start.kept = { of: start, made: text };
  return text;
}

/** The fields that make a message an upgrade. */
export function printUpgrade(protocol: string): string {
  if (!isFieldValue(protocol)) throw unprintable('the protocol of the upgrade');
  return `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`;
}

function unprintable(what: string): WireFault {
  return new WireFault(500, 'unprintable', `${what} holds what cannot be printed in a head`);
}
