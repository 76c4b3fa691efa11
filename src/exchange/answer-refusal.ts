/** Renders a refusal as Docker's clients expect it: a status and `{"message": "…"}`. */

import { Refusal, type RefusalCode } from '../ground/refusal.ts';
import type { Exchange, RenderedFault } from '../wire/inbound.ts';
import type { RawHeaders } from '../wire/message.ts';
import { WireFault } from '../wire/wire-fault.ts';
import type { Authenticator } from './authenticator.ts';
import { challengesOf } from './challenges.ts';

/** These speak dockerd's own words, which clients look for. */
const VERBATIM: ReadonlySet<string> = new Set([
  'page-not-found',
  'not-found',
  'absent-in-create',
  'ambiguous',
  'version-too-old',
  'version-too-new',
]);

/** Answers, unless an answer has begun or the client is gone. */
export function answerRefusal(
  exchange: Exchange,
  refusal: Refusal,
  authenticators: readonly Authenticator[],
  help: string | null = null,
): void {
  if (exchange.started || exchange.gone) return;
  const headers = [...refusalHeaders(refusal)];
  if (refusal.status === 401) {
    for (const challenge of challengesOf(refusal, authenticators)) headers.push('WWW-Authenticate', challenge);
  }
  exchange.answer({ status: refusal.status, reason: '', headers }, renderRefusal(refusal, help));
}

/** What is sent for a message that could not even be read. */
export function renderFault(fault: WireFault): RenderedFault {
  const refusal = faultRefusal(fault);
  return { status: fault.status, reason: '', headers: refusalHeaders(refusal), body: renderRefusal(refusal) };
}

/** Everything that can go wrong on the way of a call, as the one thing that is answered and recorded. */
export function asRefusal(fault: unknown): Refusal {
  if (fault instanceof Refusal) return fault;
  if (fault instanceof WireFault) return faultRefusal(fault);
  return new Refusal('own-fault', 'a fault of Berthgate itself', { cause: fault });
}

function faultRefusal(fault: WireFault): Refusal {
  return new Refusal(FAULT_CODES[fault.status] ?? 'unreadable-request', fault.message, { cause: fault });
}

const FAULT_CODES: Readonly<Record<number, RefusalCode>> = {
  408: 'too-slow',
  413: 'body-too-large',
  431: 'head-too-large',
};

export function refusalHeaders(refusal: Refusal): RawHeaders {
  return ['Content-Type', 'application/json', 'Berthgate-Refusal', refusal.code];
}

/** `help`: the site's own page about refusals. */
export function renderRefusal(refusal: Refusal, help: string | null = null): string {
  return `${JSON.stringify({ message: VERBATIM.has(refusal.code) ? refusal.message : spelled(refusal, help) })}\n`;
}

/** In the words of Berthgate. */
export function spelled({ message, place, hint, policy, id }: Refusal, help: string | null): string {
  const remedy = hint === undefined ? '' : ` (${hint})`;
  if (policy === undefined) return `berthgate: ${place === undefined ? '' : `${place}: `}${message}${remedy}`;
  const where = place === undefined ? '' : `${place} `;
  return `berthgate: refused by policy ${policy}: ${where}${message}${remedy} (refusal ${id}${help === null ? '' : `, see ${help}`})`;
}
