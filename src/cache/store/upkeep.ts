/** What is done for a store as a whole: counting what is there, tidying up what nobody names, and reading all of it again. */

import type { CollectedRubbish, Digest, VerifyStep } from '../store.ts';
import { entryOf, type Ledger } from './ledger.ts';
import { removeDeadFills } from './left-fills.ts';
import type { BodyPlace, RecordPlace } from './places.ts';
import type { Changed, Records } from './records.ts';

/** A body comes before its record: until then it is not taken for one that nobody names. */
const UNNAMED_MS = 10 * 60_000;
const TELL_EVERY = 100;

export interface UpkeepParts {
  /** The folder of bodies that are being written. */
  readonly fills: string;
  readonly ledger: Ledger;
  readonly bodies: BodyPlace;
  readonly records: Records;
  readonly recordPlace: RecordPlace;
  /** What has changed about a name: gives the bodies that nothing names any more. */
  enter(name: string, changed: Changed): readonly Digest[];
}

export class Upkeep {
  readonly #parts: UpkeepParts;

  constructor(parts: UpkeepParts) {
    this.#parts = parts;
  }

  /** The ledger says afterwards what lies in the folder, whoever has put it there. */
  async count(stopped: () => boolean): Promise<void> {
    const { ledger, records } = this.#parts;
    ledger.beginWalk();
    const found: (readonly [string, ReturnType<typeof entryOf>])[] = [];
    for await (const { name, file, lastUse } of records.walk()) {
      found.push([name, entryOf(file, lastUse)]);
      if (stopped()) break;
    }
    const lost = ledger.endWalk(found);
    // Another process has removed it; and if it has put it there again, it stays.
    if (!stopped()) for (const name of lost) await this.#keepOnly(name, () => true);
  }

  async collect(stopped: () => boolean): Promise<CollectedRubbish> {
    const { ledger } = this.#parts;
    await this.count(stopped);
    const fills = await removeDeadFills(this.#parts.fills);
    const there = new Set<Digest>();
    let [bodies, bytes] = [0, 0];
    for await (const { digest, changedMs } of this.#parts.bodies.walk()) {
      if (stopped()) return { fills, bodies, bytes, records: 0 };
      there.add(digest);
      if (ledger.isNamed(digest) || Date.now() - changedMs < UNNAMED_MS) continue;
      const size = await this.#parts.bodies.remove(digest);
      if (size === null) continue;
      bodies++;
      bytes += size;
    }
    const before = ledger.records;
    for (const name of ledger.namesOf((digest) => !there.has(digest))) {
      await this.#keepOnly(name, ({ digest }) => there.has(digest) || ledger.isPinned(digest));
    }
    return { fills, bodies, bytes, records: Math.max(0, before - ledger.records) };
  }

  async *verify(signal: AbortSignal): AsyncGenerator<VerifyStep> {
    const { ledger, bodies, records, recordPlace } = this.#parts;
    let damaged = 0;
    const named = new Map<Digest, string[]>();
    const readable = new Set<string>();
    for await (const { name, file } of records.walk()) {
      signal.throwIfAborted();
      readable.add(name);
      for (const { digest } of file.records) named.set(digest, [...(named.get(digest) ?? []), name]);
    }
    for await (const { name } of recordPlace.walk()) {
      // A record that has come since the walk is whole, and stays.
      if (readable.has(name) || !(await this.#removeDamaged(name))) continue;
      damaged++;
      yield { step: 'damaged record', name };
    }
    let [checked, bytes, corrupt, missing] = [0, 0, 0, 0];
    const of = ledger.bodies;
    for await (const { digest } of bodies.walk()) {
      const found = await bodies.check(digest, signal);
      if (found === 'wrong') {
        corrupt++;
        yield { step: 'corrupt', digest, keys: await this.#forget(digest, named.get(digest) ?? []) };
      }
      if (found === 'gone') continue;
      named.delete(digest);
      checked++;
      bytes += found === 'wrong' ? 0 : found;
      if (checked % TELL_EVERY === 0) yield { step: 'progress', checked, of, bytes };
    }
    for (const [digest, names] of named) {
      if ((await bodies.check(digest, signal)) !== 'gone') continue;
      const keys = await this.#forget(digest, names);
      // Evicted meanwhile, with its records.
      if (keys.length === 0) continue;
      missing++;
      yield { step: 'missing', digest, keys };
    }
    yield { step: 'done', checked, bytes, corrupt, missing, damaged };
  }

  /** Its records go. Gives their keys. */
  async #forget(digest: Digest, names: readonly string[]): Promise<readonly string[]> {
    const keys: string[] = [];
    for (const name of names) {
      await this.#keepOnly(name, (record) => {
        if (record.digest !== digest) return true;
        keys.push(record.key);
        return false;
      });
    }
    return [...new Set(keys)];
  }

  async #removeDamaged(name: string): Promise<boolean> {
    return this.#andUnnamed((onChanged) => this.#parts.records.removeDamaged(name, onChanged));
  }

  async #keepOnly(name: string, stays: Parameters<Records['keepOnly']>[1]): Promise<boolean> {
    return this.#andUnnamed((onChanged) => this.#parts.records.keepOnly(name, stays, onChanged));
  }

  /** The bodies that nothing names any more go too. */
  async #andUnnamed(work: (onChanged: (name: string, changed: Changed) => void) => Promise<boolean>): Promise<boolean> {
    let unnamed: readonly Digest[] = [];
    const changed = await work((name, now) => {
      unnamed = this.#parts.enter(name, now);
    });
    for (const digest of unnamed) await this.#parts.bodies.remove(digest);
    return changed;
  }
}
