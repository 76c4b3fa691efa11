// A real engine, and Berthgate in front of it with policies: what the engine does directly is the control.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { type InProcess, serveInFrontOf } from '../engine/in-process.ts';
import { type Ask, ask, type WholeAnswer } from '../engine/raw-client.ts';
import {
  type CommandResult,
  type DockerCliOptions,
  describeEachEngine,
  dockerCli,
  type TestEngine,
} from '../engines/index.ts';

export interface Guarded {
  readonly engine: TestEngine;
  /** Sockets: the engine's own, and Berthgate's. */
  readonly direct: string;
  readonly through: string;
  /** `/v1.51`: the newest version of the engine. */
  readonly version: string;
  /** A name that nobody else uses. What has it is removed at the end. */
  own(word: string): string;
  /** A call to the engine itself. */
  directly(method: string, path: string, body?: unknown): Promise<WholeAnswer>;
  /** The same call through Berthgate. */
  guarded(method: string, path: string, body?: unknown): Promise<WholeAnswer>;
  /** Makes a container on the engine itself; it is removed at the end. */
  make(body: Readonly<Record<string, unknown>>, start?: boolean): Promise<string>;
  /** Through Berthgate; throws where that is refused. */
  makeGuarded(body: Readonly<Record<string, unknown>>, start?: boolean): Promise<string>;
  docker(args: readonly string[], options?: DockerCliOptions): Promise<CommandResult>;
  /** The endpoints of the calls that were served and not refused. */
  served(): readonly string[];
}

/** `policies` as in a configuration. */
export function describeGuarded(
  name: string,
  policies: readonly unknown[],
  tests: (guarded: Guarded) => void,
  where: (engine: TestEngine) => boolean = () => true,
): void {
  describeEachEngine(
    name,
    (engine) => {
      const run = `pol-${randomBytes(3).toString('hex')}`;
      let berthgate: InProcess | undefined;
      const through = (): string => berthgate?.socket ?? '';
      beforeAll(async () => {
        berthgate = await serveInFrontOf(engine.host, { policies });
      });
      afterAll(async () => {
        await sweep(engine.socket, run);
        await berthgate?.stop();
      });
      const version = `/v${engine.apiVersion}`;
      const said = (body: unknown): Ask => (body === undefined ? {} : { body: body as Record<string, unknown> });
      const make = async (socket: string, body: Readonly<Record<string, unknown>>, start: boolean): Promise<string> => {
        const path = `${version}/containers/create?name=${run}-${randomBytes(3).toString('hex')}`;
        const made = await ask(socket, 'POST', path, { body: { Image: 'busybox', ...body } });
        if (made.status !== 201) throw new Error(made.text);
        const { Id } = made.json<{ Id: string }>();
        if (start) {
          const started = await ask(socket, 'POST', `${version}/containers/${Id}/start`);
          if (started.status !== 204) throw new Error(started.text);
        }
        return Id;
      };
      tests({
        engine,
        direct: engine.socket,
        get through() {
          return through();
        },
        version,
        own: (word) => `${run}-${word}`,
        directly: (method, path, body) => ask(engine.socket, method, path, said(body)),
        guarded: (method, path, body) => ask(through(), method, path, said(body)),
        make: (body, start = false) => make(engine.socket, body, start),
        makeGuarded: (body, start = false) => make(through(), body, start),
        served: () =>
          (berthgate?.log() ?? []).flatMap(({ endpoint, status }) =>
            typeof endpoint === 'string' && Number(status) < 400 ? [endpoint] : [],
          ),
        docker: (args, options = {}) => dockerCli(`unix://${through()}`, args, options),
      });
    },
    (engine) => engine.socket !== '' && where(engine),
  );
}

interface Listed {
  readonly Id: string;
  readonly Names: readonly string[];
}

/** Everything of this run, by its name: engines are shared with others. */
async function sweep(socket: string, run: string): Promise<void> {
  const named = (what: string): string => encodeURIComponent(JSON.stringify({ name: [what] }));
  const containers = await ask(socket, 'GET', `/containers/json?all=1&filters=${named(run)}`);
  for (const { Id } of containers.json<readonly Listed[]>())
    await ask(socket, 'DELETE', `/containers/${Id}?force=1&v=1`);
  const networks = await ask(socket, 'GET', `/networks?filters=${named(run)}`);
  for (const { Id } of networks.json<readonly Listed[]>()) await ask(socket, 'DELETE', `/networks/${Id}`);
  const volumes = await ask(socket, 'GET', `/volumes?filters=${named(run)}`);
  const { Volumes } = volumes.json<{ Volumes: readonly { Name: string }[] | null }>();
  for (const { Name } of Volumes ?? []) await ask(socket, 'DELETE', `/volumes/${Name}?force=1`);
}

/** What a refusal of a policy says: `[status, code, message]`. */
export function refusalOf(answer: WholeAnswer): readonly [number, string | undefined, string] {
  return [answer.status, answer.header('berthgate-refusal'), answer.json<{ message?: string }>().message ?? ''];
}
