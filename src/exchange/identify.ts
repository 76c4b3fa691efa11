/** Asks a listener's authenticators, in order, who the client is. */

import { Refusal } from '../ground/refusal.ts';
import type { RequestHead } from '../wire/message.ts';
import type { Authenticator } from './authenticator.ts';
import { readAuthorization } from './authorization.ts';
import type { Identity, Peer } from './identity.ts';

/**
 * The first authenticator that finds a credential decides. One that finds a wrong credential throws, and an
 * `Authorization` that nobody reads ends the call too: a client never falls through to a weaker way.
 * @throws Refusal not-identified, and what the authenticators throw
 */
export async function identify(
  authenticators: readonly Authenticator[],
  head: RequestHead,
  peer: Peer,
): Promise<Identity> {
  const scheme = readAuthorization(head)?.scheme;
  let readers = 0;
  if (scheme !== undefined) {
    for (const { schemes } of authenticators) if (schemes?.includes(scheme)) readers++;
    if (readers === 0) throw unreadable();
  }
  for (const authenticator of authenticators) {
    const identity = await authenticator.identify(head, peer);
    if (identity !== null) return identity;
    if (scheme !== undefined && authenticator.schemes?.includes(scheme) && --readers === 0) throw unreadable();
  }
  throw new Refusal('not-identified', 'authentication is required');
}

function unreadable(): Refusal {
  return new Refusal('not-identified', 'this listener takes no such credential', { place: 'Authorization' });
}
