/** How this site's servers reach others: its proxy, its CA, and which inner networks may be used. */

import { readFileSync } from 'node:fs';
import { ConfigRefused, type LoadedConfig } from '../../operate/config/index.ts';
import type { WayOutOptions } from '../../wire/way-out.ts';

/** @throws ConfigRefused where the CA cannot be read */
export function siteOf(loaded: LoadedConfig): WayOutOptions {
  const { proxy, noProxy, ca, allowPrivate } = loaded.config.outbound;
  let own: readonly string[];
  try {
    own = ca === null ? [] : [readFileSync(ca, 'utf8')];
  } catch (fault) {
    throw new ConfigRefused([loaded.fault(['outbound', 'ca'], (fault as Error).message)]);
  }
  return { proxy, noProxy, ca: own, allowPrivate };
}
