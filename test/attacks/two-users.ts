// Two namespaces on one real engine, each behind a Berthgate of its own; bob has one of everything. What alice tries
// goes through hers, and the engine itself is the control that it would have worked.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect } from 'vitest';
import { type InProcess, serveInFrontOf } from '../engine/in-process.ts';
import { type Ask, ask, type WholeAnswer } from '../engine/raw-client.ts';
import { describeEachEngine, type TestEngine } from '../engines/index.ts';

type Say = (method: string, path: string, more?: Ask) => Promise<WholeAnswer>;

export interface TwoUsers {
  readonly engine: TestEngine;
  /** The names of the namespaces. */
  readonly mine: string;
  readonly theirs: string;
  /** Calls of alice, of bob, and of somebody at the engine itself. */
  readonly alice: Say;
  readonly bob: Say;
  readonly direct: Say;
  /** Sockets. */
  aliceSocket(): string;
  /** What bob has: `web` runs on `net`, has `data` mounted and a command that has not been started. */
  bobs(): BobsThings;
  /** A free name for what the test makes. */
  own(word: string): string;
}

export interface BobsThings {
  readonly container: string;
  readonly exec: string;
  readonly network: string;
}

/** The namespaces begin alike, as those of a user and of his group would. */
export function describeTwoUsers(
  name: string,
  tests: (users: TwoUsers) => void,
  listener: Readonly<Record<string, unknown>> = { policies: ['conservative'] },
): void {
  describeEachEngine(
    name,
    (engine) => {
      const run = randomBytes(3).toString('hex');
      const [mine, theirs] = [`ns-${run}`, `ns-${run}-b`];
      const served: InProcess[] = [];
      let things: BobsThings | undefined;
      const say =
        (socket: () => string): Say =>
        (method, path, more) =>
          ask(socket(), method, path, more);
      const [toAlice, toBob] = [0, 1].map((at) => () => served[at]?.socket ?? '') as [() => string, () => string];
      const [alice, bob, direct] = [say(toAlice), say(toBob), say(() => engine.socket)];

      beforeAll(async () => {
        for (const namespace of [mine, theirs])
          served.push(await serveInFrontOf(engine.host, { ...listener, namespace }));
        things = await makeThings(bob);
      });
      afterAll(async () => {
        for (const namespace of [mine, theirs]) await removeAll(direct, namespace);
        for (const one of served) await one.stop();
      });
      let count = 0;
      tests({
        engine,
        mine,
        theirs,
        alice,
        bob,
        direct,
        aliceSocket: toAlice,
        bobs: () => things as BobsThings,
        own: (word) => `${word}${count++}`,
      });
    },
    (engine) => engine.socket !== '',
  );
}

async function makeThings(bob: Say): Promise<BobsThings> {
  const network = (await bob('POST', '/networks/create', { body: { Name: 'net' } })).json<{ Id: string }>().Id;
  await bob('POST', '/volumes/create', { body: { Name: 'data' } });
  const HostConfig = { Binds: ['data:/data'], NetworkMode: 'net', Init: true };
  const body = { Image: 'busybox', Cmd: ['sleep', '600'], HostConfig };
  const container = (await bob('POST', '/containers/create?name=web', { body })).json<{ Id: string }>().Id;
  expect((await bob('POST', `/containers/${container}/start`)).status).toBe(204);
  const command = { Cmd: ['true'], AttachStdout: true };
  const exec = (await bob('POST', '/containers/web/exec', { body: command })).json<{ Id: string }>().Id;
  return { container, exec, network };
}

/** Everything of a namespace, on the engine itself. */
export async function removeAll(direct: Say, namespace: string): Promise<void> {
  const filters = filtersIn({ label: [`berthgate.namespace=${namespace}`] });
  const containers = (await direct('GET', `/containers/json?all=1&filters=${filters}`)).json<{ Id: string }[]>();
  for (const { Id } of containers) await direct('DELETE', `/containers/${Id}?force=1&v=1`);
  const networks = (await direct('GET', `/networks?filters=${filters}`)).json<{ Id: string }[]>();
  for (const { Id } of networks) await direct('DELETE', `/networks/${Id}`);
  const volumes = (await direct('GET', `/volumes?filters=${filters}`)).json<{ Volumes: { Name: string }[] | null }>();
  for (const { Name } of volumes.Volumes ?? []) await direct('DELETE', `/volumes/${Name}`);
}

/** As it stands in a query. */
export function filtersIn(filters: Readonly<Record<string, unknown>>): string {
  return encodeURIComponent(JSON.stringify(filters));
}
