// Clients with namespaces of their own on one engine, each behind a Berthgate of its own, and everything gone afterwards.
import { randomBytes } from 'node:crypto';
import { type InProcess, serveInFrontOf } from '../engine/in-process.ts';
import { type Ask, ask, type WholeAnswer } from '../engine/raw-client.ts';
import type { TestEngine } from '../engines/index.ts';

export type Asking = (method: string, path: string, body?: unknown) => Promise<WholeAnswer>;

export interface Namespaced {
  /** Of this run. */
  readonly namespace: string;
  readonly ask: Asking;
  stop(): Promise<void>;
}

/** `listener` goes over a listener with the policy `conservative`. */
export async function namespaced(
  engine: TestEngine,
  name: string,
  listener: Readonly<Record<string, unknown>> = {},
): Promise<Namespaced> {
  const namespace = `${name}-${randomBytes(3).toString('hex')}`;
  const berthgate = await serveInFrontOf(engine.host, { policies: ['conservative'], namespace, ...listener });
  return {
    namespace,
    ask: asking(berthgate.socket),
    async stop() {
      await removeAll(engine, `berthgate.namespace=${namespace}`);
      await berthgate.stop();
    },
  };
}

export function asking(socket: InProcess['socket']): Asking {
  return (method, path, body) => {
    const said: Ask = body === undefined ? {} : { body };
    return ask(socket, method, path, said);
  };
}

/** Everything on the engine that carries the label. */
export async function removeAll(engine: TestEngine, label: string): Promise<void> {
  const direct = asking(engine.socket);
  const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
  const containers = await direct('GET', `/containers/json?all=1&filters=${filters}`);
  for (const { Id } of containers.json<{ Id: string }[]>()) await direct('DELETE', `/containers/${Id}?force=1&v=1`);
  const networks = await direct('GET', `/networks?filters=${filters}`);
  for (const { Id } of networks.json<{ Id: string }[]>()) await direct('DELETE', `/networks/${Id}`);
  const volumes = (await direct('GET', `/volumes?filters=${filters}`)).json<{ Volumes: { Name: string }[] | null }>();
  for (const { Name } of volumes.Volumes ?? []) await direct('DELETE', `/volumes/${Name}`);
}

/** The id of what was made. */
export async function made(answer: Promise<WholeAnswer>): Promise<string> {
  const { status, text, json } = await answer;
  if (status !== 201) throw new Error(`${status} ${text}`);
  return json<{ Id: string }>().Id;
}

/** What a command in a container prints, when it has ended. */
export async function printed(ask: Asking, body: Readonly<Record<string, unknown>>): Promise<string> {
  const id = await made(ask('POST', '/containers/create', { Image: 'busybox', Tty: true, ...body }));
  const started = await ask('POST', `/containers/${id}/start`);
  if (started.status !== 204) throw new Error(started.text);
  await ask('POST', `/containers/${id}/wait`);
  const { text } = await ask('GET', `/containers/${id}/logs?stdout=1&stderr=1`);
  await ask('DELETE', `/containers/${id}?force=1`);
  return text.trim();
}
