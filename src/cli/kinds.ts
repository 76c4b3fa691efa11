/** The authenticators and policies that a configuration can mean: the built-in ones, and the modules that it names. */

import type { AuthenticatorKind } from '../exchange/authenticator.ts';
import type { PolicyKind } from '../exchange/policy.ts';
import { authenticatorKinds } from '../front/identity/authenticators.ts';
import type { ConfigFault, Implemented, LoadedConfig, PluginUse } from '../operate/config/index.ts';
import { loadAuthenticatorPlugin, loadPolicyPlugin } from '../rules/plugins/load.ts';
import { policyKinds } from '../rules/policies/policies.ts';

/** By what the configuration calls them. */
export interface Kinds {
  readonly auth: ReadonlyMap<string, AuthenticatorKind>;
  readonly policies: ReadonlyMap<string, PolicyKind>;
  /** Modules that could not be loaded. */
  readonly faults: readonly ConfigFault[];
}

/** The names of what is built in. */
export const builtIn: Implemented = { auth: [...authenticatorKinds.keys()], policies: [...policyKinds.keys()] };

/** With the modules that a configuration names. */
export function implementedFor({ config }: LoadedConfig): Implemented {
  const modules = (list: 'auth' | 'policies'): readonly string[] =>
    config.listeners
      .flatMap((listener) => [...listener[list], ...(list === 'auth' ? [] : (listener.jobSocket?.policies ?? []))])
      .filter(isModule)
      .map(({ use }) => use);
  return { auth: [...builtIn.auth, ...modules('auth')], policies: [...builtIn.policies, ...modules('policies')] };
}

export async function loadKinds(loaded: LoadedConfig): Promise<Kinds> {
  const faults: ConfigFault[] = [];
  const auth = new Map(authenticatorKinds);
  const policies = new Map(policyKinds);
  for (const [index, listener] of loaded.config.listeners.entries()) {
    const place = ['listeners', index];
    await addModules(loaded, [...place, 'auth'], listener.auth, auth, loadAuthenticatorPlugin, faults);
    await addModules(loaded, [...place, 'policies'], listener.policies, policies, loadPolicyPlugin, faults);
    const ofJobs = listener.jobSocket?.policies ?? [];
    await addModules(loaded, [...place, 'jobSocket', 'policies'], ofJobs, policies, loadPolicyPlugin, faults);
  }
  return { auth, policies, faults };
}

async function addModules<Kind>(
  loaded: LoadedConfig,
  place: readonly (string | number)[],
  uses: readonly PluginUse[],
  kinds: Map<string, Kind>,
  load: (path: string) => Promise<Kind>,
  faults: ConfigFault[],
): Promise<void> {
  for (const [at, plugin] of uses.entries()) {
    if (!isModule(plugin) || kinds.has(plugin.use)) continue;
    try {
      kinds.set(plugin.use, await load(plugin.use));
    } catch (fault) {
      faults.push(loaded.fault([...place, at], (fault as Error).message));
    }
  }
}

function isModule({ use }: PluginUse): boolean {
  return use.startsWith('/');
}
