/** What an answer says of its way: `Cache-Status` (RFC 9211), the older `X-Cache`, and `Via`. */

import { randomBytes } from 'node:crypto';
import type { RawHeaders } from '../../wire/message.ts';
import { linesOf, membersOf } from './fields.ts';

/** Why the origin was asked (RFC 9211 §2.2). */
export type Forwarded = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'stale' | 'request';

export interface Way {
  readonly hit: boolean;
  readonly fwd?: Forwarded;
  readonly fwdStatus?: number;
  readonly stored?: boolean;
  readonly collapsed?: boolean;
  /** Seconds of freshness that are left. */
  readonly ttl?: number;
  /** A token. */
  readonly detail?: string;
}

export function marksOf({ hit, fwd, fwdStatus, stored, collapsed, ttl, detail }: Way): RawHeaders {
  const words = [
    'berthgate',
    hit ? 'hit' : '',
    fwd === undefined ? '' : `fwd=${fwd}`,
    fwdStatus === undefined ? '' : `fwd-status=${fwdStatus}`,
    ttl === undefined ? '' : `ttl=${ttl}`,
    stored === true ? 'stored' : '',
    collapsed === true ? 'collapsed' : '',
    detail === undefined ? '' : `detail=${detail}`,
  ];
  return [
    'Via',
    '1.1 berthgate',
    'Cache-Status',
    words.filter((word) => word !== '').join('; '),
    'X-Cache',
    hit || fwdStatus === 304 || collapsed === true ? 'HIT' : 'MISS',
  ];
}

/** Names this process in requests that go on, so that one that comes back is known (RFC 9110 §7.6.3). */
export class Pseudonym {
  private readonly name = `berthgate-${randomBytes(6).toString('hex')}`;

  hasPassed(request: RawHeaders): boolean {
    return membersOf(linesOf(request, 'via')).some((one) => one.split(/\s+/)[1] === this.name);
  }

  via(request: RawHeaders): RawHeaders {
    return [...linesOf(request, 'via').flatMap((line) => ['Via', line]), 'Via', `1.1 ${this.name}`];
  }
}
