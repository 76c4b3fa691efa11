/** How many wrong passwords are looked at: a budget that refills slowly for each client, each user, and each pair. */

import { LRUCache } from 'lru-cache';

export interface Budget {
  /** Wrong passwords that may come at once. */
  readonly burst: number;
  /** The time after which one more may come. */
  readonly everyMs: number;
}

export const budgets = {
  /** One client guessing one user's password. */
  pair: { burst: 10, everyMs: 30_000 },
  /** One client: several users may stand behind one address, with their mistakes. */
  source: { burst: 30, everyMs: 6000 },
  /** One user, whom many clients guess. */
  user: { burst: 30, everyMs: 6000 },
} as const satisfies Record<string, Budget>;

/** Of each kind; the least recent are forgotten. */
const mostRemembered = 20_000;

interface Account {
  left: number;
  at: number;
}

class Ledger {
  readonly #budget: Budget;
  readonly #now: () => number;
  readonly #accounts = new LRUCache<string, Account>({ max: mostRemembered });

  constructor(budget: Budget, now: () => number) {
    this.#budget = budget;
    this.#now = now;
  }

  left(key: string): number {
    const account = this.#accounts.get(key);
    if (account === undefined) return this.#budget.burst;
    const refilled = account.left + (this.#now() - account.at) / this.#budget.everyMs;
    return Math.min(this.#budget.burst, refilled);
  }

  charge(key: string): void {
    this.#accounts.set(key, { left: this.left(key) - 1, at: this.#now() });
  }
}

export class Attempts {
  readonly #pairs: Ledger;
  readonly #sources: Ledger;
  readonly #users: Ledger;

  constructor(now: () => number = () => performance.now()) {
    this.#pairs = new Ledger(budgets.pair, now);
    this.#sources = new Ledger(budgets.source, now);
    this.#users = new Ledger(budgets.user, now);
  }

  /** Whether no more may be looked at now. The user may be one who does not exist: the difference must not be felt. */
  spent(source: string, user: string): boolean {
    return this.#pairs.left(pairOf(source, user)) < 1 || this.#sources.left(source) < 1 || this.#users.left(user) < 1;
  }

  /** For a wrong password. */
  charge(source: string, user: string): void {
    this.#pairs.charge(pairOf(source, user));
    this.#sources.charge(source);
    this.#users.charge(user);
  }
}

function pairOf(source: string, user: string): string {
  return `${source}\n${user}`;
}

/** Whose attempts these are, by address. Of IPv6 the network of 64 bits: one client has all of it. */
export function sourceOf(address: string | null): string {
  if (address === null) return 'unix';
  if (!address.includes(':')) return address;
  const [before, after] = address.split('::') as [string, string?];
  const head = before === '' ? [] : before.split(':');
  if (after === undefined) return head.slice(0, 4).join(':');
  const tail = after === '' ? [] : after.split(':');
  const groups = [...head, ...Array(Math.max(0, 8 - head.length - tail.length)).fill('0'), ...tail];
  return groups.slice(0, 4).join(':');
}
