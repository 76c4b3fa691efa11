/** The namespaces of a listener, made of what its configuration says. */

import type { EngineDesk } from '../../exchange/engine-desk.ts';
import type { Namespacing } from '../../exchange/namespacing.ts';
import { type IpNetwork, readIpNetwork } from '../../ground/ip-network.ts';
import { ConfigRefused, type LoadedConfig } from '../../operate/config/index.ts';
import { engineSide, type NamespaceSettings, Namespaces } from '../../rules/namespaces/index.ts';

/** What holds where a listener with a namespace says nothing about its networks and ports. */
const DEFAULTS: NamespaceSettings = {
  address: '127.0.0.1',
  ports: { first: 1024, last: 65_535 },
  pools: [readIpNetwork('10.128.0.0/9') as IpNetwork],
  size: 26,
};

/** Null for a listener that shows the engine as it is. @throws ConfigRefused */
export function namespacingOf(loaded: LoadedConfig, index: number, desk: EngineDesk): Namespacing | null {
  const config = loaded.config.listeners[index];
  if (config === undefined || config.namespace === null) return null;
  if (config.namespace.includes('{label.')) {
    const what = 'a namespace by the labels of a create is not there yet';
    throw new ConfigRefused([loaded.fault(['listeners', index, 'namespace'], what)]);
  }
  return new Namespaces(config.namespace, config.name, engineSide(desk), DEFAULTS);
}

/** Listens to the engine, so that what is there need not be asked for. */
export function startNamespaces(desk: EngineDesk): void {
  engineSide(desk).start();
}

/** Ends what listens to the engine beside the calls. */
export function endNamespaces(desk: EngineDesk): void {
  engineSide(desk).end();
}
