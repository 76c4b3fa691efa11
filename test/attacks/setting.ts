// Where attacks are tried: a real engine as it is, which shows that a trick bites, and Berthgate in front of it.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { FakeEngine } from '../engine/fake-engine.ts';
import { type InProcess, serveInFrontOf } from '../engine/in-process.ts';
import { type Ask, ask, RawClient, type WholeAnswer } from '../engine/raw-client.ts';
import { describeEachEngine, type TestEngine } from '../engines/index.ts';

export interface Setting {
  readonly engine: TestEngine;
  /** The engine's own socket. */
  readonly direct: string;
  /** Berthgate's. */
  readonly through: string;
  /** The newest version of the engine, as it stands in a path: `/v1.41`. */
  readonly version: string;
  /** A name that nobody else uses. */
  own(word: string): string;
  /** Makes a container straight on the engine, removed at the end. */
  make(config?: Readonly<Record<string, unknown>>, start?: boolean): Promise<string>;
  /** What the engine says of a container. */
  inspect(id: string): Promise<Inspected>;
  /** To be removed at the end, whatever it is. */
  remember(id: string): void;
  /** The endpoints of the calls that Berthgate has served, in order. */
  served(): readonly string[];
}

export interface Inspected {
  readonly Id: string;
  readonly Name: string;
  readonly State: { readonly Running: boolean };
  readonly Config: { readonly Labels: Readonly<Record<string, string>> | null };
  readonly HostConfig: {
    readonly Privileged: boolean;
    readonly Binds: readonly string[] | null;
    readonly NetworkMode: string;
    readonly Memory: number;
    readonly CapAdd: readonly string[] | null;
    readonly Mounts?: readonly { readonly Source?: string; readonly ReadOnly?: boolean }[] | null;
  };
}

export function describeAttacks(
  name: string,
  tests: (setting: Setting) => void,
  where?: (engine: TestEngine) => boolean,
): void {
  describeEachEngine(
    name,
    (engine) => {
      const run = randomBytes(3).toString('hex');
      const made: string[] = [];
      let berthgate: InProcess | undefined;
      beforeAll(async () => {
        berthgate = await serveInFrontOf(engine.host);
      });
      afterAll(async () => {
        for (const id of made) await ask(engine.socket, 'DELETE', `/containers/${id}?force=1&v=1`);
        await berthgate?.stop();
      });
      tests({
        engine,
        direct: engine.socket,
        get through() {
          return berthgate?.socket ?? '';
        },
        version: `/v${engine.apiVersion}`,
        own: (word) => `attack-${run}-${word}`,
        async make(config = {}, start = false) {
          const answer = await ask(engine.socket, 'POST', '/containers/create', {
            body: { Image: 'busybox', ...config },
          });
          if (answer.status !== 201) throw new Error(answer.text);
          const { Id } = answer.json<{ Id: string }>();
          made.push(Id);
          if (start) await ask(engine.socket, 'POST', `/containers/${Id}/start`);
          return Id;
        },
        inspect: async (id) => (await ask(engine.socket, 'GET', `/containers/${id}/json`)).json<Inspected>(),
        remember: (id) => made.push(id),
        served: () =>
          (berthgate?.log() ?? []).flatMap(({ endpoint }) => (typeof endpoint === 'string' ? [endpoint] : [])),
      });
    },
    (engine) => engine.socket !== '' && (where === undefined || where(engine)),
  );
}

export interface FakeSetting {
  readonly engine: FakeEngine;
  readonly through: string;
  /** What the engine was asked, without the questions for its version. */
  asked(): readonly string[];
  /** How many clients are connected to Berthgate. */
  connections(): number;
  close(): Promise<void>;
}

/** The same in front of the fake engine, which tells byte for byte what it was asked. */
export async function setUpFake(listener: Readonly<Record<string, unknown>> = {}): Promise<FakeSetting> {
  const engine = await FakeEngine.start({ tableOnly: true });
  const berthgate = await serveInFrontOf(engine.host, listener);
  // Its version is known from here on.
  await ask(berthgate.socket, 'GET', '/_ping');
  engine.received.length = 0;
  return {
    engine,
    through: berthgate.socket,
    connections: () => berthgate.connections(),
    asked: () =>
      engine.received
        .filter(({ endpoint }) => endpoint?.risk !== 'ping')
        .map(({ request }) => `${request.method} ${request.target}`),
    async close() {
      await berthgate.stop();
      await engine.stop();
    },
  };
}

/** Sends these bytes and reads one answer; null where the connection ended without one. */
export async function say(
  place: string,
  bytes: string | Uint8Array,
  given: Ask & { readonly method?: string } = {},
): Promise<WholeAnswer | null> {
  const client = await RawClient.connect(place);
  try {
    client.send(bytes);
    return await client.answer(given.method);
  } catch (fault) {
    if (/the connection ended/.test(String(fault))) return null;
    throw fault;
  } finally {
    client.destroy();
  }
}
