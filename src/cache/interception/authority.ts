/** The CA of a running server: who is shown which certificate, and what containers are to trust. */

import { generateKeyPairSync } from 'node:crypto';
import { createSecureContext, DEFAULT_CIPHERS, type SecureContext } from 'node:tls';
import { LRUCache } from 'lru-cache';
import { makeLeaf, pemOf } from './certificates.ts';
import {
  type Generation,
  type GenerationsOptions,
  intermediateName,
  keepGenerations,
  matchesHost,
  signingFor,
  validityOf,
} from './generations.ts';

const MOST_LEAVES = 10_000;
const LOOK_MS = 60_000;
/** A CA that ends while a connection begins is as bad as none. */
const MOST_MARGIN_MS = 3_600_000;

/** Who is a client of ours stands on this machine or beside it: what is quickest of what is safe goes first. */
const FIRST_CIPHERS = ['TLS_AES_128_GCM_SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256'];
const CIPHERS = [...FIRST_CIPHERS, ...DEFAULT_CIPHERS.split(':').filter((name) => !FIRST_CIPHERS.includes(name))].join(
  ':',
);

/** What a container is to trust. */
export interface Root {
  /** Its common name. */
  readonly name: string;
  readonly pem: string;
}

export class Authority {
  private readonly options: GenerationsOptions;
  private readonly now: () => number;
  private readonly marginMs: number;
  private generations: readonly Generation[];
  /** By generation and host. Their keys are nowhere else. */
  private readonly leaves = new LRUCache<string, SecureContext>({ max: MOST_LEAVES });
  private readonly timer: NodeJS.Timeout;

  /** @param onFault where the state cannot be written: those that are there go on. @throws Error where it cannot be read */
  constructor(options: GenerationsOptions, onFault: (fault: Error) => void, now: () => number = Date.now) {
    this.options = options;
    this.now = now;
    this.marginMs = Math.min(MOST_MARGIN_MS, (options.lifeMs - options.rotateMs) / 2);
    this.generations = keepGenerations(options, now());
    this.timer = setInterval(() => this.look(onFault), Math.min(LOOK_MS, options.rotateMs)).unref();
  }

  /** The oldest first. */
  get roots(): readonly Root[] {
    const now = this.now();
    return this.generations.filter(({ endsMs }) => endsMs > now).map(({ name, root }) => ({ name, pem: root }));
  }

  /** What a client is shown for a host; null for one that is not cached. */
  contextFor(host: string): SecureContext | null {
    if (!matchesHost(this.options.hosts, host)) return null;
    const signing = signingFor(this.generations, host, this.now(), this.marginMs);
    if (signing === undefined) return null;
    const key = `${signing.number} ${host}`;
    const before = this.leaves.get(key);
    if (before !== undefined) return before;
    const made = contextOf(signing, host);
    this.leaves.set(key, made);
    return made;
  }

  end(): void {
    clearInterval(this.timer);
  }

  private look(onFault: (fault: Error) => void): void {
    try {
      this.generations = keepGenerations(this.options, this.now());
    } catch (fault) {
      onFault(fault as Error);
    }
  }
}

function contextOf(signing: Generation, host: string): SecureContext {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = { name: intermediateName(signing.name), key: signing.key };
  const leaf = pemOf(makeLeaf(signer, host, publicKey, validityOf(signing)));
  return createSecureContext({
    cert: `${leaf}${signing.intermediate}`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    honorCipherOrder: true,
  });
}
