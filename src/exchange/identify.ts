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
export function identify(
  authenticators: readonly Authenticator[],
  head: RequestHead,
  peer: Peer,
): Identity | Promise<Identity> {
  const scheme = readAuthorization(head)?.scheme;
  let readers = 0;
  if (scheme !== undefined) {
    for (const { schemes } of authenticators) if (schemes?.includes(scheme)) readers++;
    if (readers === 0) throw unreadable();
  }
  const first = authenticators[0]?.identify(head, peer) ?? null;
  // The usual listener has one authenticator, that knows the client at once.
  if (first !== null && !(first instanceof Promise)) return first;
  return askAll(authenticators, first, { head, peer, scheme, readers });
}

interface Asked {
  readonly head: RequestHead;
  readonly peer: Peer;
  readonly scheme: string | undefined;
  readonly readers: number;
}

async function askAll(
  authenticators: readonly Authenticator[],
  first: Promise<Identity | null> | null,
  { head, peer, scheme, readers }: Asked,
): Promise<Identity> {
  let left = readers;
  for (const [index, authenticator] of authenticators.entries()) {
    const identity = await (index === 0 ? first : authenticator.identify(head, peer));
    if (identity !== null) return identity;
    if (scheme !== undefined && authenticator.schemes?.includes(scheme) && --left === 0) throw unreadable();
  }
  throw new Refusal('not-identified', 'authentication is required');
}

function unreadable(): Refusal {
  return new Refusal('not-identified', 'this listener takes no such credential', { place: 'Authorization' });
}
