/** The files of an engine's containers, as tar archives that lie in memory: for what Berthgate itself puts there. */

import { printPath } from '../docker/match.ts';
import { printQuery } from '../docker/query.ts';
import { table } from '../docker/table.ts';
import type { OutboundRequest } from '../wire/outbound.ts';
import type { Engine } from './engine.ts';
import { engineRefusal } from './engine-fault.ts';
import { SharedAnswers } from './shared-answers.ts';
import { offered } from './version.ts';

const MOST_BYTES = 32 * 1024 * 1024;
const DEADLINE_MS = 30_000;

const endpoints = new Map(table.map((endpoint) => [endpoint.id, endpoint]));

export interface ContainerFiles {
  /** What lies there; a link is not followed. Null where nothing does. @throws Error */
  read(container: string, path: string): Promise<Buffer | null>;
  /** Unpacked over what is in the folder. @throws Error where the engine refuses */
  write(container: string, folder: string, tar: Buffer): Promise<void>;
}

export class LiveContainerFiles implements ContainerFiles {
  private readonly engine: Engine;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  async read(container: string, path: string): Promise<Buffer | null> {
    const { status, body } = await this.ask('ContainerArchive', container, path, null);
    if (status === 404) return null;
    if (status !== 200) throw new Error(`the engine answered ${status} for the files at ${path}`);
    return body;
  }

  async write(container: string, folder: string, tar: Buffer): Promise<void> {
    const { status } = await this.ask('PutContainerArchive', container, folder, tar);
    if (status !== 200) throw new Error(`the engine answered ${status} to files for ${folder}`);
  }

  private async ask(
    endpointId: string,
    id: string,
    path: string,
    body: Buffer | null,
  ): Promise<{ readonly status: number; readonly body: Buffer }> {
    const endpoint = endpoints.get(endpointId);
    if (endpoint === undefined) throw new Error(`${endpointId} is not in the table`);
    const { newest } = offered(await this.engine.api());
    const contentType = endpoint.body.contentType ?? 'application/x-tar';
    const request: OutboundRequest = {
      method: endpoint.method,
      target: `/v1.${newest}${printPath(endpoint, { id })}${printQuery({ path }, endpoint.query)}`,
      headers: ['Host', 'docker', ...(body === null ? [] : ['Content-Type', contentType])],
      body,
      upgrade: null,
      headTimeoutMs: DEADLINE_MS,
    };
    return new Promise((resolve, reject) => {
      new SharedAnswers(this.engine.pool, MOST_BYTES).ask('', request, {
        onAnswer: ({ status }, answer) => {
          resolve({ status, body: Buffer.from(answer) });
          return true;
        },
        onTooLarge: () => reject(new Error(`what lies at ${path} is too large`)),
        onFault: (fault) => reject(engineRefusal(fault)),
      });
    });
  }
}
