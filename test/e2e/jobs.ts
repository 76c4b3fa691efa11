// Listeners with job sockets in front of an engine, and jobs on them: containers with a plain docker client.
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from 'vitest';
import { removeAll } from '../attacks/two-users.ts';
import { serveListeners } from '../engine/in-process.ts';
import { ask, type WholeAnswer } from '../engine/raw-client.ts';
import {
  type CommandResult,
  describeEachEngine,
  docker,
  dockerCli,
  freePort,
  type TestEngine,
} from '../engines/index.ts';
import { makeJobClient } from './job-client.ts';

export const SOCKET = '/var/run/docker.sock';
const ENDED_MS = 60_000;

interface Inspected {
  readonly Config: { readonly Labels: Readonly<Record<string, string>> };
}

export interface ServedJobs {
  readonly engine: TestEngine;
  /** The namespace of the listener `ci`; those of the others are it, `-` and their name. */
  readonly ns: string;
  /** The image with the docker client. */
  client(): string;
  /** Of another listener. */
  host(listener: string): string;
  /** The docker command at the listener `ci`. */
  at(...args: readonly string[]): Promise<CommandResult>;
  startJob(name: string, ...more: readonly string[]): Promise<string>;
  /** In the container, as its user would type it. */
  within(container: string, script: string): Promise<string>;
  /** The same, whatever it says. */
  tries(container: string, script: string): Promise<CommandResult>;
  jobOf(container: string, namespace?: string): Promise<string>;
  /** What the engine has of the job, asked of the engine itself. */
  leftOf(job: string): Promise<readonly string[]>;
  /** What the log says of its end. */
  endOf(job: string): Promise<Readonly<Record<string, unknown>>>;
  direct(method: string, path: string, body?: unknown): Promise<WholeAnswer>;
}

export async function done(result: Promise<CommandResult>): Promise<string> {
  const { code, stdout, stderr } = await result;
  expect(code, stdout + stderr).toBe(0);
  return stdout.trim();
}

type Listeners = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** `others`: listeners beside `ci`, and what each says over what all say. */
export function describeJobs(name: string, others: Listeners, tests: (jobs: ServedJobs) => void): void {
  describeJobsAt(() => ({}), name, others, tests);
}

/** `site`: what the configuration says beside them. */
export function describeJobsAt(
  site: () => Readonly<Record<string, unknown>>,
  name: string,
  others: Listeners,
  tests: (jobs: ServedJobs) => void,
): void {
  describeEachEngine(
    name,
    (engine) => {
      const ns = `job-${randomBytes(3).toString('hex')}`;
      let served: Awaited<ReturnType<typeof serveListeners<string>>> | undefined;
      let client = '';
      let gateway = '';
      const host = (listener: string): string => `unix://${served?.sockets[listener]}`;
      const at = (...args: readonly string[]): Promise<CommandResult> =>
        dockerCli(host('ci'), args, { timeoutMs: 120_000 });
      const tries = (container: string, script: string): Promise<CommandResult> =>
        at('exec', '--env', 'DOCKER_BUILDKIT=0', container, 'sh', '-c', script);

      beforeAll(async () => {
        client = await makeJobClient(engine);
        gateway = `127.0.0.1:${await freePort()}`;
        const own = { policies: ['conservative'], networks: { pools: [`${engine.subnetPrefix}.128.0/17`] } };
        const more = Object.entries(others).map(([key, said]) => {
          return [key, { ...own, namespace: `${ns}-${key}`, ...said }] as const;
        });
        served = await serveListeners(
          engine.host,
          { ci: { ...own, namespace: ns, jobSocket: {} }, ...Object.fromEntries(more) },
          {
            engines: [{ name: 'engine', url: engine.host, gateway }],
            images: { shared: ['busybox', client] },
            ...site(),
          },
        );
      });
      afterAll(async () => {
        for (const one of [ns, ...Object.keys(others).map((key) => `${ns}-${key}`)]) {
          await removeAll((method, path, more) => ask(engine.socket, method, path, more), one);
        }
        await served?.stop();
        // What keeps builds for the owner's next job.
        const images = (await ask(engine.socket, 'GET', '/images/json')).json<{ RepoTags: string[] | null }[]>();
        const kept = images.flatMap(({ RepoTags }) =>
          (RepoTags ?? []).filter((tag) => tag.startsWith(`${gateway}/s_`)),
        );
        if (kept.length > 0) await docker(engine, ['rmi', '--force', ...kept]);
        if (client !== '') await docker(engine, ['rmi', '--force', client]);
      });

      tests({
        engine,
        ns,
        client: () => client,
        host,
        at,
        tries,
        within: (container, script) => done(tries(container, script)),
        startJob: (job, ...more) => {
          const own = ['--volume', `${SOCKET}:${SOCKET}`, ...more, client, 'sleep', '900'];
          return done(at('run', '--detach', '--init', '--name', job, ...own));
        },
        async jobOf(container, namespace = ns) {
          const inspection = await ask(engine.socket, 'GET', `/containers/${namespace}.${container}/json`);
          const label = inspection.json<Inspected>().Config.Labels['berthgate.socket'] ?? '';
          return (JSON.parse(label) as { job: string }).job;
        },
        leftOf: (job) => leftOn(engine, job),
        async endOf(job) {
          for (const deadline = Date.now() + ENDED_MS; Date.now() < deadline; await pause(50)) {
            const line = served?.log().find((one) => one.msg === 'a job has ended' && one.job === job);
            if (line !== undefined) return line;
          }
          throw new Error(`the job ${job} has not ended: ${JSON.stringify(served?.log().slice(-20))}`);
        },
        direct: (method, path, body) => ask(engine.socket, method, path, body === undefined ? {} : { body }),
      });
    },
    (engine) => engine.socket !== '' && engine.name !== '26.1',
  );
}

/** Containers, networks, volumes and images of a namespace. */
export async function leftOn(engine: TestEngine, namespace: string): Promise<readonly string[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`berthgate.namespace=${namespace}`] }));
  const list = async <T>(path: string): Promise<T> =>
    (await ask(engine.socket, 'GET', `/${path}filters=${filters}`)).json<Record<string, unknown>>() as T;
  const containers = await list<{ Names: string[] }[]>('containers/json?all=1&');
  const networks = await list<{ Name: string }[]>('networks?');
  const { Volumes: volumes } = await list<{ Volumes: { Name: string }[] | null }>('volumes?');
  const images = (await ask(engine.socket, 'GET', '/images/json')).json<{ RepoTags: string[] | null }[]>();
  return [
    ...containers.flatMap(({ Names }) => Names),
    ...networks.map(({ Name }) => Name),
    ...(volumes ?? []).map(({ Name }) => Name),
    ...images.flatMap(({ RepoTags }) => (RepoTags ?? []).filter((tag) => tag.includes(`/${namespace}/`))),
  ];
}
