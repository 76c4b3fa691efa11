/** Which address a request means. What two programs could read in two ways is refused. */

import type { RequestHead } from '../../wire/message.ts';
import type { Arrival } from '../arrival.ts';
import { linesOf } from './fields.ts';

const AUTHORITY = /^([a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/i;

export type ReadTarget =
  | { readonly kind: 'url'; readonly url: URL }
  | { readonly kind: 'refused'; readonly status: 400 | 421; readonly reason: string };

export function readTarget({ target, headers }: RequestHead, { scheme, serverName }: Arrival): ReadTarget {
  const hosts = linesOf(headers, 'host');
  if (hosts.length > 1) return refused(400, 'the request names two hosts');
  const absolute = /^http:\/\/([^/?#]*)(.*)$/i.exec(target);
  const authority = absolute === null ? (hosts[0] ?? '') : (absolute[1] as string);
  const path = absolute === null ? target : (absolute[2] as string).replace(/^(?=\?|$)/, '/');
  if (absolute !== null && scheme === 'https') return refused(400, 'an address without TLS is asked for over TLS');
  if (!path.startsWith('/') || /[\\#]/.test(path)) return refused(400, 'the address is none that is served here');
  const found = AUTHORITY.exec(authority);
  if (found === null || Number(found[2] ?? 0) > 65535) return refused(400, 'the request names no host');
  const url = new URL(`${scheme}://placeholder${escaped(path)}`);
  // Setters take a part of what they do not understand; the pattern leaves nothing of the kind.
  url.host = authority;
  if (url.hostname === 'placeholder') return refused(400, 'the request names no host');
  if (serverName !== null && url.hostname !== serverName.toLowerCase()) {
    return refused(421, `this connection is for ${serverName}`);
  }
  return { kind: 'url', url };
}

/** As one byte a character came, so it goes on. */
function escaped(path: string): string {
  return path.replace(/[^\x21-\x7e]/g, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`);
}

function refused(status: 400 | 421, reason: string): ReadTarget {
  return { kind: 'refused', status, reason };
}
