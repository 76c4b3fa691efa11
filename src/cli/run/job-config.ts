/** The configuration that one command is run with: its own listener in front of one engine. */

import {
  type Config,
  ConfigRefused,
  engineOfEnvironment,
  type ListenerConfig,
  type LoadedConfig,
  parseConfig,
  stateFolder,
  type TcpAddress,
} from '../../operate/config/index.ts';
import { readConfiguration } from '../configuration.ts';
import { CommandFailed, type Terminal } from '../terminal.ts';

export interface JobConfigOptions {
  readonly config?: string;
  readonly listener?: string;
}

/** With one engine, and one listener whose socket is still to be named. @throws CommandFailed */
export async function readJobConfig(options: JobConfigOptions, terminal: Terminal): Promise<LoadedConfig> {
  const plain = plainConfig(terminal);
  if (options.config === undefined) {
    if (options.listener === undefined) return plain;
    throw new CommandFailed('berthgate: --listener needs the --config that has it');
  }
  const loaded = await readConfiguration(options.config, terminal);
  const { listeners, engines } = loaded.config;
  const chosen = listeners.find(({ name }) => name === options.listener);
  if (options.listener !== undefined && chosen === undefined) {
    throw new CommandFailed(`berthgate: ${options.config} has no listener ${options.listener}`);
  }
  const [first, second] = engines;
  const engine = chosen?.engine === undefined ? first : engines.find(({ name }) => name === chosen.engine);
  if (second !== undefined && chosen?.engine === undefined) {
    throw new CommandFailed(
      `berthgate: ${options.config} has several engines: say --listener with one that names its engine`,
    );
  }
  const [own] = plain.config.listeners as readonly [ListenerConfig];
  const { policies = [], requests = own.requests, ports = null, networks = null } = chosen ?? {};
  return withConfig(loaded, {
    ...loaded.config,
    engines: engine === undefined ? [] : [engine],
    listeners: [{ ...own, policies, requests, ports, networks, builds: chosen?.builds ?? null }],
  });
}

/** Where it listens, and where the engine finds its images. */
export function placed(loaded: LoadedConfig, socket: string, gateway: TcpAddress | null): LoadedConfig {
  const { config } = loaded;
  return withConfig(loaded, {
    ...config,
    engines: config.engines.map((engine) => ({ ...engine, gateway })),
    listeners: config.listeners.map((listener) => ({ ...listener, url: { kind: 'unix', path: socket } })),
  });
}

function withConfig(loaded: LoadedConfig, config: Config): LoadedConfig {
  return { ...loaded, config };
}

/** Of a command that says nothing: the engine that `docker` would talk to, and no policy. */
function plainConfig({ env, uid }: Terminal): LoadedConfig {
  const state = stateFolder(env, uid);
  if (state === undefined) {
    throw new CommandFailed('berthgate: neither HOME nor XDG_STATE_HOME says where to keep what has begun: set one');
  }
  // YAML takes JSON.
  const loaded = parseConfig(
    JSON.stringify({
      state,
      engines: [{ name: 'local', ...engineOfEnvironment(env, '') }],
      listeners: [
        { name: 'run', url: 'unix:///run/berthgate/run.sock', auth: ['anonymous'], namespace: 'run', policies: [] },
      ],
      log: { level: 'warn', format: 'text' },
    }),
    '(berthgate run)',
  );
  if ('faults' in loaded) throw new CommandFailed(new ConfigRefused(loaded.faults).message);
  return loaded;
}
