/** Reads a configuration for a command, with all that only the whole program can say of it. */

import { authenticatorKinds } from '../front/identity/authenticators.ts';
import {
  ConfigRefused,
  defaultConfig,
  type Implemented,
  type LoadedConfig,
  loadConfig,
  refusals,
  type SettingNote,
} from '../operate/config/index.ts';
import { authenticatorFaults } from './serve/authenticators.ts';
import { CommandFailed, type Terminal } from './terminal.ts';

/** What this program has of what a configuration may name. */
export const implemented: Implemented = { auth: [...authenticatorKinds.keys()], policies: [] };

/** Throws `CommandFailed` with all faults, a line each. */
export async function readConfiguration(file: string | undefined, { env, uid }: Terminal): Promise<LoadedConfig> {
  try {
    if (file === undefined) return defaultConfig(env, uid);
    const loaded = await loadConfig(file, implemented);
    const faults = authenticatorFaults(loaded);
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
  return refusals(loaded, implemented).map((note) => printNote(loaded, note));
}
