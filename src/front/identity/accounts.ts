/** Accounts of the machine by uid, as the name service knows them: remembered briefly, asked a few at a time. */

import { LRUCache } from 'lru-cache';
import { Refusal } from '../../ground/refusal.ts';
import { isPlainName } from './plain-name.ts';

/** For how long a user's name and groups are believed. */
const accountLifeMs = 30_000;
const deadlineMs = 5000;
/** Lookups may hang, each on a thread of libuv's pool of four; the others are for files and passwords. */
const mostAtOnce = 2;
const mostWaiting = 256;
const mostRemembered = 10_000;

/** The part of `NativeAccounts` that names come from. */
export interface NameService {
  accountOf(uid: number): Promise<{ readonly name: string; readonly primaryGid: number } | null>;
  groupIdsOf(account: { readonly name: string; readonly primaryGid: number }): Promise<readonly number[]>;
  groupNameOf(gid: number): Promise<string | null>;
}

export interface KnownAccount {
  readonly user: string;
  readonly groups: readonly string[];
  /** By `performance.now()`: then it must be asked for again. */
  readonly until: number;
}

interface Entry {
  readonly asked: Promise<KnownAccount | null>;
  until: number;
}

export class Accounts {
  readonly #service: NameService;
  readonly #entries = new LRUCache<number, Entry>({ max: mostRemembered });
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(service: NameService) {
    this.#service = service;
  }

  /** Null for a uid without a name. @throws Refusal identity-unavailable when the name service fails or hangs */
  async of(uid: number): Promise<KnownAccount | null> {
    let entry = this.#entries.get(uid);
    if (entry === undefined || entry.until <= performance.now()) {
      entry = { asked: this.#ask(uid), until: Number.POSITIVE_INFINITY };
      this.#entries.set(uid, entry);
      this.#settle(uid, entry);
    }
    return await inTime(entry.asked);
  }

  #settle(uid: number, entry: Entry): void {
    const forget = () => {
      if (this.#entries.peek(uid) === entry) this.#entries.delete(uid);
    };
    entry.asked.then((account) => {
      // Neither a fault nor an account that is not there yet is worth remembering.
      if (account === null) forget();
      else entry.until = account.until;
    }, forget);
  }

  async #ask(uid: number): Promise<KnownAccount | null> {
    await this.#turn();
    try {
      const account = await this.#service.accountOf(uid);
      if (account === null) return null;
      const groups: string[] = [];
      for (const gid of await this.#service.groupIdsOf(account)) {
        const name = await this.#service.groupNameOf(gid);
        // A group without a usable name cannot be meant by any rule.
        if (name !== null && isPlainName(name)) groups.push(name);
      }
      return { user: account.name, groups, until: performance.now() + accountLifeMs };
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  /** Whoever ends passes the turn on. */
  async #turn(): Promise<void> {
    if (this.#running < mostAtOnce) {
      this.#running++;
      return;
    }
    if (this.#waiting.length >= mostWaiting) throw new Error('too many lookups wait for the name service');
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

async function inTime(asked: Promise<KnownAccount | null>): Promise<KnownAccount | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([asked, late]);
  } catch (cause) {
    throw new Refusal('identity-unavailable', 'the name service of this machine does not answer', { cause });
  } finally {
    clearTimeout(timer);
  }
}
