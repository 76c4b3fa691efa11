/** The shared HTTP cache: what is kept, or else the origin, for one request after another (RFC 9111). */

import { setTimeout as sleep } from 'node:timers/promises';
import type { RawHeaders } from '../../wire/message.ts';
import { OutFault, type OutFaultReason } from '../../wire/way-out.ts';
import type { StoredRecord } from '../store.ts';
import { answerText } from './answer-text.ts';
import { type Asked, keyOf, type Wanted } from './asked.ts';
import { type AtHandParts, type Chosen, sendAtHand } from './at-hand.ts';
import { conditionsOf, isConditional, validators } from './conditions.ts';
import { secondsOf } from './directives.ts';
import { discard } from './fetching.ts';
import { has, linesOf, without } from './fields.ts';
import { Fills } from './fills.ts';
import { Flights, type Landing } from './flights.ts';
import { type Forwarded, marksOf, Pseudonym } from './marks.ts';
import type { Effort, OriginAnswer } from './origin.ts';
import type { HttpCacheParts } from './parts.ts';
import { passOn } from './pass-on.ts';
import { describes, refreshed } from './refresh.ts';
import { relay } from './relay.ts';
import { type Judgement, judge, standsIn } from './reuse.ts';
import { send } from './send.ts';
import { reasonNotToStore } from './storable.ts';
import { answerOf } from './stored-answer.ts';
import type { ServedKind } from './tally.ts';
import { isForAll, selects } from './vary.ts';

/** How long a client waits for an origin that is slow where something stale would do. */
const PATIENCE_MS = 5000;

/** The store takes no longer ones. */
const MOST_KEY_BYTES = 8 * 1024;

/**
 * RFC 4918 §11.4: what it hangs on has failed. Programs such as apt and npm ask again and again where they are told 502 or
 * 504; of what has been tried here long enough they are to tell at once.
 */
const FAILED_DEPENDENCY = 424;

/** How often the store is asked where something comes to its end meanwhile. */
const LOOKS = 3;

interface Looked {
  readonly found: Chosen | null;
  /** Something is kept for requests that say something else. */
  readonly others: boolean;
}

export class HttpCache {
  readonly pseudonym = new Pseudonym();
  private readonly parts: HttpCacheParts;
  private readonly flights = new Flights();
  private readonly fills: Fills;
  private readonly atHand: AtHandParts;

  constructor(parts: HttpCacheParts) {
    this.parts = parts;
    this.fills = new Fills(parts);
    const { store, onServed } = parts;
    this.atHand = { store, onServed, isSpoiled: (key) => this.fills.isSpoiled(key), choose };
  }

  /** Never throws: whatever happens, the client is told, or its connection ends. */
  serve(asked: Asked): void {
    try {
      if (sendAtHand(asked, this.atHand)) return;
    } catch (fault) {
      this.fail(asked, fault);
      return;
    }
    this.answer(asked).catch((fault: unknown) => this.fail(asked, fault));
  }

  /** What is half here is given up. Nothing is written into the store after this. */
  close(): Promise<void> {
    return this.fills.close();
  }

  private async answer(asked: Asked): Promise<void> {
    const { method, directives, url } = asked;
    if (method !== 'GET' && method !== 'HEAD') {
      const bytes = await passOn(asked, this.parts.origins(), this.onward(asked), (at) => this.forget(at));
      this.parts.onServed(asked, 'pass', bytes);
      return;
    }
    const looked = await this.reuse(asked);
    if (looked === null) return;
    const { found, others } = looked;
    if (directives.has('only-if-cached')) {
      this.say(asked, 504, `nothing of ${url.host} that would do is kept here`);
      return;
    }
    const fwd =
      found === null
        ? others
          ? 'vary-miss'
          : 'uri-miss'
        : this.judge(asked, found).ttlSeconds > 0
          ? 'request'
          : 'stale';
    if (method === 'HEAD') await this.head(asked, found, fwd);
    else if (saysMore(asked)) await this.alone(asked, 'bypass');
    else if (found === null && isPartial(asked) && this.flights.get(flightKey(asked)) === null)
      await this.alone(asked, fwd);
    else await this.together(asked, found, fwd);
  }

  /** Serves what is there, or tells what there is. Null: it has been served. */
  private async reuse(asked: Asked): Promise<Looked | null> {
    for (let turn = 1; ; turn++) {
      const before = this.fills.ended;
      const looked = await this.find(asked);
      const { found } = looked;
      if (found !== null) {
        const judged = this.judge(asked, found);
        if (judged.use !== 'revalidate' && (await this.sendFound(asked, found, judged, 'fresh'))) {
          if (judged.use === 'stale-while-revalidate') this.askBehind(asked, found);
          return null;
        }
      }
      if (!asked.wantsOwn && (await this.follow(asked))) return null;
      await this.fills.settled(asked);
      // What came to its end while the store was asked may be what is wanted.
      if (this.fills.ended === before || turn === LOOKS) return looked;
    }
  }

  private judge({ directives, rule }: Asked, { answer }: Chosen): Judgement {
    return judge(answer, directives, rule, Date.now());
  }

  /** The one that is kept for this request and came last. */
  private async find(asked: Asked): Promise<Looked> {
    const records = await this.parts.store().get(asked.key);
    if (this.fills.isSpoiled(asked.key)) return { found: null, others: false };
    return { found: choose(records, asked), others: records.length > 0 };
  }

  /** False where its bytes are gone. */
  private async sendFound(asked: Asked, found: Chosen, judged: Judgement, kind: ServedKind): Promise<boolean> {
    const body = await this.parts.store().open(found.record.digest);
    if (body === null) return false;
    this.parts.store().touch(found.record.key);
    const { ttlSeconds } = judged;
    const told = kind === 'fresh' && judged.ttlSeconds <= 0 ? 'stale' : kind;
    const marks =
      kind === 'revalidated'
        ? marksOf({ hit: false, fwd: 'stale', fwdStatus: 304, ttl: ttlSeconds })
        : marksOf({ hit: true, ttl: ttlSeconds });
    const bytes = await send(asked, { answer: found.answer, body, marks, cookies: [] });
    this.parts.onServed(asked, told, bytes);
    return true;
  }

  /** What another one's request is fetching just now. False where that is not what this one wants. */
  private async follow(asked: Asked): Promise<boolean> {
    const coming = this.fills.find(asked);
    const body = coming?.fill.follow() ?? null;
    if (coming === null || body === null) return false;
    const marks = marksOf({ hit: false, fwd: 'uri-miss', stored: true, collapsed: true });
    this.parts.onServed(asked, 'follower', await send(asked, { answer: coming.answer, body, marks, cookies: [] }));
    return true;
  }

  /** With all who want the same. */
  private async together(asked: Asked, found: Chosen | null, fwd: Forwarded): Promise<void> {
    const leads = this.flights.get(flightKey(asked)) === null;
    const landing = this.ask(asked, found, leads);
    const canWait = found !== null && standsIn(found.answer, asked.directives, asked.rule, Date.now());
    const landed = canWait ? await within(PATIENCE_MS, landing) : await landing;
    if (landed === null || asked.exchange.gone) {
      if (leads) void landing.then(drop);
      if (landed === null && found !== null) await this.sendStale(asked, found, new Error('the origin is slow'));
      return;
    }
    switch (landed.kind) {
      case 'kept': {
        const body = landed.fill.follow();
        if (body === null) return this.alone(asked, fwd);
        const marks = marksOf({ hit: false, fwd, stored: true, collapsed: !leads });
        const { answer, cookies } = landed;
        const bytes = await send(asked, { answer, body, marks, cookies: leads ? cookies : [] });
        this.parts.onServed(asked, leads ? 'miss' : 'follower', bytes);
        return;
      }
      case 'refreshed': {
        if (await this.sendFound(asked, landed, this.judge(asked, landed), 'revalidated')) return;
        return this.alone(asked, fwd);
      }
      case 'alone':
        if (!leads) return this.alone(asked, fwd);
        return this.pass(asked, landed.answer, fwd, landed.reason);
      case 'failed':
        if (found === null) throw landed.fault;
        return this.sendStale(asked, found, landed.fault);
    }
  }

  /** @throws the fault where nothing stale may stand in */
  private async sendStale(asked: Asked, found: Chosen, fault: unknown): Promise<void> {
    if (!standsIn(found.answer, asked.directives, asked.rule, Date.now())) throw fault;
    this.parts.onFault(asked, 'the origin fails; what is kept stands in', fault);
    if (!(await this.sendFound(asked, found, this.judge(asked, found), 'stale'))) throw fault;
  }

  /** One request for all who want the same. `leads`: this client hears what the origin says meanwhile. */
  private ask(asked: Asked, found: Chosen | null, leads: boolean): Promise<Landing> {
    const key = flightKey(asked);
    return this.flights.get(key) ?? this.flights.begin(key, () => this.land(asked, found, leads));
  }

  /** The client has been served; what comes is for the store. Where somebody asks already, the answer is theirs. */
  private askBehind(asked: Asked, found: Chosen): void {
    if (this.flights.get(flightKey(asked)) === null) void this.ask(asked, found, false).then(drop);
  }

  private async land(asked: Asked, found: Chosen | null, leads: boolean): Promise<Landing> {
    const extra = found === null ? [] : validators(found.answer);
    const answer = await this.askOrigin(asked, extra, leads, effortFor(asked, found));
    if (found !== null && answer.status === 304) {
      discard(answer);
      const news = refreshed(found.answer, answer);
      const record = { ...found.record, meta: news };
      const isOurs = describes(
        found.answer,
        without(answer.headers, (name) => name === 'content-length'),
      );
      if (isOurs && (await this.parts.store().put(record, record.digest)))
        return { kind: 'refreshed', record, answer: news };
      return this.land(asked, null, leads);
    }
    if (
      found !== null &&
      isFailure(answer.status) &&
      standsIn(found.answer, asked.directives, asked.rule, Date.now())
    ) {
      discard(answer);
      return { kind: 'failed', fault: new Error(`the origin answers ${answer.status}`) };
    }
    return this.keep(asked, answer);
  }

  private keep(asked: Asked, answer: OriginAnswer): Landing {
    const { method, directives, fields, rule } = asked;
    if (Buffer.byteLength(asked.key) > MOST_KEY_BYTES) return { kind: 'alone', answer, reason: 'address' };
    const reason = reasonNotToStore({ ...answer, ...fields, method, request: directives, rule });
    if (reason !== null) return { kind: 'alone', answer, reason };
    return this.fills.begin(asked, answer, (headers) => this.askOrigin(asked, headers, false, 'once'));
  }

  /** For this client and nobody else, but that others may have what it is given. */
  private async alone(asked: Asked, fwd: Forwarded): Promise<void> {
    const range = linesOf(asked.headers, 'range').flatMap((value) => ['Range', value]);
    const answer = await this.askOrigin(asked, [...conditionsOf(asked.headers), ...range], true, 'long');
    // The whole of it, as an origin may say that does not mean it: others have asked for no part.
    const landed: Landing = range.length > 0 ? { kind: 'alone', answer, reason: 'range' } : this.keep(asked, answer);
    if (landed.kind === 'alone') return this.pass(asked, answer, fwd, landed.reason);
    const body = landed.kind === 'kept' ? landed.fill.follow() : null;
    if (landed.kind !== 'kept' || body === null) throw new Error('what has just begun cannot be read');
    const marks = marksOf({ hit: false, fwd, stored: true });
    const bytes = await send(asked, { answer: landed.answer, body, marks, cookies: landed.cookies });
    this.parts.onServed(asked, 'miss', bytes);
  }

  private async head(asked: Asked, found: Chosen | null, fwd: Forwarded): Promise<void> {
    const asking = this.askOrigin(asked, conditionsOf(asked.headers), true, effortFor(asked, found));
    const answer = await asking.catch(async (fault: unknown) => {
      if (found === null) throw fault;
      await this.sendStale(asked, found, fault);
      return null;
    });
    if (answer === null) return;
    // What the origin says to one who says more than others is no news for them.
    if (found !== null && answer.status === 200 && !saysMore(asked)) {
      const store = this.parts.store();
      const { key, variant, digest } = found.record;
      if (describes(found.answer, answer.headers))
        await store.put({ key, variant, meta: refreshed(found.answer, answer) }, digest);
      else await store.delete(key, variant);
    }
    await this.pass(asked, answer, fwd, 'method');
  }

  private async pass(asked: Asked, answer: OriginAnswer, fwd: Forwarded, reason: string): Promise<void> {
    const bytes = await relay(asked, answer, marksOf({ hit: false, fwd, fwdStatus: answer.status, detail: reason }));
    this.parts.tally.bytesFromOrigins += bytes;
    this.parts.onServed(asked, 'pass', bytes);
  }

  private askOrigin(asked: Asked, extra: RawHeaders, leads: boolean, effort: Effort): Promise<OriginAnswer> {
    const { exchange, method, url, arrival } = asked;
    return this.parts.origins().ask(url, {
      method,
      client: arrival.client,
      headers: [...this.onward(asked), ...extra],
      body: null,
      effort,
      ...(leads ? { onInform: (status, headers) => exchange.inform(status, headers) } : {}),
    });
  }

  private onward({ fields, headers, directives }: Asked): RawHeaders {
    const own = fields.isPeculiar ? fields.own : fields.shared;
    const wantsNew = directives.has('no-cache') || secondsOf(directives, 'max-age') === 0;
    return [
      ...own,
      ...(has(own, 'user-agent') ? [] : ['User-Agent', 'berthgate']),
      // Caches on the way must not stop what this client wants to know.
      ...(wantsNew ? ['Cache-Control', 'max-age=0'] : []),
      ...this.pseudonym.via(headers),
    ];
  }

  /** What has been changed is not kept any longer (RFC 9111 §4.4). */
  private async forget(url: URL): Promise<void> {
    this.flights.forget(url.href);
    this.fills.spoil(keyOf(url));
    await this.parts.store().delete(keyOf(url));
  }

  private fail(asked: Asked, fault: unknown): void {
    const { exchange, url } = asked;
    this.parts.onFault(asked, 'not served', fault);
    if (exchange.gone || exchange.answered) return;
    if (exchange.started) {
      exchange.abort();
      return;
    }
    if (fault instanceof OutFault) {
      const { reason, message } = fault;
      // With `origin`, it is another one that could not be asked.
      this.say(asked, statusFor(asked, reason), message.includes(url.host) ? message : `${url.host}: ${message}`);
    } else this.say(asked, 502, `${url.host} could not be asked`);
  }

  private say(asked: Asked, status: number, message: string): void {
    answerText(asked.exchange, status, message);
    this.parts.onServed(asked, 'own', 0);
  }
}

function choose(records: readonly StoredRecord[], { wantsOwn, fields, rule }: Wanted): Chosen | null {
  let chosen: Chosen | null = null;
  for (const record of records) {
    const answer = answerOf(record);
    if (answer === null || !selects(answer, wantsOwn ? fields.own : fields.shared)) continue;
    if (wantsOwn && !isForAll(answer, rule)) continue;
    if (chosen === null || answer.answeredMs > chosen.answer.answeredMs) chosen = { record, answer };
  }
  return chosen;
}

function flightKey({ url, fields }: Asked): string {
  return `${url.href}\n${fields.shared.join('\n')}`;
}

/** The origin is told what others do not tell it. */
function saysMore({ fields }: Asked): boolean {
  return fields.isPeculiar || fields.hasCredentials;
}

/** The client wants less than the whole: what it gets is for it alone. */
function isPartial({ headers }: Asked): boolean {
  return isConditional(headers) || has(headers, 'range');
}

/** Nobody is there any more for whom it was. */
function drop(landing: Landing): void {
  if (landing.kind === 'alone') discard(landing.answer);
}

function effortFor({ directives, rule }: Asked, found: Chosen | null): Effort {
  return found !== null && standsIn(found.answer, directives, rule, Date.now()) ? 'short' : 'long';
}

function statusFor({ exchange, arrival }: Asked, reason: OutFaultReason): number {
  if (reason === 'inner-address') return 403;
  const isLetIn = reason === 'broken' || reason === 'slow';
  const isProxy = arrival.isProxied === true || !exchange.head.target.startsWith('/');
  // Who has asked for a proxy, and who may have more luck with another try, is told as by any (RFC 9110 §15.6).
  if (!isLetIn && !isProxy) return FAILED_DEPENDENCY;
  return reason === 'broken' || reason === 'tls' ? 502 : 504;
}

function isFailure(status: number): boolean {
  return status >= 500 || status === 429;
}

/** Null where it takes longer. */
async function within<Value>(ms: number, promise: Promise<Value>): Promise<Value | null> {
  const timer = new AbortController();
  try {
    return await Promise.race([promise, sleep(ms, null, { signal: timer.signal })]);
  } finally {
    timer.abort();
  }
}
