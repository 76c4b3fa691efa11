/** Which fields travel on: those of one connection only end at this hop (RFC 9110 §7.6.1). */
import type { RawHeaders } from './message.ts';
import { isConnectionField } from './print-head.ts';

/**
 * Without the fields of one connection: `Connection` and what it names, framing, `TE`, `Trailer`, `Upgrade`, `Expect`
 * and `Proxy-*` of a hop. Repeated fields stay repeated and in order.
 */
export function endToEnd(headers: RawHeaders): RawHeaders {
  const named = namedByConnection(headers);
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (isConnectionField(name) || isHopField(name)) continue;
    if (named?.includes(name.toLowerCase())) continue;
    kept.push(name, headers[i + 1] as string);
  }
  return kept;
}

function isHopField(name: string): boolean {
  switch (name.length) {
    case 6:
      return name.toLowerCase() === 'expect';
    case 18:
    case 19:
    case 25: {
      const lower = name.toLowerCase();
      return lower === 'proxy-authenticate' || lower === 'proxy-authorization' || lower === 'proxy-authentication-info';
    }
    default:
      return false;
  }
}

function namedByConnection(headers: RawHeaders): string[] | null {
  let named: string[] | null = null;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue;
    for (const word of (headers[i + 1] as string).toLowerCase().split(/[\t ,]+/)) {
      if (word !== '' && word !== 'close' && word !== 'keep-alive') {
        named ??= [];
        named.push(word);
      }
    }
  }
  return named;
}
