/** What the `WWW-Authenticate` of a 401 says (RFC 9110 §11.6.1). */

import type { Refusal } from '../ground/refusal.ts';
import type { Authenticator } from './authenticator.ts';

/** One a scheme: what was wrong with the credential that came, and what else the listener takes. */
export function challengesOf(refusal: Refusal, authenticators: readonly Authenticator[]): readonly string[] {
  const byScheme = new Map<string, string>();
  const offers = [refusal.challenge ?? null, ...authenticators.map(({ challenge }) => challenge)];
  for (const offer of offers) {
    if (offer === null) continue;
    const scheme = offer.split(' ', 1)[0]!.toLowerCase();
    if (!byScheme.has(scheme)) byScheme.set(scheme, offer);
  }
  return [...byScheme.values()];
}
