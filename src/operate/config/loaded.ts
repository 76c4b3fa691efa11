/** What reading a configuration gives. */

import type { ConfigFault, Path, Position } from './faults.ts';
import type { Config } from './schema/config.ts';
import type { YamlSource } from './yaml-source.ts';

export interface LoadedConfig {
  readonly config: Config;
  readonly file: string;
  readonly source: YamlSource;
  /** Where the value at this path stands, or its nearest ancestor where a default is meant. */
  locate(path: Path): Position;
  /** A fault that only its user could find, such as an option of a plugin: `['listeners', 0, 'policies', 1, 'memory']`. */
  fault(path: Path, message: string): ConfigFault;
}

export interface FaultyConfig {
  /** In the order of the file; at least one. */
  readonly faults: readonly ConfigFault[];
}
