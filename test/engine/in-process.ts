// Berthgate in front of an engine, within the process of the test: nothing decided, nothing renamed.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { builtIn } from '../../src/cli/kinds.ts';
import { Instance } from '../../src/cli/serve/instance.ts';
import { loadConfig } from '../../src/operate/config/index.ts';

export interface InProcess {
  /** The path of its unix socket. */
  readonly socket: string;
  /** The lines of the log so far. */
  log(): readonly Readonly<Record<string, unknown>>[];
  /** How many clients are connected. */
  connections(): number;
  stop(): Promise<void>;
}

/** `engine` as in DOCKER_HOST; `listener` goes over what a listener without decisions says, `site` over the rest. */
export async function serveInFrontOf(
  engine: string,
  listener: Readonly<Record<string, unknown>> = {},
  site: Readonly<Record<string, unknown>> = {},
): Promise<InProcess> {
  const { sockets, ...served } = await serveListeners(engine, { open: listener }, site);
  return { ...served, socket: sockets.open };
}

/** The same with several listeners, by name, and the path of the socket of each. */
export async function serveListeners<Name extends string>(
  engine: string,
  listeners: Readonly<Record<Name, Readonly<Record<string, unknown>>>>,
  site: Readonly<Record<string, unknown>> = {},
): Promise<Omit<InProcess, 'socket'> & { readonly sockets: Readonly<Record<Name, string>> }> {
  const folder = await mkdtemp(join(tmpdir(), 'berthgate-'));
  const names = Object.keys(listeners) as Name[];
  const sockets = Object.fromEntries(names.map((name) => [name, join(folder, `${name}.sock`)])) as Record<Name, string>;
  const file = join(folder, 'berthgate.yaml');
  const state = join(folder, 'state');
  await mkdir(state, { mode: 0o700 });
  const open = { auth: ['anonymous'], namespace: null, policies: [] };
  // YAML takes JSON.
  await writeFile(
    file,
    JSON.stringify({
      state,
      engines: [{ name: 'engine', url: engine }],
      // What tests make containers of, without a registry.
      images: { shared: ['busybox'] },
      listeners: names.map((name) => ({ name, url: `unix://${sockets[name]}`, ...open, ...listeners[name] })),
      // The packet filter of the machine is not the tests'.
      firewall: { apply: false },
      ...site,
    }),
  );
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  const formatters = { level: (label: string) => ({ level: label }) };
  const log = { log: pino({ base: null, formatters }, { write }), write, flush: () => {}, close: async () => {} };
  const instance = new Instance({ log, inherited: new Map(), passing: null });
  await instance.start(await loadConfig(file, builtIn), null);
  return {
    sockets,
    connections: () => instance.connections(),
    log: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    async stop() {
      await instance.drain(1000);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
