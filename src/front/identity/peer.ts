/**
 * `peer`: on a unix socket the kernel says who connected. The uid becomes a user and groups through the machine's name
 * service; the pid with its start time is for the audit only, since a pid can be used again.
 */

import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import type net from 'node:net';
import { z } from 'zod';
import type { Authenticator, AuthenticatorKind } from '../../exchange/authenticator.ts';
import type { Identity, Peer } from '../../exchange/identity.ts';
import { Refusal } from '../../ground/refusal.ts';
import { Accounts } from './accounts.ts';
import { type AllowedOptions, admitting, allowedOptions } from './allowed.ts';
import { loadNativeAccounts, type NativeAccounts, type PeerCredentials } from './peer-credentials.ts';
import { plainName } from './plain-name.ts';

const options = z.strictObject(allowedOptions);

/** One a connection: what the kernel said, and what it means until then. */
interface Slot {
  readonly credentials: PeerCredentials;
  readonly startedAt: string | null;
  identity: Identity | null;
  /** By `performance.now()`. */
  until: number;
}

export const peerKind: AuthenticatorKind<typeof options> = {
  name: 'peer',
  options,
  create(allowed, context) {
    if (context.transport === 'tcp' || context.transport === 'tls') {
      throw new Error('peer is for unix sockets: over TCP nobody says which user connects');
    }
    return new PeerAuthenticator(allowed);
  },
};

export class PeerAuthenticator implements Authenticator {
  readonly name = 'peer';
  readonly challenge = null;
  readonly #admit: (user: string, groups: readonly string[]) => void;
  readonly #load: () => Promise<NativeAccounts>;
  readonly #slots = new WeakMap<Peer, Slot>();
  #native: NativeAccounts | null = null;
  #accounts: Accounts | null = null;
  #overflowUid = 65_534;

  constructor(allowed: AllowedOptions, load = loadNativeAccounts) {
    this.#admit = admitting(allowed);
    this.#load = load;
  }

  async start(): Promise<void> {
    try {
      this.#native = await this.#load();
    } catch (cause) {
      const why = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause);
      const remedy = 'install the optional dependency koffi, or take another authenticator';
      throw new Error(`peer needs SO_PEERCRED: ${why} (${remedy})`, { cause });
    }
    this.#overflowUid = Number(readFileSync('/proc/sys/kernel/overflowuid', 'latin1'));
    this.#accounts = new Accounts(this.#native);
  }

  accepted(socket: net.Socket, peer: Peer): void {
    if (peer.transport !== 'unix') return;
    const credentials = this.#native?.credentialsOf(socket) ?? null;
    if (credentials === null) return;
    this.#slots.set(peer, { credentials, startedAt: startTimeOf(credentials.pid), identity: null, until: 0 });
  }

  identify(_head: unknown, peer: Peer): Identity | null | Promise<Identity> {
    const slot = this.#slots.get(peer);
    if (slot === undefined) return null;
    if (slot.identity !== null && slot.until > performance.now()) return slot.identity;
    return this.#establish(slot);
  }

  async #establish(slot: Slot): Promise<Identity> {
    const { uid, gid, pid } = slot.credentials;
    // Everybody whom a user namespace does not map comes with this uid: it is nobody's.
    if (uid === this.#overflowUid) {
      throw new Refusal('not-identified', `the uid ${uid} is what the kernel shows for users that it cannot name`);
    }
    const account = await this.#accounts!.of(uid);
    if (account === null) throw new Refusal('not-identified', `the uid ${uid} has no name on this machine`);
    const user = plainName(account.user, `uid ${uid}`);
    this.#admit(user, account.groups);
    const claims: Record<string, string> = { uid: String(uid), gid: String(gid), pid: String(pid) };
    if (slot.startedAt !== null) claims.pidStart = slot.startedAt;
    slot.identity = { user, groups: account.groups, claims, by: this.name };
    slot.until = account.until;
    return slot.identity;
  }
}

/** All that is needed stands in the first few hundred bytes. */
const STAT_BYTES = 1024;

/** `readFileSync` takes 64 KiB for a file that does not say its size, and that for every client that connects. */
function readStart(path: string): string {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.allocUnsafe(STAT_BYTES);
    return bytes.toString('latin1', 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}

/** Field 22 of /proc/PID/stat: ticks since boot; null where the process is gone or not in our pid namespace. */
function startTimeOf(pid: number): string | null {
  if (pid === 0) return null;
  let stat: string;
  try {
    stat = readStart(`/proc/${pid}/stat`);
  } catch {
    // Only the audit would have used it.
    return null;
  }
  // The name of the program, in brackets, may hold spaces and brackets.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}
