/** What the rest of Berthgate uses of the configuration. */

export { defaultConfig, stateFolder } from './defaults.ts';
export { engineOfEnvironment } from './docker-host.ts';
export { refusals, type SettingNote, withoutEffect } from './effect.ts';
export { ConfigFault, ConfigRefused, type Path } from './faults.ts';
export { initConfig, lookAtMachine } from './init.ts';
export { configJsonSchema } from './json-schema.ts';
export type { LoadedConfig } from './loaded.ts';
export { loadConfig, parseConfig } from './parse.ts';
export { readOptions } from './plugin-options.ts';
export { renderReference } from './reference.ts';
export {
  type Cidr,
  formatAddress,
  type ListenAddress,
  type TcpAddress,
  type UnixAddress,
} from './schema/addresses.ts';
export { defaultCache } from './schema/cache.ts';
export type * from './schema/config.ts';
export { defaultSocketMode } from './schema/listeners.ts';
export type { Implemented, PluginUse } from './schema/plugin-use.ts';
