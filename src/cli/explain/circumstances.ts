/** Who asks, at which listener, of which engine: what `explain` judges a call by. */

import { DockerEngine } from '../../engines/docker-engine.ts';
import type { Call } from '../../exchange/call.ts';
import type { ApiRange } from '../../exchange/engine.ts';
import { type EngineDesk, emptyDesk, LiveEngineDesk } from '../../exchange/engine-desk.ts';
import type { Circumstances } from '../../exchange/explain-call.ts';
import { lookUpOf } from '../../exchange/look-up.ts';
import { Rehearsal } from '../../exchange/rehearsal.ts';
import { offered } from '../../exchange/version.ts';
import { Refusal } from '../../ground/refusal.ts';
import type { LoadedConfig } from '../../operate/config/index.ts';
import { type EngineSide, engineSide, type Installation } from '../../rules/namespaces/index.ts';
import { ReadBuffers } from '../../wire/read-buffers.ts';
import { readConfiguration } from '../configuration.ts';
import { loadKinds } from '../kinds.ts';
import { namespacingOf } from '../serve/namespaces.ts';
import { makePolicies } from '../serve/policies.ts';
import { CommandFailed, type Terminal } from '../terminal.ts';
import { rehearsedGateway } from './rehearsed-gateway.ts';

export interface Standing {
  readonly config?: string;
  readonly listener?: string;
  readonly user: string;
  readonly group?: readonly string[];
}

export interface Circumstance extends Omit<Circumstances, 'api'> {
  /** Of the listener's engine; null where none answers. */
  readonly api: ApiRange | null;
  readonly close: () => void;
}

interface Asked {
  readonly desk: EngineDesk;
  readonly api: ApiRange | null;
  /** Percent of its disk; null where it cannot be seen from here. */
  readonly used: number | null;
  readonly close: () => void;
}

/** Nothing is done that would have to be ended. */
const REHEARSED: Installation = { id: '', alone: false, onEnded: () => {} };

/** Without a configuration nothing judges the call. */
export async function circumstancesOf(standing: Standing, terminal: Terminal): Promise<Circumstance> {
  const identity = { user: standing.user, groups: standing.group ?? [], claims: {}, by: 'explain' };
  if (standing.config === undefined) {
    if (standing.listener !== undefined) throw new CommandFailed('berthgate: --listener needs --config');
    const context = { lookUp: lookUpOf(emptyDesk('none')) };
    return { listener: 'none', identity, namespacing: null, policies: [], context, api: null, close: () => {} };
  }
  const loaded = await readConfiguration(standing.config, terminal);
  const { listeners } = loaded.config;
  const index = listeners.findIndex(({ name }) => standing.listener === undefined || name === standing.listener);
  const listener = listeners[index];
  if (listener === undefined) throw new CommandFailed(`berthgate: no listener is called ${standing.listener}`);
  const { desk, api, used, close } = await askEngine(loaded, listener.engine, terminal);
  const kinds = await loadKinds(loaded);
  const log = { info: () => {}, warn: () => {} };
  const policies = makePolicies(loaded, index, { kinds: kinds.policies, engine: desk, log });
  const engine = new Rehearsal(desk);
  const side = (): EngineSide => engineSide(engine, REHEARSED);
  const namespaces = namespacingOf(loaded, index, {
    side,
    gatewayOf: (name) => rehearsedGateway(loaded.config, name),
    sockets: null,
    job: null,
  });
  const namespacing = namespaces === null ? null : { engine, of: (call: Call) => namespaces.of(call) };
  const { gc } = loaded.config;
  const disk = gc === null ? null : { high: gc.high, used };
  const context = { lookUp: lookUpOf(desk) };
  return { listener: listener.name, identity, namespacing, policies, context, disk, api, close };
}

/** What a call refers to is looked up where the engine answers; else it counts as absent, and that is said. */
async function askEngine(loaded: LoadedConfig, name: string | undefined, terminal: Terminal): Promise<Asked> {
  const config = loaded.config.engines.find((one) => name === undefined || one.name === name);
  if (config === undefined) throw new CommandFailed(`berthgate: no engine is called ${name}`);
  const engine = new DockerEngine({ ...config, buffers: new ReadBuffers() });
  try {
    const api = offered(await engine.api());
    const used = loaded.config.gc === null ? null : await engine.disk.used();
    return { desk: new LiveEngineDesk(engine), api, used, close: () => engine.close() };
  } catch (fault) {
    if (!(fault instanceof Refusal)) throw fault;
    engine.close();
    terminal.err(`berthgate: engine ${config.name}: ${fault.message}; what the call refers to is taken as absent\n`);
    return { desk: emptyDesk(config.name), api: null, used: null, close: () => {} };
  }
}
