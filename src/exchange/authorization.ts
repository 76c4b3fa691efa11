/** The `Authorization` of a request, read in one way or refused (RFC 9110 §11.6.2). */

import { Refusal } from '../ground/refusal.ts';
import type { RequestHead } from '../wire/message.ts';

export interface Authorization {
  /** In lower case. */
  readonly scheme: string;
  /** What follows the scheme, without spaces around it. */
  readonly credentials: string;
}

const name = 'authorization';

/** Undefined where there is none. @throws Refusal not-identified where it stands twice or is none */
export function readAuthorization(head: RequestHead): Authorization | undefined {
  const { headers } = head;
  let value: string | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const field = headers[i] as string;
    if (field.length !== name.length || field.toLowerCase() !== name) continue;
    if (value !== undefined) throw wrong('stands there more than once');
    value = headers[i + 1] as string;
  }
  if (value === undefined) return undefined;
  const text = value.trim();
  const space = text.indexOf(' ');
  const scheme = (space === -1 ? text : text.slice(0, space)).toLowerCase();
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(scheme)) throw wrong('cannot be read');
  return { scheme, credentials: space === -1 ? '' : text.slice(space + 1).trim() };
}

function wrong(what: string): Refusal {
  return new Refusal('not-identified', what, { place: 'Authorization' });
}
