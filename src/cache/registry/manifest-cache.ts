/**
 * Manifests: by digest for ever, by tag as long as the rules take it for fresh, and then checked by HEAD, which costs
 * nothing of a registry's quota. Nobody is given what the registry has not just let them have.
 */

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import { isDigest } from '../../docker/image-reference.ts';
import type { Body } from '../store.ts';
import { acceptClass } from './accept-class.ts';
import { type Asker, askerOf } from './asker.ts';
import { manifestAnswer } from './cached-answer.ts';
import { isKeepable, type KeptManifests, type Manifest } from './kept-manifests.ts';
import type { MirrorTally, Outcome } from './mirror-tally.ts';
import { OciError } from './oci-error.ts';
import { CHECK_MS, isOverloaded, isRefusal, Origin } from './origin.ts';
import type { ProvenRights } from './proven-rights.ts';
import { letGo, readWhole } from './read-whole.ts';
import { SharedWork } from './shared-work.ts';
import type { TagRules } from './tag-rules.ts';
import type { LiveAnswer, UpstreamAnswer, UpstreamRequest } from './upstream.ts';

/** As containerd reads at most. */
const MOST_BYTES = 8 * 1024 * 1024;
/** What is larger is not read into memory for each who asks. */
const MOST_AT_HAND = 256 * 1024;
const FETCH_MS = 60_000;
const LOOKED_AT_MS = 5 * 60_000;
const MOST_LOOKED_AT = 10_000;
const TOLD_MS = 10 * 60_000;
const MOST_TOLD = 1000;
const MOST_TAGS_TOLD = 20;
const FIRST_FORM = /distribution\.manifest\.v1\+/;

export interface CacheParts {
  readonly origin: Origin;
  readonly rights: ProvenRights;
  readonly manifests: KeptManifests;
  readonly tally: MirrorTally;
  readonly tagRules: TagRules;
  /** For how long the last good answer is given while a registry has none. */
  readonly staleMs: number;
}

interface Question {
  readonly request: UpstreamRequest;
  readonly asker: Asker;
  readonly reference: string;
  readonly byDigest: boolean;
  readonly accepted: string;
}

/** What is there for a question, and whether it may be given while nobody can be asked. */
interface Known {
  readonly manifest: Manifest;
  readonly checkedAt: number;
}

type Fetched = { readonly manifest: Manifest } | { readonly answer: Unkept };

/** Small, and for several readers. */
interface Unkept extends Omit<LiveAnswer, 'body'> {
  readonly bytes: Buffer;
}

export class ManifestCache {
  private readonly parts: CacheParts;
  private readonly fetches = new SharedWork<Fetched>();
  /** Tags that an engine was told the meaning of by HEAD, by `NAME@DIGEST`: it asks for the digest next. */
  private readonly told = new LRUCache<string, Question[]>({ max: MOST_TOLD, ttl: TOLD_MS });

  /** Repositories that were looked at without credentials. */
  private readonly lookedAt = new LRUCache<string, true>({ max: MOST_LOOKED_AT, ttl: LOOKED_AT_MS });

  constructor(parts: CacheParts) {
    this.parts = parts;
  }

  async ask(request: UpstreamRequest, reference: string): Promise<UpstreamAnswer> {
    const asker = askerOf(request);
    const byDigest = isDigest(reference);
    if (byDigest && !isKeepable(reference)) return this.parts.origin.ask(request, asker);
    const question = { request, asker, reference, byDigest, accepted: acceptClass(request.headers.accept) };
    const known = await this.find(question);
    if (known !== null && this.parts.rights.isFresh(asker) && this.isFresh(question, known)) {
      const answer = await this.give(question, known.manifest, 'hit');
      if (answer !== null) return answer;
    }
    return this.check(question, known);
  }

  /** What was pushed or deleted is asked for anew. */
  async forget({ repository, resource }: Pick<UpstreamRequest, 'repository' | 'resource'>): Promise<void> {
    if (resource.kind !== 'manifest') return;
    const { manifests } = this.parts;
    if (isDigest(resource.reference)) await manifests.forget(repository, resource.reference);
    else await manifests.forgetTag(repository, resource.reference);
  }

  private async find({ asker: { repository }, reference, byDigest, accepted }: Question): Promise<Known | null> {
    const { manifests } = this.parts;
    if (!byDigest) return manifests.tag(repository, reference, accepted);
    const manifest = await manifests.find(repository, reference);
    return manifest === null ? null : { manifest, checkedAt: Number.POSITIVE_INFINITY };
  }

  private isFresh({ asker: { name }, reference, byDigest }: Question, { checkedAt }: Known): boolean {
    return byDigest || Date.now() - checkedAt < this.parts.tagRules.freshMs(`${name}:${reference}`);
  }

  private async check(question: Question, known: Known | null): Promise<UpstreamAnswer> {
    const { request, asker, reference, byDigest } = question;
    const { origin, rights, manifests } = this.parts;
    const signal = known === null ? request.signal : AbortSignal.any([request.signal, AbortSignal.timeout(CHECK_MS)]);
    let said: LiveAnswer;
    try {
      said = await origin.ask({ ...request, method: 'HEAD', headers: withoutConditions(request), signal }, asker);
    } catch (fault) {
      if (request.signal.aborted) throw fault;
      return this.staleFor(question, known, fault);
    }
    letGo(said.body);
    if (isOverloaded(said.status)) {
      return (await this.stale(question, known)) ?? Origin.refusal(asker.repository.registry, said);
    }
    // Some know no HEAD; the words for what is refused come with a GET only.
    if (said.status !== 200) {
      if (known !== null || said.status !== 404) await rights.lose(asker);
      else rights.forget(asker);
      return this.fetch(question, null, known);
    }
    rights.prove(asker);
    const header = said.headers['docker-content-digest'];
    const digest = byDigest ? reference : typeof header === 'string' && isDigest(header) ? header : null;
    const kept = digest === null || !isKeepable(digest) ? null : await manifests.adopt(asker.repository, digest);
    if (kept !== null) {
      await this.keepMeaning(question, kept);
      const answer = await this.give(question, kept, 'checked');
      if (answer !== null) return answer;
    }
    if (request.method === 'HEAD') {
      if (digest !== null && !byDigest) this.tell(question, digest);
      return said;
    }
    return this.fetch(question, digest, known);
  }

  /** @param digest what it must be, as the registry itself has said; null where it has not */
  private async fetch(question: Question, digest: string | null, known: Known | null): Promise<UpstreamAnswer> {
    const { request, asker, byDigest } = question;
    const wanted = digest ?? (byDigest ? question.reference : null);
    if (request.method === 'HEAD') return this.parts.origin.ask(request, asker);
    // Only who has the right already shares what another one fetches.
    const proven = digest !== null;
    const key = proven ? `${asker.name}@${digest}` : `${asker.key} ${question.reference} ${question.accepted}`;
    const before = this.fetches.has(key);
    let fetched: Fetched;
    try {
      fetched = await this.fetches.share(key, () => this.fetchOnce(question, wanted, proven));
    } catch (fault) {
      return this.staleFor(question, known, fault);
    }
    if ('answer' in fetched) {
      const { answer } = fetched;
      if (isOverloaded(answer.status)) {
        const instead = await this.stale(question, known);
        if (instead !== null) return instead;
      }
      return { ...answer, body: Readable.from([answer.bytes]) };
    }
    const { manifest } = fetched;
    await this.keepMeaning(question, manifest);
    const { manifests, tally } = this.parts;
    // Who reads slowly holds no large one in memory, where it can be read again.
    const body = manifest.size > MOST_AT_HAND ? await manifests.open(asker.repository, manifest) : null;
    return manifestAnswerOf(question, manifest, body ?? manifest.bytes, before ? 'follower' : 'miss', tally);
  }

  private async fetchOnce(question: Question, wanted: string | null, proven: boolean): Promise<Fetched> {
    const { request, asker, reference, byDigest } = question;
    const { repository } = asker;
    // Whoever waits for the same may stay when the first one goes.
    const signal = AbortSignal.timeout(FETCH_MS);
    const plain = { ...request, method: 'GET', headers: withoutConditions(request), signal };
    const ask = (said: string): Promise<LiveAnswer> => {
      const asked: UpstreamRequest = { ...plain, resource: { kind: 'manifest', reference: said } };
      return proven ? this.parts.origin.askPublic(asked, asker) : this.parts.origin.ask(asked, asker);
    };
    let answer = await ask(wanted ?? reference);
    let must = wanted;
    // Old forms that a registry makes for old clients have no address of their own.
    if (answer.status === 404 && !byDigest && wanted !== null) {
      letGo(answer.body);
      answer = await ask(reference);
      must = null;
    }
    const { registry } = repository;
    const bytes = await readWhole(answer.body, MOST_BYTES);
    if (bytes === null)
      throw new OciError('UNAVAILABLE', `the registry ${registry} answers with more than a manifest can be`);
    if (answer.status !== 200) return { answer: { ...answer, bytes } };
    const type = typeof answer.headers['content-type'] === 'string' ? answer.headers['content-type'] : '';
    // The digest of Docker's first form leaves its signatures out; nobody makes it any more.
    if (FIRST_FORM.test(type)) return { answer: { ...answer, bytes } };
    const header = answer.headers['docker-content-digest'];
    for (const said of [must, header]) {
      if (typeof said !== 'string' || !isDigest(said) || digestOf(said, bytes) === said) continue;
      throw new OciError('UNAVAILABLE', `the registry ${registry} answers with other bytes than ${said}`);
    }
    this.parts.tally.bytesFromOrigins += bytes.length;
    // That it came with their own credentials, or none, is a proof like any other.
    if (!proven) this.parts.rights.prove(asker);
    const manifest = await this.parts.manifests.keep(repository, type, bytes);
    const name = `${asker.name}@${manifest.digest}`;
    for (const told of this.told.get(name) ?? []) {
      await this.parts.manifests.keepTag(repository, told.reference, told.accepted, manifest);
    }
    this.told.delete(name);
    await this.parts.rights.keep(asker, manifest.digest.slice('sha256:'.length));
    return { manifest };
  }

  private tell(question: Question, digest: string): void {
    const key = `${question.asker.name}@${digest}`;
    const before = (this.told.get(key) ?? []).filter(
      ({ reference, accepted }) => reference !== question.reference || accepted !== question.accepted,
    );
    this.told.set(key, [...before.slice(-MOST_TAGS_TOLD), question]);
  }

  private async keepMeaning(question: Question, manifest: Manifest): Promise<void> {
    const { asker, reference, byDigest, accepted } = question;
    if (!byDigest) await this.parts.manifests.keepTag(asker.repository, reference, accepted, manifest);
    await this.parts.rights.keep(asker, manifest.digest.slice('sha256:'.length));
    if (!asker.anonymous) void this.learnPublic(question, manifest);
  }

  /** Whether everybody may have it, too: what holds while nobody can show a token, since nobody gives any. */
  private async learnPublic({ request, asker: { name }, reference }: Question, manifest: Manifest): Promise<void> {
    if (this.lookedAt.has(name)) return;
    this.lookedAt.set(name, true);
    const resource = { kind: 'manifest', reference } as const;
    const signal = AbortSignal.timeout(CHECK_MS);
    const nobody: UpstreamRequest = { ...request, resource, method: 'HEAD', headers: {}, credentials: null, signal };
    const asker = askerOf(nobody);
    try {
      const said = await this.parts.origin.ask({ ...nobody, headers: withoutConditions(request) }, asker);
      letGo(said.body);
      // What was for everybody may be private by now.
      if (said.status === 401 || said.status === 403) await this.parts.rights.lose(asker);
      if (said.status !== 200) return;
      this.parts.rights.prove(asker);
      await this.parts.rights.keep(asker, manifest.digest.slice('sha256:'.length));
    } catch (fault) {
      if (isRefusal(fault)) await this.parts.rights.lose(asker).catch(() => {});
      // Otherwise it was not learned; somebody else's pull will.
    }
  }

  /** @throws the fault where nothing stale may stand in */
  private async staleFor(question: Question, known: Known | null, fault: unknown): Promise<UpstreamAnswer> {
    if (isRefusal(fault)) await this.parts.rights.lose(question.asker);
    const instead = isRefusal(fault) ? null : await this.stale(question, known);
    if (instead === null) throw fault;
    return instead;
  }

  /** Null where it may not be given, or is not there any more. */
  private async stale(question: Question, known: Known | null): Promise<UpstreamAnswer | null> {
    if (known === null || Date.now() - known.checkedAt > this.parts.staleMs) return null;
    if (!(await this.parts.rights.holds(question.asker))) return null;
    return this.give(question, known.manifest, 'stale');
  }

  /** Null where it is not there any more. */
  private async give(question: Question, manifest: Manifest, outcome: Outcome): Promise<UpstreamAnswer | null> {
    const { request, asker, reference, byDigest } = question;
    const { manifests, tally } = this.parts;
    const isLarge = manifest.bytes === null && manifest.size > MOST_AT_HAND;
    const body = await manifests[isLarge ? 'open' : 'read'](asker.repository, manifest);
    if (body === null) return null;
    if (!byDigest) manifests.touchTag(asker.repository, reference);
    if (request.method !== 'HEAD') tally.bytesFromCache += manifest.size;
    return manifestAnswerOf(question, manifest, body, outcome, tally);
  }
}

function manifestAnswerOf(
  { request: { headers, method }, asker }: Question,
  manifest: Manifest,
  body: Buffer | Body | null,
  outcome: Outcome,
  tally: MirrorTally,
): UpstreamAnswer {
  if (method !== 'HEAD') tally.answered('manifest', outcome, asker.repository.registry);
  return manifestAnswer(manifest, body, headers, outcome);
}

/** The answer is for others, too. */
function withoutConditions({ headers }: UpstreamRequest): Readonly<Record<string, string>> {
  const { accept } = headers;
  return accept === undefined ? {} : { accept };
}

function digestOf(like: string, bytes: Buffer): string {
  const algorithm = like.slice(0, like.indexOf(':'));
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}
