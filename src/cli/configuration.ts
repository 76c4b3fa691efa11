/** Reads a configuration for a command, with all that only the whole program can say of it. */

import {
  ConfigRefused,
  defaultConfig,
  type LoadedConfig,
  loadConfig,
  refusals,
  type SettingNote,
} from '../operate/config/index.ts';
import { builtIn, implementedFor, loadKinds } from './kinds.ts';
import { authenticatorFaults } from './serve/authenticators.ts';
import { policyFaults } from './serve/policies.ts';
import { CommandFailed, type Terminal } from './terminal.ts';

/** Throws `CommandFailed` with all faults, a line each. */
export async function readConfiguration(file: string | undefined, { env, uid }: Terminal): Promise<LoadedConfig> {
  try {
    if (file === undefined) return defaultConfig(env, uid);
    const loaded = await loadConfig(file, builtIn);
    const kinds = await loadKinds(loaded);
    if (kinds.faults.length > 0) throw new ConfigRefused(kinds.faults);
    const faults = [...authenticatorFaults(loaded, kinds.auth), ...policyFaults(loaded, kinds.policies)];
    if (faults.length > 0) throw new ConfigRefused(faults);
    return loaded;
  } catch (fault) {
    if (fault instanceof ConfigRefused) throw new CommandFailed(fault.message);
    throw fault;
  }
}

export function printNote(loaded: LoadedConfig, { line, column, place, what }: SettingNote): string {
  return `${loaded.file}:${line}:${column}: ${place}: ${what}`;
}

/** Why `serve` must not start with it; empty when it may. */
export function reasonsNotToServe(loaded: LoadedConfig): readonly string[] {
  return refusals(loaded, implementedFor(loaded)).map((note) => printNote(loaded, note));
}
