/**
 * `berthgate/plugins`: what a third party's authenticator or policy is written against. Types only, and two functions
 * that help an editor to know them; what a plugin needs while it runs is given to its `create`.
 */

import type { AuthenticatorPlugin, PolicyPlugin } from './plugin.ts';

export type { Endpoint, Risk } from '../../docker/endpoint.ts';
export type { ImageReference } from '../../docker/image-reference.ts';
export type { Mark } from '../../docker/marks.ts';
export type { Leaf, Visitor } from '../../docker/visit.ts';
export type { Authenticator, AuthenticatorLog } from '../../exchange/authenticator.ts';
export type { Call } from '../../exchange/call.ts';
export type { Identity, Peer } from '../../exchange/identity.ts';
export type { Change, Policy, PolicyContext, PolicyLog, Verdict } from '../../exchange/policy.ts';
export type { Json, JsonObject } from '../../ground/json.ts';
export type { Refusal, RefusalCode } from '../../ground/refusal.ts';
export type { RequestHead } from '../../wire/message.ts';
export type {
  AuthenticatorPlugin,
  AuthenticatorPluginContext,
  OptionsReader,
  PluginAuthenticator,
  PolicyPlugin,
  PolicyPluginContext,
  ProvedIdentity,
} from './plugin.ts';
export type { PluginTools, RefuseFacts } from './tools.ts';

export function definePolicy<Options>(plugin: Omit<PolicyPlugin<Options>, 'kind'>): PolicyPlugin<Options> {
  return { kind: 'policy', ...plugin };
}

export function defineAuthenticator<Options>(
  plugin: Omit<AuthenticatorPlugin<Options>, 'kind'>,
): AuthenticatorPlugin<Options> {
  return { kind: 'authenticator', ...plugin };
}
