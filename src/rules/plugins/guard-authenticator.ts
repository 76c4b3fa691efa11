/** A plugin's authenticator behind a guard: what throws, hangs or answers nonsense identifies nobody. */

import type net from 'node:net';
import type { Authenticator, AuthenticatorContext, AuthenticatorLog } from '../../exchange/authenticator.ts';
import type { Identity, Peer } from '../../exchange/identity.ts';
import { isPlainName } from '../../ground/plain-name.ts';
import { Refusal, type RefusalCode } from '../../ground/refusal.ts';
import type { RequestHead } from '../../wire/message.ts';
import { within } from './deadline.ts';
import type { AuthenticatorPlugin, PluginAuthenticator, ReadOptions } from './plugin.ts';
import { toolsFor } from './tools.ts';

const LIFE_MS = 30_000;
const MOST_GROUPS = 1000;

/** What an authenticator may refuse with. */
const codes: ReadonlySet<RefusalCode> = new Set(['not-identified', 'too-many-attempts', 'identity-unavailable']);

export function guardAuthenticator(
  plugin: AuthenticatorPlugin,
  context: AuthenticatorContext,
  { options, deadlineMs }: ReadOptions,
): Authenticator {
  const { name } = plugin;
  const made = plugin.create(options, { ...context, ...toolsFor(name) });
  if (typeof made?.identify !== 'function') {
    throw new Error(`the plugin ${name} has made no authenticator: it has no \`identify\``);
  }
  const { challenge = null, schemes } = made;
  if (challenge !== null && (typeof challenge !== 'string' || /[^\u0020-\u007e]/.test(challenge))) {
    throw new Error(`the plugin ${name}: \`challenge\` must be one line of ASCII, or null`);
  }
  if (schemes !== undefined && !(Array.isArray(schemes) && schemes.every((one) => /^[a-z0-9_-]+$/.test(String(one))))) {
    throw new Error(`the plugin ${name}: \`schemes\` must be a list of words in lower case`);
  }
  return new GuardedAuthenticator(name, made, context.log, deadlineMs);
}

class GuardedAuthenticator implements Authenticator {
  readonly name: string;
  readonly challenge: string | null;
  readonly schemes: readonly string[];
  private readonly plugin: PluginAuthenticator;
  private readonly log: AuthenticatorLog;
  private readonly deadlineMs: number;

  constructor(name: string, plugin: PluginAuthenticator, log: AuthenticatorLog, deadlineMs: number) {
    this.name = name;
    this.challenge = plugin.challenge ?? null;
    this.schemes = [...(plugin.schemes ?? [])];
    this.plugin = plugin;
    this.log = log;
    this.deadlineMs = deadlineMs;
  }

  async identify(head: RequestHead, peer: Peer): Promise<Identity | null> {
    let answer: unknown;
    try {
      answer = await within(this.deadlineMs, () => this.plugin.identify(head, peer));
    } catch (fault) {
      if (fault instanceof Refusal && codes.has(fault.code)) throw fault;
      throw this.failed('failed', fault);
    }
    if (answer === null || answer === undefined) return null;
    const identity = readIdentity(answer, this.name);
    if (identity === null) throw this.failed('answered nonsense', new Error('what it gave is no identity'));
    return identity;
  }

  accepted(socket: net.Socket, peer: Peer): void {
    try {
      this.plugin.accepted?.(socket, peer);
    } catch (fault) {
      this.log.warn({ authenticator: this.name, reason: messageOf(fault) }, 'a plugin failed at a new connection');
    }
  }

  async start(): Promise<void> {
    try {
      await within(LIFE_MS, () => this.plugin.start?.());
    } catch (fault) {
      throw new Error(`the authenticator ${this.name} does not start: ${messageOf(fault)}`, { cause: fault });
    }
  }

  async stop(): Promise<void> {
    try {
      await within(LIFE_MS, () => this.plugin.stop?.());
    } catch (fault) {
      this.log.warn({ authenticator: this.name, reason: messageOf(fault) }, 'a plugin does not stop');
    }
  }

  private failed(what: string, fault: unknown): Refusal {
    this.log.warn({ authenticator: this.name, reason: messageOf(fault) }, 'a plugin failed');
    return new Refusal('identity-unavailable', `the authenticator ${this.name} ${what}`, { cause: fault });
  }
}

/** A copy of our own: what the plugin does with its object later changes nobody's name. */
function readIdentity(answer: unknown, by: string): Identity | null {
  if (typeof answer !== 'object' || answer === null) return null;
  const { user, groups = [], claims = {} } = answer as { user?: unknown; groups?: unknown; claims?: unknown };
  if (typeof user !== 'string' || !isPlainName(user)) return null;
  if (!Array.isArray(groups) || groups.length > MOST_GROUPS) return null;
  if (!groups.every((group) => typeof group === 'string' && isPlainName(group))) return null;
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) return null;
  const entries = Object.entries(claims as Record<string, unknown>);
  if (!entries.every(([, value]) => typeof value === 'string')) return null;
  return { user, groups: [...(groups as string[])], claims: Object.fromEntries(entries) as Record<string, string>, by };
}

function messageOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault);
}
