// Every test of this folder runs directly on an engine and then through `berthgate serve`, and both must come out the same.
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import Docker from 'dockerode';
import { afterAll, beforeAll, expect } from 'vitest';
import {
  type CommandResult,
  type DockerCli,
  describeEachEngine,
  dockerCli,
  dockerClis,
  dockerEnvironment,
  newestEngine,
  type TestEngine,
} from '../engines/index.ts';
import { type Berthgate, startBerthgate } from './berthgate.ts';
import { atTerminal, Watched, type WatchOptions } from './watched.ts';

interface CommandOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  /** What it says is not compared, only its exit code: for output that is different every time. */
  readonly silent?: boolean;
}

/** How a scenario reaches the engine. */
export interface Way {
  readonly name: string;
  readonly engine: TestEngine;
  readonly cli: DockerCli;
  /** As in DOCKER_HOST. */
  readonly host: string;
  /** A name that nobody else has, for this way only; as long as the one of the other ways. */
  own(what: string): string;
  /** A network that no engine uses, such as `10.99.7.32/28`: one for each index below 16, another in every run. */
  subnet(index: number): string;
  /** Runs `docker …ARGS` to its end and notes what came of it. */
  docker(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Left running. The end is the scenario's to await. */
  watch(args: readonly string[], options?: Partial<WatchOptions>): Watched;
  /** The same at a terminal. */
  terminal(args: readonly string[]): Watched;
  dockerode(): Docker;
  /** A connection of its own, half of which can be closed. */
  connect(): net.Socket;
  /** Its environment, for other clients. */
  readonly env: Readonly<Record<string, string>>;
}

export interface Ways {
  readonly engine: TestEngine;
  readonly berthgate: Berthgate;
  /** Straight to the engine. */
  readonly directly: Way;
  readonly overUnix: Way;
  readonly overTls: Way;
  readonly overTcp: Way;
  /**
   * Runs the scenario directly and then through Berthgate, and compares what it gives back and all that its commands
   * said and ended with. Returns what came directly.
   */
  same<T>(scenario: (way: Way) => Promise<T>, options?: SameOptions): Promise<T>;
}

interface SameOptions {
  /** Default: the newest one. `all`: the scenario runs for the oldest and the newest docker command. */
  readonly clis?: 'all';
  /** Also over plain TCP. */
  readonly tcp?: boolean;
  /** What else differs from run to run, as replaced in every text that is compared. */
  readonly except?: readonly (readonly [RegExp, string])[];
}

const run = randomBytes(3).toString('hex');
/** Somebody may run the same tests on the same engines. */
const runNumber = Number.parseInt(run.slice(0, 2), 16);

/** `describe` for each engine, with a Berthgate in front of it. Over TLS on the newest, over a unix socket on each. */
export function describeThrough(
  name: string,
  tests: (ways: Ways) => void,
  where?: (engine: TestEngine) => boolean,
): void {
  describeEachEngine(
    name,
    (engine) => {
      let berthgate: Berthgate | undefined;
      const started = (): Berthgate => {
        if (berthgate === undefined) throw new Error('Berthgate does not run yet');
        return berthgate;
      };
      beforeAll(async () => {
        berthgate = await startBerthgate(engine.host);
      });
      afterAll(async () => {
        await removeOwn(engine);
        expect(await berthgate?.stop()).toEqual([]);
      });
      tests(waysThrough(engine, started));
    },
    where,
  );
}

export function waysThrough(engine: TestEngine, berthgate: () => Berthgate): Ways {
  const cli = dockerClis.at(-1) as DockerCli;
  const way = (kind: Kind, with_: DockerCli = cli): RecordingWay => new RecordingWay(kind, engine, with_, berthgate);
  return {
    engine,
    get berthgate() {
      return berthgate();
    },
    get directly() {
      return way('directly');
    },
    get overUnix() {
      return way('unix');
    },
    get overTls() {
      return way('tls');
    },
    get overTcp() {
      return way('tcp');
    },
    async same(scenario, { clis, tcp = false, except = [] } = {}) {
      const used = clis === 'all' ? new Set([dockerClis[0] as DockerCli, cli]) : new Set([cli]);
      let first: { readonly came: unknown } | undefined;
      for (const one of used) {
        const direct = way('directly', one);
        const came = await scenario(direct);
        first ??= { came };
        const expected = direct.compared(came, except);
        const through: Kind[] = ['unix', ...tlsOn(engine), ...(tcp ? (['tcp'] as const) : [])];
        for (const kind of through) {
          const other = way(kind, one);
          const what = `docker ${one.name} ${other.name}`;
          expect({ what, ...other.compared(await scenario(other), except) }).toEqual({ what, ...expected });
        }
      }
      return first?.came as never;
    },
  };
}

function tlsOn(engine: TestEngine): readonly 'tls'[] {
  return engine.name === newestEngine()?.name ? ['tls'] : [];
}

type Kind = 'directly' | 'unix' | 'tls' | 'tcp';

interface Command {
  readonly command: string;
  readonly code: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

class RecordingWay implements Way {
  readonly kind: Kind;
  readonly engine: TestEngine;
  readonly cli: DockerCli;
  readonly env: Readonly<Record<string, string>>;
  private readonly berthgate: () => Berthgate;
  private readonly commands: Command[] = [];
  private readonly prefix: string;

  constructor(kind: Kind, engine: TestEngine, cli: DockerCli, berthgate: () => Berthgate) {
    this.kind = kind;
    this.engine = engine;
    this.cli = cli;
    this.berthgate = berthgate;
    // Past events and cached builds are known by their names: no two ways share one.
    this.prefix = `e2e-${run}-${kind.charAt(kind === 'tcp' ? 1 : 0)}${dockerClis.indexOf(cli)}-`;
    this.env = kind === 'tls' ? { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: berthgate().certificates.client } : {};
  }

  get name(): string {
    return this.kind === 'directly' ? 'directly' : `through Berthgate over ${this.kind}`;
  }

  get host(): string {
    if (this.kind === 'directly') return this.engine.host;
    return this.berthgate()[this.kind];
  }

  own(what: string): string {
    return this.prefix + what;
  }

  subnet(index: number): string {
    const [first, second] = this.engine.subnetPrefix.split('.');
    return `${first}.${Number(second) + 1}.${runNumber}.${16 * index}/28`;
  }

  async docker(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const { silent = false, env, ...rest } = options;
    const result = await dockerCli(this.host, args, { ...rest, cli: this.cli, env: { ...this.env, ...env } });
    const { code, stdout, stderr } = result;
    this.commands.push({ command: args.join(' '), code, ...(silent ? {} : { stdout, stderr }) });
    return result;
  }

  watch(args: readonly string[], options: Partial<WatchOptions> = {}): Watched {
    return new Watched(this.cli.path, args, { ...options, env: this.environment(options.env) });
  }

  terminal(args: readonly string[]): Watched {
    return atTerminal(this.cli.path, args, { env: this.environment() });
  }

  private environment(more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
    return dockerEnvironment(this.host, { ...this.env, ...more });
  }

  dockerode(): Docker {
    if (this.host.startsWith('unix://')) return new Docker({ socketPath: this.host.slice('unix://'.length) });
    const { hostname: host, port } = new URL(this.host);
    if (this.kind !== 'tls') return new Docker({ host, port, protocol: 'http' });
    const { ca, cert, key } = this.berthgate().certificates;
    return new Docker({ host, port, protocol: 'https', ca, cert, key });
  }

  connect(): net.Socket {
    if (this.host.startsWith('unix://')) {
      return net.connect({ path: this.host.slice('unix://'.length), allowHalfOpen: true });
    }
    const { hostname: host, port } = new URL(this.host);
    if (this.kind !== 'tls') return net.connect({ host, port: Number(port), allowHalfOpen: true });
    const { ca, cert, key } = this.berthgate().certificates;
    return tls.connect({ host, port: Number(port), ca, cert, key, allowHalfOpen: true } as tls.ConnectionOptions);
  }

  /** All that came of a scenario, without what differs from run to run. */
  compared(came: unknown, except: readonly (readonly [RegExp, string])[]): object {
    const steady = (text: string): string => {
      let result = text.replaceAll(this.prefix, 'own-').replaceAll(this.host, 'HOST');
      for (const [pattern, word] of [...except, ...DIFFERS]) result = result.replace(pattern, word);
      return result;
    };
    return { came: mapTexts(came, steady), commands: mapTexts(this.commands, steady) };
  }
}

/** Ids, times, addresses. */
const DIFFERS: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{64}\b/g, 'ID'],
  [/\b[0-9a-f]{12}\b/g, 'id'],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?[+-]\d{4}( UTC)?|Z| UTC)?/g, 'TIME'],
  [/\b(Less than a second|About a minute|\d+ (seconds?|minutes?|hours?))( ago)?/g, 'AGO'],
  [/\b\d+\.\d+\.\d+\.\d+(:\d{4,5}\b)?/g, 'ADDRESS'],
  [/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, 'MAC'],
  [/\b\d+(\.\d+)?(ms|s)\b/g, 'DURATION'],
];

function mapTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (Array.isArray(value)) return value.map((one) => mapTexts(one, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [change(key), mapTexts(one, change)]));
}

/** What the scenarios left, also where they failed: other tests use the same engine. */
async function removeOwn(engine: TestEngine): Promise<void> {
  const ask = async (args: readonly string[]): Promise<readonly string[]> => {
    const { stdout } = await dockerCli(engine, args);
    return stdout.split('\n').filter((word) => word !== '');
  };
  const mine = `e2e-${run}-`;
  const remove = async (verb: readonly string[], found: readonly string[]): Promise<void> => {
    if (found.length > 0) await dockerCli(engine, [...verb, ...found]);
  };
  await remove(['rm', '-fv'], await ask(['ps', '-aq', '--filter', `name=${mine}`]));
  await remove(['network', 'rm'], await ask(['network', 'ls', '-q', '--filter', `name=${mine}`]));
  await remove(['volume', 'rm'], await ask(['volume', 'ls', '-q', '--filter', `name=${mine}`]));
  const images = await ask(['images', '--format', '{{.Repository}}:{{.Tag}}']);
  await remove(
    ['rmi', '-f'],
    images.filter((name) => name.includes(mine)),
  );
}
