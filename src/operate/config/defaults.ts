/** What `berthgate serve` runs with where no file is given: a configuration like any other, that could have been written. */

import { type Environment, engineOfEnvironment, engineYaml, quoted } from './docker-host.ts';
import { ConfigFault, ConfigRefused } from './faults.ts';
import type { LoadedConfig } from './loaded.ts';
import { parseConfig } from './parse.ts';

const name = '(configuration without a file)';

/** `uid` is the effective one. Throws `ConfigRefused` where the environment does not say enough. */
export function defaultConfig(env: Environment, uid: number): LoadedConfig {
  const loaded = parseConfig(defaultYaml(env, uid), name);
  if ('faults' in loaded) throw new ConfigRefused(loaded.faults);
  return loaded;
}

function defaultYaml(env: Environment, uid: number): string {
  const folder = runtimeFolder(env, uid);
  if (folder === undefined) {
    const message =
      'XDG_RUNTIME_DIR is not set, so there is no place for a socket: give a file with --config (berthgate init writes one)';
    throw new ConfigRefused([new ConfigFault(name, { line: 1, column: 1 }, '', message)]);
  }
  const socket = `${folder}/docker.sock`;
  return `state: ${quoted(stateFolder(env, uid) ?? `${folder}/state`)}
${engineYaml(engineOfEnvironment(env, socket))}
listeners:
  - name: local
    url: ${quoted(`unix://${socket}`)}
    auth: [peer]
    namespace: "{user}"
    policies: [conservative]
`;
}

/** Where our sockets lie on this machine. The XDG specification has relative paths ignored. */
export function runtimeFolder(env: Environment, uid: number): string | undefined {
  if (uid === 0) return '/run/berthgate';
  const folder = env.XDG_RUNTIME_DIR;
  return folder?.startsWith('/') ? `${folder.replace(/\/+$/, '')}/berthgate` : undefined;
}

export function stateFolder(env: Environment, uid: number): string | undefined {
  if (uid === 0) return '/var/lib/berthgate';
  const state = env.XDG_STATE_HOME;
  if (state?.startsWith('/')) return `${state}/berthgate`;
  return env.HOME?.startsWith('/') ? `${env.HOME}/.local/state/berthgate` : undefined;
}
