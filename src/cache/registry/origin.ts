/**
 * A registry as the cache asks it: faults name the registry and the cause, one that is gone or has had enough is left
 * alone for a while, and what it says of its quota is read.
 */

import { Readable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import type { Asker } from './asker.ts';
import type { Repository } from './engine-names.ts';
import type { MirrorTally } from './mirror-tally.ts';
import { errorBody, OciError } from './oci-error.ts';
import { letGo } from './read-whole.ts';
import type { Registries } from './registries.ts';
import type { LiveAnswer, LiveUpstream, UpstreamRequest } from './upstream.ts';

/** How long a registry may think where there is something to be given instead. */
export const CHECK_MS = 5000;
/** Whatever a registry asks for. */
const LONGEST_REST_MS = 15 * 60_000;
const MOST_RESTING = 10_000;

export class Origin {
  private readonly live: LiveUpstream;
  private readonly registries: Registries;
  private readonly tally: MirrorTally;
  /** By the asker's key and what was asked for, since quotas are of manifests: until when, in ms since 1970. */
  private readonly resting = new LRUCache<string, number>({ max: MOST_RESTING });

  constructor(live: LiveUpstream, registries: Registries, tally: MirrorTally) {
    this.live = live;
    this.registries = registries;
    this.tally = tally;
  }

  /** With the requester's own credentials, or none. @throws OutFault, OciError */
  async ask(request: UpstreamRequest, { key }: Asker): Promise<LiveAnswer> {
    const { registry } = request.repository;
    const { absences } = this.registries.find(registry);
    absences.expect(registry);
    const what = `${request.resource.kind} ${key}`;
    const restMs = (this.resting.get(what) ?? 0) - Date.now();
    if (restMs > 0) return overloaded(registry, 429, Math.ceil(restMs / 1000));
    try {
      const answer = await this.live.ask(request);
      // One that is let go must not end the process.
      answer.body.on('error', () => {});
      this.readQuota(request, answer.headers);
      if (answer.status === 429) this.rest(what, answer.headers['retry-after']);
      return answer;
    } catch (fault) {
      throw absences.named(registry, fault);
    }
  }

  /** What everybody may have, for the account of the administrator. */
  async askPublic(request: UpstreamRequest, asker: Asker): Promise<LiveAnswer> {
    const { own } = this.registries.find(request.repository.registry);
    if (!asker.anonymous || own === null) return this.ask(request, asker);
    const answer = await this.ask({ ...request, credentials: own }, { ...asker, key: `own ${asker.key}` });
    if (![401, 403, 429].includes(answer.status)) return answer;
    letGo(answer.body);
    return this.ask(request, asker);
  }

  /** Whether the registry itself has said it, and not a host that it has sent us to. */
  isItsOwn({ registry }: Repository, { url }: LiveAnswer): boolean {
    return url.origin === this.registries.find(registry).url.origin;
  }

  /** Says again what a HEAD could not: whose fault it was. */
  static refusal(registry: string, { status, headers }: LiveAnswer): LiveAnswer {
    const after = headers['retry-after'];
    return overloaded(registry, status, typeof after === 'string' ? after : null);
  }

  private readQuota({ repository: { registry }, credentials }: UpstreamRequest, headers: LiveAnswer['headers']): void {
    const { own } = this.registries.find(registry);
    const account = credentials === null ? 'none' : credentials === own ? 'configured' : 'clients';
    this.tally.readQuota(registry, account, headers);
  }

  private rest(what: string, after: string | string[] | undefined): void {
    if (typeof after !== 'string') return;
    const ms = /^\d+$/.test(after) ? Number(after) * 1000 : Date.parse(after) - Date.now();
    if (ms > 0) this.resting.set(what, Date.now() + Math.min(ms, LONGEST_REST_MS));
  }
}

/** Somebody could be asked, and has said no: the registry's realm, or the configuration. */
export function isRefusal(fault: unknown): boolean {
  return fault instanceof OciError && (fault.code === 'UNAUTHORIZED' || fault.code === 'DENIED');
}

/** What is no answer to the question: later there may be one. */
export function isOverloaded(status: number): boolean {
  return status === 429 || status >= 500;
}

function overloaded(registry: string, status: number, after: string | number | null): LiveAnswer {
  const [code, what] =
    status === 429
      ? ['TOOMANYREQUESTS', 'has had too many requests (429)']
      : status === 508
        ? ['LOOP', 'leads back to this very mirror (508)']
        : ['UNAVAILABLE', `has a fault of its own (${status})`];
  const why = `the registry ${registry} ${what}`;
  const body = Buffer.from(errorBody(code, why));
  return {
    status,
    why,
    headers: {
      'content-type': 'application/json',
      'content-length': String(body.length),
      ...(after === null ? {} : { 'retry-after': String(after) }),
    },
    body: Readable.from([body]),
    url: new URL('http://registry.invalid/'),
  };
}
