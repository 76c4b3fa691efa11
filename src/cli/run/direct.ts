/** The jobs on an engine where no server runs: asked of the engine itself. */

import { randomBytes } from 'node:crypto';
import { LiveEngineDesk } from '../../exchange/engine-desk.ts';
import { openLog } from '../../operate/signals/index.ts';
import { engineSide } from '../../rules/namespaces/index.ts';
import { ReadBuffers } from '../../wire/read-buffers.ts';
import { Engines } from '../serve/engines.ts';
import type { JobsOn } from '../serve/job-administration.ts';
import { processJobsOn } from '../serve/job-sweeps.ts';
import type { Terminal } from '../terminal.ts';
import { readJobConfig } from './job-config.ts';

/** @throws CommandFailed */
export async function withEngine<T>(
  config: string | undefined,
  terminal: Terminal,
  act: (jobs: JobsOn) => Promise<T>,
): Promise<T> {
  const loaded = await readJobConfig(config === undefined ? {} : { config }, terminal);
  const log = openLog({ level: 'error', format: 'text' });
  const engines = new Engines(new ReadBuffers(), log.log);
  const [one] = loaded.config.engines;
  const prepared = engines.prepare(loaded.config.engines);
  prepared.commit();
  try {
    const engine = prepared.get(one?.name ?? '');
    if (engine === undefined) throw new Error('there is no engine');
    const installation = { id: randomBytes(16).toString('hex'), alone: true, onEnded: () => {} };
    const side = engineSide(new LiveEngineDesk(engine), installation);
    return await act({ side, processes: processJobsOn(side, one?.url.kind === 'unix'), sockets: [] });
  } finally {
    engines.close();
    await log.close();
  }
}
