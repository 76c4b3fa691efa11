/**
 * Blobs by digest: each is fetched once, however many ask for it at the same moment, and everybody reads what has come so
 * far. A blob is given from a repository that has shown it to us, to who has the right to that repository (RED-TEAM 68).
 */

import { Readable } from 'node:stream';
import { isDigest } from '../../docker/image-reference.ts';
import { type Body, type Fill, type Store, WrongBody } from '../store.ts';
import { type Asker, askerOf } from './asker.ts';
import { fillBlob } from './blob-fill.ts';
import { readRange } from './byte-ranges.ts';
import { cacheHeaders, NOWHERE } from './cached-answer.ts';
import { blobKey, hexOf, isKeepable } from './kept-manifests.ts';
import type { MirrorTally, Outcome } from './mirror-tally.ts';
import { OciError } from './oci-error.ts';
import { CHECK_MS, isOverloaded, isRefusal, Origin } from './origin.ts';
import type { ProvenRights } from './proven-rights.ts';
import { letGo } from './read-whole.ts';
import type { LiveAnswer, UpstreamAnswer, UpstreamRequest } from './upstream.ts';

/** Whose first one did not get it tries for themselves. */
const MOST_TURNS = 3;
/** Whatever a blob takes; the silence of a registry ends it much earlier. */
const LONGEST_FILL_MS = 6 * 3_600_000;
/**
 * Up to this size nothing is given before all of it is proved. containerd keeps what it has had of a blob and goes on from
 * there: of a configuration that was wrong once it would never get a right one.
 */
const PROVED_FIRST_BYTES = 64 * 1024;

interface BlobParts {
  readonly store: Store;
  readonly origin: Origin;
  readonly rights: ProvenRights;
  readonly tally: MirrorTally;
  readonly onFault: (registry: string, fault: Error) => void;
}

/** A blob on its way, as soon as the registry has begun to send it. */
interface Arriving {
  readonly fill: Fill;
  readonly size: number | null;
  /** Why it was no whole blob; null where it was. Never rejects. */
  readonly ended: Promise<Error | null>;
}

type Begun = Arriving | { readonly answer: LiveAnswer } | 'came meanwhile';

interface Wanted {
  readonly request: UpstreamRequest;
  readonly asker: Asker;
  readonly digest: string;
}

export class BlobCache {
  private readonly parts: BlobParts;
  private readonly arriving = new Map<string, Promise<Begun>>();

  constructor(parts: BlobParts) {
    this.parts = parts;
  }

  async ask(request: UpstreamRequest, digest: string): Promise<UpstreamAnswer> {
    const asker = askerOf(request);
    const wanted = { request, asker, digest };
    if (!isDigest(digest) || !isKeepable(digest)) return this.pass(wanted);
    const records = await this.parts.store.get(blobKey(asker.repository.registry, digest));
    const isKept = records.length > 0;
    let isLinked = records.some(({ variant }) => variant === asker.repository.path);
    const isArriving = this.arriving.has(`${asker.name}@${digest}`);
    // Who pushes asks so what need not be sent, and the registry may have thrown away what is here: it is asked each time.
    const isHead = request.method === 'HEAD';
    if (isHead && !(isKept && isLinked)) return this.pass(wanted);
    if (isHead || !this.parts.rights.isFresh(asker) || (isKept && !isLinked && !isArriving)) {
      const refusal = await this.prove(wanted, isLinked || isArriving, isKept);
      if (refusal !== null) return refusal;
      isLinked ||= !isArriving;
    }
    const kept = isKept && isLinked ? await this.give(wanted) : null;
    if (kept !== null) return kept;
    return isHead ? this.pass(wanted) : this.fetch(wanted, MOST_TURNS);
  }

  async forget({ repository, resource }: Pick<UpstreamRequest, 'repository' | 'resource'>): Promise<void> {
    if (resource.kind === 'blob')
      await this.parts.store.delete(blobKey(repository.registry, resource.digest), repository.path);
  }

  /** Asks whether the repository has it and the client may. Null where it may. */
  private async prove(
    { request, asker, digest }: Wanted,
    isLinked: boolean,
    isKept: boolean,
  ): Promise<UpstreamAnswer | null> {
    const { origin, rights, store } = this.parts;
    // Who pushes does not take what is only kept here for what the registry has, because that is slow.
    const stands = isLinked && request.method !== 'HEAD' && (await rights.holds(asker));
    const signal = stands ? AbortSignal.any([request.signal, AbortSignal.timeout(CHECK_MS)]) : request.signal;
    let said: LiveAnswer;
    try {
      said = await origin.ask({ ...request, method: 'HEAD', headers: {}, signal }, asker);
    } catch (fault) {
      if (isRefusal(fault)) await rights.lose(asker);
      else if (!request.signal.aborted && isLinked && (await rights.holds(asker))) return null;
      throw fault;
    }
    letGo(said.body);
    if (isOverloaded(said.status)) {
      if (isLinked && (await rights.holds(asker))) return null;
      return Origin.refusal(asker.repository.registry, said);
    }
    // Where it is sent to lets nobody in with a HEAD, perhaps; that it is sent there says all.
    if (said.status !== 200 && origin.isItsOwn(asker.repository, said)) {
      if (said.status !== 404) rights.forget(asker);
      return this.pass({ request, asker, digest });
    }
    rights.prove(asker);
    if (isKept && !isLinked) {
      const record = { key: blobKey(asker.repository.registry, digest), variant: asker.repository.path, meta: {} };
      await store.put(record, hexOf(digest));
    }
    return null;
  }

  /** As the registry says it; nothing is kept. */
  private async pass({ request, asker }: Wanted): Promise<UpstreamAnswer> {
    const answer = await this.parts.origin.ask(request, asker);
    if (request.method !== 'HEAD') this.parts.tally.answered('blob', 'pass', asker.repository.registry);
    return { ...answer, headers: { ...answer.headers, ...cacheHeaders('pass') } };
  }

  /** Null where it is not there, or not any more. */
  private async give(wanted: Wanted): Promise<UpstreamAnswer | null> {
    const { store } = this.parts;
    const key = blobKey(wanted.asker.repository.registry, wanted.digest);
    const [record] = await store.get(key);
    const body = record === undefined ? null : await store.open(record.digest);
    if (record === undefined || body === null) return null;
    store.touch(key);
    return this.answer(wanted, body, record.size, 'hit');
  }

  private async fetch(wanted: Wanted, turns: number): Promise<UpstreamAnswer> {
    const { asker, digest, request } = wanted;
    const key = `${asker.name}@${digest}`;
    const before = this.arriving.get(key);
    const isFirst = before === undefined;
    let begun: Begun | null;
    try {
      begun = await (before ?? this.begin(key, wanted));
    } catch (fault) {
      if (isFirst || turns === 1) throw fault;
      begun = null;
    }
    if (begun === 'came meanwhile') return (await this.give(wanted)) ?? this.pass(wanted);
    if (begun !== null && 'fill' in begun) {
      const body = begun.fill.follow();
      if (body !== null) {
        const isSmall = begun.size !== null && begun.size <= PROVED_FIRST_BYTES;
        const fault = isSmall ? await begun.ended : null;
        if (fault === null) return this.answer(wanted, body, begun.size, isFirst ? 'miss' : 'follower');
        body.close();
        throw notWhole(wanted, fault);
      }
      // It is being put away, or cannot be kept and its beginning is gone.
      if (begun.fill.notKept === null) await begun.ended;
      return (await this.give(wanted)) ?? this.pass(wanted);
    }
    if (begun !== null && isFirst) return begun.answer;
    // What the first one was told is for that one alone.
    return request.signal.aborted || turns === 1 ? this.pass(wanted) : this.fetch(wanted, turns - 1);
  }

  private begin(key: string, wanted: Wanted): Promise<Begun> {
    const begun = this.start(key, wanted);
    this.arriving.set(key, begun);
    begun.then(
      (one) => (typeof one === 'object' && 'fill' in one) || this.arriving.delete(key),
      () => this.arriving.delete(key),
    );
    return begun;
  }

  private async start(key: string, { request, asker, digest }: Wanted): Promise<Begun> {
    const { origin, store, tally, onFault } = this.parts;
    const { repository } = asker;
    // It goes on when the first one has gone: others may have come, and will.
    const signal = AbortSignal.timeout(LONGEST_FILL_MS);
    const from = (start: number): Promise<LiveAnswer> => {
      const headers: Record<string, string> = start === 0 ? {} : { range: `bytes=${start}-` };
      return origin.askPublic({ ...request, method: 'GET', headers, signal }, asker);
    };
    // Whoever fetched it before has ended by now.
    const records = await store.get(blobKey(repository.registry, digest));
    if (records.some(({ variant }) => variant === repository.path)) return 'came meanwhile';
    let first = await from(0);
    // A signature that has died is no answer of the registry.
    if (first.status !== 200 && !origin.isItsOwn(repository, first)) {
      letGo(first.body);
      first = await from(0);
      if (first.status !== 200 && !origin.isItsOwn(repository, first)) {
        letGo(first.body);
        const message = `the registry ${repository.registry} sends us to a host that answers with ${first.status}`;
        throw new OciError('UNAVAILABLE', message);
      }
    }
    if (isOverloaded(first.status)) {
      letGo(first.body);
      return { answer: Origin.refusal(repository.registry, first) };
    }
    if (first.status !== 200) return { answer: first };
    const length = first.headers['content-length'];
    const size = typeof length === 'string' && /^\d+$/.test(length) ? Number(length) : null;
    const fill = store.begin({ digest: hexOf(digest), ...(size === null ? {} : { size }) });
    const record = { key: blobKey(repository.registry, digest), variant: repository.path, meta: {} };
    const onBytes = (bytes: number): void => {
      tally.bytesFromOrigins += bytes;
    };
    const ended = fillBlob(first, size, fill, [record], { from, onBytes }).then((fault) => {
      this.arriving.delete(key);
      if (fault !== null)
        onFault(repository.registry, new Error(`${asker.name}@${digest}: ${fault.message}`, { cause: fault }));
      return fault;
    });
    return { fill, size, ended };
  }

  private answer(
    { request, asker, digest }: Wanted,
    body: Body,
    size: number | null,
    outcome: Outcome,
  ): UpstreamAnswer {
    const { method, headers } = request;
    const etag = `"${digest}"`;
    const told: Record<string, string> = {
      'content-type': 'application/octet-stream',
      'accept-ranges': 'bytes',
      etag,
      'docker-content-digest': digest,
      ...cacheHeaders(outcome),
    };
    const condition = headers['if-range'];
    const asked = condition === undefined || condition === etag ? headers.range : undefined;
    const range = size === null ? ({ kind: 'whole' } as const) : readRange(asked, size);
    if (method !== 'HEAD') this.parts.tally.answered('blob', outcome, asker.repository.registry);
    if (range.kind === 'none') {
      body.close();
      return this.withoutBody(416, { ...told, 'content-range': `bytes */${size}`, 'content-length': '0' });
    }
    const [start, end] = range.kind === 'part' ? [range.start, range.end] : [0, size];
    if (end !== null) told['content-length'] = String(end - start);
    if (range.kind === 'part') told['content-range'] = `bytes ${start}-${(end ?? 0) - 1}/${size}`;
    const status = range.kind === 'part' ? 206 : 200;
    if (method === 'HEAD') {
      body.close();
      return this.withoutBody(status, told);
    }
    if (outcome !== 'miss' && end !== null) this.parts.tally.bytesFromCache += end - start;
    return { status, headers: told, body: { kept: body, range: { start, end } }, url: NOWHERE };
  }

  private withoutBody(status: number, headers: Readonly<Record<string, string>>): UpstreamAnswer {
    return { status, headers, body: Readable.from([]), url: NOWHERE };
  }
}

function notWhole({ asker: { repository }, digest }: Wanted, fault: Error): OciError {
  const what = fault instanceof WrongBody ? `answers with other bytes than ${digest}` : 'broke off';
  return new OciError('UNAVAILABLE', `the registry ${repository.registry} ${what}`, fault);
}
