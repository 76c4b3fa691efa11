/** Who asks, at which listener: what `explain` judges a call by. */

import type { Circumstances } from '../../exchange/explain-call.ts';
import { readConfiguration } from '../configuration.ts';
import { CommandFailed, type Terminal } from '../terminal.ts';

export interface Standing {
  readonly config?: string;
  readonly listener?: string;
  readonly user: string;
  readonly group?: readonly string[];
}

/** Without a configuration nothing judges the call. */
export async function circumstancesOf(standing: Standing, terminal: Terminal): Promise<Omit<Circumstances, 'api'>> {
  const identity = { user: standing.user, groups: standing.group ?? [], claims: {}, by: 'explain' };
  const context = { lookUp: async () => null };
  if (standing.config === undefined) {
    if (standing.listener !== undefined) throw new CommandFailed('berthgate: --listener needs --config');
    return { listener: 'none', identity, policies: [], context };
  }
  const { config } = await readConfiguration(standing.config, terminal);
  const listener = config.listeners.find(({ name }) => standing.listener === undefined || name === standing.listener);
  if (listener === undefined) throw new CommandFailed(`berthgate: no listener is called ${standing.listener}`);
  return { listener: listener.name, identity, policies: [], context };
}
