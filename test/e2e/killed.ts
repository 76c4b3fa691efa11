// A `berthgate serve` that is killed at a certain call that it makes to its engine: between the two stands a relay that
// counts, and kills without a word.
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Ask, ask, type WholeAnswer } from '../engine/raw-client.ts';
import type { ServiceManager } from '../engine/service-manager.ts';
import type { TestEngine } from '../engines/index.ts';
import { Watched } from './watched.ts';

const program = process.env.BERTHGATE_PROGRAM ?? fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** `sent`: the engine is at work on the call while the process dies; `answered`: it is done, and the process never hears. */
export type Moment = 'sent' | 'answered';

export interface Killable {
  readonly socket: string;
  readonly admin: string;
  readonly config: string;
  readonly installation: () => Promise<string>;
  /** What the process says, of the one that runs now. */
  readonly process: () => Watched;
  /** `by`: who starts it, and gives it what it has kept. */
  start(by?: ServiceManager): Promise<void>;
  /** Another process takes over; gives the one that was there, and what the new one says. */
  takeOver(): Promise<{ readonly before: Watched; readonly now: Watched }>;
  /** Kills it now. */
  kill(): Promise<void>;
  /** The call is made; the process is killed at its nth call that changes the engine. Whether that call came. */
  killedAt(nth: number, moment: Moment, method: string, path: string, more?: Ask): Promise<boolean>;
  /** Runs before the nth from now on of the calls that fit is passed on. */
  before(fits: RegExp, act: () => Promise<void>): void;
  call(method: string, path: string, more?: Ask): Promise<WholeAnswer>;
  stop(): Promise<void>;
}

/**
 * `images`: of the engine's own, what the namespace may use beside busybox; `gateway`: for images of its own; `listener`:
 * goes over what the listener says; `upstreams`: registries that are elsewhere than their names say.
 */
export async function startKillable(
  engine: TestEngine,
  namespace: string,
  images: readonly string[] = [],
  gateway: string | null = null,
  listener: Readonly<Record<string, unknown>> = {},
  upstreams: readonly Readonly<Record<string, unknown>>[] = [],
): Promise<Killable> {
  if (!existsSync(program)) throw new Error(`${program} is not there: npm run build`);
  const folder = await mkdtemp(join(tmpdir(), 'berthgate-kill-'));
  const [socket, admin, relayed] = ['docker.sock', 'admin.sock', 'relay.sock'].map((name) => join(folder, name));
  const config = join(folder, 'berthgate.yaml');
  // YAML takes JSON.
  await writeFile(
    config,
    JSON.stringify({
      state: join(folder, 'state'),
      engines: [{ name: 'engine', url: `unix://${relayed}`, gateway }],
      images: { shared: ['busybox', ...images] },
      registry: { upstreams },
      listeners: [{ name: 'own', url: `unix://${socket}`, auth: ['anonymous'], namespace, policies: [], ...listener }],
      admin: { url: `unix://${admin}` },
      // The host has one for all: it would keep the ports of other tests' containers.
      firewall: { apply: false },
    }),
  );
  let running: Watched | null = null;
  /** Calls that are left until the kill; null where nobody is to be killed. */
  let left: { calls: number; readonly moment: Moment } | null = null;
  let hit = false;
  const acts: { readonly fits: RegExp; readonly act: () => Promise<void> }[] = [];

  const die = async (): Promise<void> => {
    const dying = running;
    running = null;
    if (dying === null) return;
    dying.signal('SIGKILL');
    await dying.end();
  };
  const relay = http.createServer(async (request, response) => {
    const line = `${request.method} ${request.url}`;
    const at = acts.findIndex(({ fits }) => fits.test(line));
    if (at >= 0)
      await acts
        .splice(at, 1)[0]
        ?.act()
        .catch(() => response.destroy());
    const counts = left !== null && request.method !== 'GET' && request.method !== 'HEAD';
    const kills = counts && left !== null && --left.calls === 0 ? left.moment : null;
    if (kills !== null) hit = true;
    const onward = http.request(
      { socketPath: engine.socket, method: request.method, path: request.url, headers: request.headers },
      async (answer) => {
        if (kills === 'answered') await die();
        answer.on('error', () => response.destroy());
        response.on('close', () => answer.destroy());
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        response.flushHeaders();
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    // The engine goes on with a call of which it has heard, whoever dies.
    request.pipe(onward);
    if (kills === 'sent') request.on('end', () => setImmediate(() => void die()));
  });
  // Attach and exec become tunnels.
  relay.on('upgrade', (request: http.IncomingMessage, client: net.Socket, first: Buffer) => {
    const onward = net.connect({ path: engine.socket, allowHalfOpen: true });
    const headers = request.rawHeaders.flatMap((name, at, all) => (at % 2 === 0 ? [`${name}: ${all[at + 1]}`] : []));
    onward.write(`${[`${request.method} ${request.url} HTTP/1.1`, ...headers].join('\r\n')}\r\n\r\n`, 'latin1');
    onward.write(first);
    for (const [from, to] of [
      [client, onward],
      [onward, client],
    ] as const) {
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => relay.listen(relayed, resolve));

  const serve = async (more: readonly string[], by?: ServiceManager): Promise<Watched> => {
    const bound = ['--pdeathsig', 'KILL', process.execPath, program, 'serve', '--config', config, ...more];
    const kept = [...(by?.kept ?? [])];
    const told = {
      NOTIFY_SOCKET: by?.path ?? '',
      LISTEN_FDS: String(kept.length),
      LISTEN_FDNAMES: kept.map(([name]) => name).join(':'),
    };
    const watched = new Watched('sh', ['-c', 'LISTEN_PID=$$ exec setpriv "$@"', 'sh', ...bound], {
      env: { PATH: process.env.PATH ?? '', ...(by === undefined ? {} : told) },
      descriptors: kept.map(([, fd]) => fd),
    });
    await watched.said(/^export DOCKER_HOST=/m);
    return watched;
  };

  const killable: Killable = {
    socket: socket as string,
    admin: admin as string,
    config,
    installation: async () => (await readFile(join(folder, 'state/installation'), 'utf8')).trim(),
    process: () => {
      if (running === null) throw new Error('it does not run');
      return running;
    },
    async start(by) {
      running = await serve([], by);
    },
    async takeOver() {
      const before = killable.process();
      running = await serve(['--take-over']);
      return { before, now: running };
    },
    kill: die,
    async killedAt(nth, moment, method, path, more = {}) {
      hit = false;
      left = { calls: nth, moment };
      const dying = running;
      try {
        await ask(socket as string, method, path, more);
        // What was begun beside the answer has come here before this one has.
        await ask(socket as string, 'GET', '/containers/json');
      } catch (fault) {
        if (!hit) throw fault;
      }
      left = null;
      if (hit) await dying?.end();
      return hit;
    },
    before: (fits, act) => void acts.push({ fits, act }),
    call: (method, path, more) => ask(socket as string, method, path, more),
    async stop() {
      await die();
      relay.closeAllConnections();
      await new Promise((resolve) => relay.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
  await killable.start();
  return killable;
}
