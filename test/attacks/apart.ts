// An engine with a network of its own, a piece of the internet behind it, and Berthgate beside it: what is done to the
// packet filter there, nobody else meets.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Watched } from '../e2e/watched.ts';
import { ask } from '../engine/raw-client.ts';
import { type CommandResult, docker, dockerCli, run, startEngine, type TestEngine } from '../engines/index.ts';

const program = process.env.BERTHGATE_PROGRAM ?? fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** Addresses of documentation (RFC 5737, 3849), and the one that clouds use. */
export const host = { v4: '203.0.113.254', v6: '2001:db8:53::254' };
export const internet = {
  v4: '203.0.113.1',
  v6: '2001:db8:53::1',
  metadata: '169.254.169.254',
  metadata6: 'fd00:ec2::254',
};

export interface Serving {
  readonly alice: string;
  readonly bob: string;
  /** The socket that a container has, as the engine names it. */
  jobOf(container: string): Promise<string>;
  readonly watched: Watched;
  readyz(): Promise<{
    readonly status: number;
    readonly firewall?: { readonly inPlace: boolean; readonly missing: readonly string[] };
  }>;
}

export class Apart {
  readonly engine: TestEngine;
  private readonly folder: string;
  private readonly running = new Set<Watched>();

  private constructor(engine: TestEngine, folder: string) {
    this.engine = engine;
    this.folder = folder;
  }

  static async start(name: string): Promise<Apart> {
    let engine = await startEngine(name);
    if ((await docker(engine, ['ps', '-aq'])) !== '') {
      // Of a run that was killed.
      await engine.control?.stop();
      engine = await startEngine(name);
    }
    const apart = new Apart(engine, await mkdtemp(join(tmpdir(), 'berthgate-apart-')));
    try {
      await apart.connect();
      return apart;
    } catch (fault) {
      await apart.stop();
      throw fault;
    }
  }

  /** A command in the network of the engine. */
  inNetwork(program: string, ...args: readonly string[]): Promise<CommandResult> {
    return run('nsenter', [`--net=${this.engine.network}`, '--', program, ...args]);
  }

  /** As `inNetwork`; a code other than 0 throws. */
  async here(command: string): Promise<string> {
    const { code, stdout, stderr } = await this.inNetwork('/bin/sh', '-ec', command);
    if (code !== 0) throw new Error(`${command}: exit ${code}\n${stderr}`);
    return stdout;
  }

  /** `berthgate …ARGS --config FILE` beside the engine. */
  berthgate(...args: readonly string[]): Promise<CommandResult> {
    return this.inNetwork(process.execPath, program, ...args, '--config', this.config);
  }

  /** On the engine itself. */
  docker(...args: readonly string[]): Promise<string> {
    return docker(this.engine, args);
  }

  /** What comes of a request by a container: the text, or `null` where nothing comes. */
  async fetch(container: string, url: string): Promise<string | null> {
    const { code, stdout } = await dockerCli(this.engine, [
      'exec',
      container,
      'timeout',
      '3',
      'wget',
      '-q',
      '-O',
      '-',
      url,
    ]);
    return code === 0 ? stdout.trim() : null;
  }

  /** Serves when this resolves. `firewall` as in a configuration. */
  async serve(firewall: Readonly<Record<string, unknown>>): Promise<Serving> {
    const at = (name: string): string => join(this.folder, name);
    const open = { auth: ['anonymous'], policies: ['conservative'] };
    const config = {
      state: at('state'),
      engines: [{ name: 'apart', url: this.engine.host }],
      listeners: [
        { name: 'everywhere', url: 'tcp://0.0.0.0:2375', namespace: 'carol', ...open },
        ...['alice', 'bob'].map((name) => ({
          name,
          url: `unix://${at(`${name}.sock`)}`,
          namespace: name,
          jobSocket: {},
          ...open,
        })),
      ],
      images: { shared: ['busybox'] },
      firewall,
      admin: { metrics: `http://${host.v4}:9350`, url: `unix://${at('admin.sock')}` },
    };
    // YAML takes JSON.
    await writeFile(this.config, JSON.stringify(config));
    const bound = ['--pdeathsig', 'KILL', 'nsenter', `--net=${this.engine.network}`, '--', process.execPath, program];
    const watched = new Watched('setpriv', [...bound, 'serve', '--config', this.config], {
      env: { PATH: process.env.PATH ?? '' },
    });
    this.running.add(watched);
    await watched.said(/# bob$/m);
    return {
      alice: `unix://${at('alice.sock')}`,
      bob: `unix://${at('bob.sock')}`,
      jobOf: async (container) => {
        const label = await this.docker(
          'inspect',
          '--format',
          '{{index .Config.Labels "berthgate.socket"}}',
          container,
        );
        return `unix://${at('state')}/jobs/${JSON.parse(label).folder}/docker.sock`;
      },
      watched,
      async readyz() {
        const answer = await ask(at('admin.sock'), 'GET', '/readyz');
        return { status: answer.status, ...answer.json() };
      },
    };
  }

  async end(serving: Serving, signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    serving.watched.signal(signal);
    await serving.watched.end();
    this.running.delete(serving.watched);
  }

  async stop(): Promise<void> {
    for (const watched of this.running) {
      watched.signal('SIGKILL');
      await watched.end();
    }
    await this.engine.control?.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  private get config(): string {
    return join(this.folder, 'berthgate.yaml');
  }

  /** The engine's host gets a way out, and at its other end somebody answers to everything. */
  private async connect(): Promise<void> {
    const answer = `require('node:http').createServer((_, it) => it.end('internet')).listen(80, '::', () => console.log('up'))`;
    const apart = ['--pdeathsig', 'KILL', 'unshare', '--net', '--', process.execPath, '-e', answer];
    const far = new Watched('setpriv', apart, { env: { PATH: process.env.PATH ?? '' } });
    this.running.add(far);
    await far.said(/up/);
    const { pid } = far.child;
    await this.here(`
      ip link add wan type veth peer name far
      ip link set far netns ${pid}
      ip address add ${host.v4}/24 dev wan
      ip address add ${host.v6}/64 dev wan nodad
      ip link set wan up
      ip route add ${internet.metadata}/32 dev wan
      ip -6 route add ${internet.metadata6}/128 dev wan`);
    await this.here(`exec nsenter --target ${pid} --net /bin/sh -ec '
      ip link set lo up
      ip address add ${internet.v4}/24 dev far
      ip address add ${internet.metadata}/32 dev far
      ip link set far up
      ip -6 address add ${internet.v6}/64 dev far
      ip -6 address add ${internet.metadata6}/128 dev far
      ip -6 route add default via ${host.v6}'`);
  }
}

/** The command of a container that answers with a word at port 80. */
export function page(word: string): string {
  return `mkdir -p /www; echo ${word} >/www/index.html; exec httpd -f -p 80 -h /www`;
}
