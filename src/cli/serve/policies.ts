/** The policies of a listener, made of what its configuration names, in its order. */

import { resolve } from 'node:path';
import { z } from 'zod';
import { BuildAddresses } from '../../exchange/build-addresses.ts';
import { type EngineDesk, emptyDesk } from '../../exchange/engine-desk.ts';
import type { Policy, PolicyKind, PolicyLog } from '../../exchange/policy.ts';
import {
  type ConfigFault,
  ConfigRefused,
  type ListenerConfig,
  type LoadedConfig,
  type Path,
  readOptions,
} from '../../operate/config/index.ts';
import { inMode, type Mode, modes } from '../../rules/policies/mode.ts';
import { ownPaths } from '../../rules/policies/own-paths.ts';
import { ownSockets } from '../../rules/policies/own-sockets.ts';
import { ownVolumesFrom } from '../../rules/policies/own-volumes-from.ts';
import { alwaysFirst, alwaysLast, BuildsPolicy } from '../../rules/policies/policies.ts';
import { forJobs, namespacedListener } from './namespaces.ts';
import { ownPortsOf } from './own-ports.ts';

type PolicyKinds = ReadonlyMap<string, PolicyKind>;

interface MadeFrom {
  readonly kinds: PolicyKinds;
  readonly engine: EngineDesk;
  readonly log: PolicyLog;
  /** Those of the sockets of the listener's containers, not its own. */
  readonly ofJobs?: boolean;
}

/** Created and started. @throws ConfigRefused for options that are not theirs, and where one cannot start */
export async function startPolicies(loaded: LoadedConfig, index: number, from: MadeFrom): Promise<readonly Policy[]> {
  const policies = makePolicies(loaded, index, from);
  const started: Policy[] = [];
  for (const policy of policies) {
    try {
      started.push(policy);
      await policy.start?.();
    } catch (fault) {
      await stopPolicies(started);
      throw new ConfigRefused([loaded.fault(placeOf(index, from), (fault as Error).message)]);
    }
  }
  return started;
}

export async function stopPolicies(policies: readonly Policy[]): Promise<void> {
  for (const policy of policies) await policy.stop?.();
}

/** Created, not started: for one look at a call. @throws ConfigRefused */
export function makePolicies(loaded: LoadedConfig, index: number, from: MadeFrom): readonly Policy[] {
  const { policies, faults } = createPolicies(loaded, index, from);
  if (faults.length > 0) throw new ConfigRefused(faults);
  const listener = loaded.config.listeners[index];
  const addresses = addressesOf(listener);
  if ((policies.length === 0 && addresses === null) || listener === undefined) return policies;
  const builds = addresses === null ? [] : [new BuildsPolicy(addresses)];
  return [...alwaysFirst, ...ownSocketsOf(loaded, listener, from), ...policies, ...builds, ...alwaysLast];
}

/** What builds may fetch; null where only the policies say: the engine as it is, with nothing said of builds. */
function addressesOf(listener: ListenerConfig | undefined): BuildAddresses | null {
  if (listener === undefined || (listener.namespace === null && listener.builds === null)) return null;
  return new BuildAddresses(listener.builds?.urls ?? []);
}

function ownSocketsOf({ config }: LoadedConfig, listener: ListenerConfig, from: MadeFrom): readonly Policy[] {
  const { jobSocket, url, engine: named } = listener;
  if (jobSocket === null) return [];
  const engine = config.engines.find(({ name }) => named === undefined || named === name);
  const paths = [url, ...(engine === undefined ? [] : [engine.url])].flatMap((one) =>
    one.kind === 'unix' ? [one.path] : [],
  );
  const taken = ownVolumesFrom(from.engine);
  if (from.ofJobs !== true) return [ownSockets({ for: jobSocket.for, paths }), taken];
  return [ownSockets({ for: 'requested', paths: [] }), taken, ownPaths(from.engine)];
}

function placeOf(index: number, { ofJobs }: Pick<MadeFrom, 'ofJobs'>): Path {
  return ['listeners', index, ...(ofJobs === true ? ['jobSocket'] : []), 'policies'];
}

/** What is wrong with the options of any of them. Nothing is started, and no engine is asked. */
export function policyFaults(loaded: LoadedConfig, kinds: PolicyKinds): readonly ConfigFault[] {
  const from = { kinds, engine: emptyDesk('none'), log: { info: () => {}, warn: () => {} } };
  return loaded.config.listeners.flatMap((_, index) =>
    [false, true].flatMap((ofJobs) => createPolicies(loaded, index, { ...from, ofJobs }).faults),
  );
}

/** Every policy has it; the rest of the options is its own. */
const modeOption = z.object({ mode: z.enum(modes as [Mode, ...Mode[]], 'must be enforce or warn').default('enforce') });

interface Created {
  readonly policies: readonly Policy[];
  readonly faults: readonly ConfigFault[];
}

function createPolicies(loaded: LoadedConfig, index: number, from: MadeFrom): Created {
  const { kinds, engine, log, ofJobs = false } = from;
  const policies: Policy[] = [];
  const faults: ConfigFault[] = [];
  const listener = loaded.config.listeners[index];
  if (listener === undefined) return { policies, faults };
  const uses = ofJobs ? (listener.jobSocket?.policies ?? []) : listener.policies;
  for (const [at, { use, options }] of uses.entries()) {
    const place = [...placeOf(index, { ofJobs }), at];
    const kind = kinds.get(use);
    if (kind === undefined) {
      faults.push(loaded.fault(place, `${use} is not there yet`));
      continue;
    }
    const { mode: _, ...own } = options;
    const mode = readOptions(loaded, place, modeOption, options);
    const read = readOptions(loaded, place, kind.options, own);
    if (mode.faults !== undefined || read.faults !== undefined) {
      faults.push(...(mode.faults ?? []), ...(read.faults ?? []));
      continue;
    }
    const buildAddresses = addressesOf(listener);
    const creation = {
      ...(buildAddresses === null ? {} : { buildAddresses }),
      listener: listener.name,
      engine,
      ownPorts: ownPortsOf(loaded.config),
      namespaced: namespacedListener(loaded.config, ofJobs ? forJobs(listener) : listener),
      resolve: (file: string) => resolve(resolve(loaded.file, '..'), file),
      log,
    };
    try {
      policies.push(inMode(mode.options.mode, kind.create(read.options, creation), log));
    } catch (fault) {
      faults.push(loaded.fault(place, (fault as Error).message));
    }
  }
  return { policies, faults };
}
