/** What `berthgate run` is configured with, who serves beside it, and what it leaves on an engine. */

import { join } from 'node:path';
import { ask } from '../engine/raw-client.ts';
import { freePort, type TestEngine } from '../engines/index.ts';
import { Watched } from './watched.ts';

export async function runConfig(
  folder: string,
  engine: TestEngine,
  upstream: { readonly host: string; readonly url: string | undefined },
): Promise<object> {
  return {
    state: join(folder, 'state'),
    // The host has one for all: it would keep the ports of other tests' containers.
    firewall: { apply: false },
    engines: [{ name: 'engine', url: engine.host, gateway: `127.0.0.1:${await freePort()}` }],
    admin: { url: `unix://${folder}/admin.sock` },
    listeners: [
      { name: 'strict', url: `unix://${folder}/unused.sock`, policies: ['conservative'] },
      { name: 'other', url: `unix://${folder}/unused2.sock` },
    ],
    images: { shared: ['busybox'] },
    registry: { upstreams: [upstream] },
    log: { level: 'warn', format: 'text' },
  };
}

/** A server that does not outlive the tests. */
export function serving(program: string, config: string): Watched {
  const bound = ['--pdeathsig', 'KILL', process.execPath, program, 'serve', '--config', config];
  return new Watched('setpriv', bound, { env: { PATH: process.env.PATH ?? '' } });
}

/** What the engine has of the job, or of what carries the label `mark`: `KIND NAME`, each. */
export async function leftOf(engine: TestEngine, job: string, mark: string): Promise<readonly string[]> {
  const get = async <T>(path: string): Promise<T> => (await ask(engine.socket, 'GET', path)).json<T>();
  type Thing = { Id: string; Names?: string[]; Name?: string; Labels: Record<string, string> | null };
  type Image = Thing & { RepoTags: string[] | null };
  const isOurs = ({ Labels }: Thing): boolean =>
    Labels?.['berthgate.job'] === job || Object.keys(Labels ?? {}).includes(mark);
  const containers = await get<Thing[]>('/containers/json?all=1');
  const networks = await get<Thing[]>('/networks');
  const { Volumes } = await get<{ Volumes: (Thing & { Name: string })[] | null }>('/volumes');
  const images = await get<Image[]>('/images/json?all=1');
  const ofJob = ({ RepoTags }: Image): boolean => RepoTags?.some((tag) => tag.includes(`/${job}/`)) === true;
  return [
    ...containers.filter(isOurs).map(({ Names }) => `container ${Names?.[0]}`),
    ...networks.filter(isOurs).map(({ Name }) => `network ${Name}`),
    ...(Volumes ?? []).filter(({ Name }) => Name.includes(job)).map(({ Name }) => `volume ${Name}`),
    ...images.filter((one) => isOurs(one) || ofJob(one)).map(({ Id, RepoTags }) => `image ${Id} ${RepoTags}`),
  ];
}

export const ALL = ['container', 'network', 'volume', 'image'];

export function kinds(things: readonly string[]): readonly string[] {
  return [...new Set(things.map((one) => one.split(' ')[0] as string))];
}
