/** What a module of somebody else's is: its default export, and what it is given. */

import type { Authenticator, AuthenticatorContext } from '../../exchange/authenticator.ts';
import type { Identity, Peer } from '../../exchange/identity.ts';
import type { Policy, PolicyCreation } from '../../exchange/policy.ts';
import type { RequestHead } from '../../wire/message.ts';
import type { PluginTools } from './tools.ts';

/** Reads the options of the configuration strictly: a function, or anything with `parse` such as a zod schema. Throws. */
export type OptionsReader<Options> =
  | ((options: Readonly<Record<string, unknown>>) => Options)
  | { readonly parse: (options: unknown) => Options };

/** What a policy is made with. */
export type PolicyPluginContext = Omit<PolicyCreation, 'engine' | 'ownPorts' | 'namespaced'> & PluginTools;

/** What an authenticator is made with. */
export type AuthenticatorPluginContext = AuthenticatorContext & PluginTools;

export interface PolicyPlugin<Options = unknown> {
  readonly kind: 'policy';
  /** What refusals, logs and metrics call it: lower-case letters, digits and hyphens. */
  readonly name: string;
  readonly options: OptionsReader<Options>;
  /** Without side effects: what the policy needs is begun in its `start`. */
  create(options: Options, context: PolicyPluginContext): Omit<Policy, 'name'>;
}

/** Who the client is, as a plugin says it. */
export type ProvedIdentity = Pick<Identity, 'user'> & Partial<Pick<Identity, 'groups' | 'claims'>>;

export interface PluginAuthenticator extends Omit<Authenticator, 'name' | 'identify' | 'challenge'> {
  /** As of an `Authenticator`. */
  identify(head: RequestHead, peer: Peer): ProvedIdentity | null | Promise<ProvedIdentity | null>;
  /** As of an `Authenticator`; absent: nothing. */
  readonly challenge?: string | null;
}

export interface AuthenticatorPlugin<Options = unknown> {
  readonly kind: 'authenticator';
  readonly name: string;
  readonly options: OptionsReader<Options>;
  create(options: Options, context: AuthenticatorPluginContext): PluginAuthenticator;
}

/** Options that a plugin has read, and what of them is ours. */
export interface ReadOptions {
  readonly options: unknown;
  /** How long one answer may take. */
  readonly deadlineMs: number;
}
