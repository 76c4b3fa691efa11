// Two users on one engine, each with images of their own, behind one gateway; what they leave on the engine is removed.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { serveListeners } from '../engine/in-process.ts';
import { type Ask, ask, type WholeAnswer } from '../engine/raw-client.ts';
import { describeEachEngine, freePort, type TestEngine } from '../engines/index.ts';

export type Say = (method: string, path: string, more?: Ask) => Promise<WholeAnswer>;

export interface ImageUsers {
  readonly engine: TestEngine;
  /** Random, and the same in both namespaces' names. */
  readonly run: string;
  readonly alice: Say;
  readonly bob: Say;
  /** Somebody at the engine itself: the control. */
  readonly direct: Say;
  /** For docker commands. */
  at(who: 'alice' | 'bob'): { readonly host: string };
  /** The engine's name of an image. `name`: with its registry. */
  engineName(who: 'alice' | 'bob', name: string): string;
  /** Names that both begin with are the engine's. */
  readonly gateway: () => string;
}

/** `site` goes over what the configuration says, when the engine's tests begin. */
export function describeImageUsers(
  name: string,
  tests: (users: ImageUsers) => void,
  {
    site = () => ({}),
    where = () => true,
    policies = [],
  }: {
    readonly site?: () => Readonly<Record<string, unknown>>;
    readonly where?: (engine: TestEngine) => boolean;
    readonly policies?: readonly unknown[];
  } = {},
): void {
  describeEachEngine(
    name,
    (engine) => {
      const run = randomBytes(3).toString('hex');
      const namespaces = { alice: `im-${run}`, bob: `im-${run}-b` };
      let served: Awaited<ReturnType<typeof serveListeners<'alice' | 'bob'>>> | undefined;
      let gateway = '';
      const to =
        (socket: () => string): Say =>
        (method, path, more) =>
          ask(socket(), method, path, more);
      const [alice, bob] = [to(() => served?.sockets.alice ?? ''), to(() => served?.sockets.bob ?? '')];
      const direct = to(() => engine.socket);

      beforeAll(async () => {
        gateway = `127.0.0.1:${await freePort()}`;
        served = await serveListeners(
          engine.host,
          { alice: { namespace: namespaces.alice, policies }, bob: { namespace: namespaces.bob, policies } },
          { engines: [{ name: 'engine', url: engine.host, gateway }], ...site() },
        );
      });
      afterAll(async () => {
        for (const say of [alice, bob]) {
          for (const { Id } of (await say('GET', '/containers/json?all=1')).json<{ Id: string }[]>())
            await say('DELETE', `/containers/${Id}?force=1`);
        }
        const images = (await direct('GET', '/images/json')).json<
          { RepoTags: string[] | null; RepoDigests: string[] | null }[]
        >();
        for (const name of images.flatMap(({ RepoTags, RepoDigests }) => [...(RepoTags ?? []), ...(RepoDigests ?? [])]))
          if (name.startsWith(`${gateway}/`)) await direct('DELETE', `/images/${name}?force=1`);
        await served?.stop();
      });
      tests({
        engine,
        run,
        alice,
        bob,
        direct,
        at: (who) => ({ host: `unix://${served?.sockets[who]}` }),
        engineName: (who, image) => `${gateway}/${namespaces[who]}/${image}`,
        gateway: () => gateway,
      });
    },
    (engine) => engine.socket !== '' && where(engine),
  );
}

/** The names that a list of images shows. */
export async function tagsOf(say: Say): Promise<readonly string[]> {
  const listed = (await say('GET', '/images/json')).json<{ RepoTags: string[] | null }[]>();
  return listed.flatMap(({ RepoTags }) => RepoTags ?? []).filter((tag) => tag !== '<none>:<none>');
}

/** The id of an image, or nothing. */
export async function idOf(say: Say, name: string): Promise<string | undefined> {
  return (await say('GET', `/images/${name}/json`)).json<{ Id?: string }>().Id;
}
