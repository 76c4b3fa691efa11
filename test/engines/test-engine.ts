// The real engines that tests run against: which there are, what each can do, and a `describe` for every one of them.
import { existsSync, readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'vitest';
import { run } from './command.ts';
import { askEngine } from './engine-api.ts';
import { enginesFolder } from './places.ts';

export interface TestEngine {
  /** `20.10`, `26.1`, `28.5`, … or `local` for the engine of DOCKER_HOST. */
  readonly name: string;
  /** As in DOCKER_HOST. */
  readonly host: string;
  /** The path of its unix socket; empty where it listens on TCP. */
  readonly socket: string;
  readonly version: string;
  readonly apiVersion: string;
  /** BuildKit is the default builder from 23.0 on, but it is there from 18.09. */
  readonly hasBuildKit: boolean;
  /** Volumes can be mounted from a folder inside (API 1.45). */
  readonly hasSubpaths: boolean;
  /** Images are kept by containerd, not by a graph driver. */
  readonly keepsImagesInContainerd: boolean;
  /** The start of addresses that no engine uses, for the networks that tests make with a subnet: `10.98` of 10.98.0.0/16. Empty where it has no network. */
  readonly subnetPrefix: string;
  /** Where it has one of its own: its network namespace, as nsenter takes it. */
  readonly network?: string;
  /** What can be done to the engine itself; absent for an engine that is not ours. */
  readonly control?: EngineControl;
}

export interface EngineControl {
  /** kill -9 of dockerd and what dies with it. Containers stay, as they would on a machine. */
  kill(): Promise<void>;
  /** Up again after `kill` or `stop`, answering. */
  start(): Promise<void>;
  /** Its containers are removed, it ends, its images and volumes stay. */
  stop(): Promise<void>;
  /** Changes settings of daemon.json that dockerd takes while it runs: registry-mirrors, insecure-registries, labels, … */
  configure(settings: Readonly<Record<string, unknown>>): Promise<void>;
}

interface EngineAddress {
  readonly name: string;
  readonly host: string;
}

const script = fileURLToPath(new URL('engine', import.meta.url));
const discovered = await discover();

/** Every engine that is up, oldest first; empty where there is none. */
export function engines(): readonly TestEngine[] {
  return discovered;
}

/** The engine with the newest API: for what needs one engine, not each. */
export function newestEngine(): TestEngine | undefined {
  return discovered.at(-1);
}

/** For the engines that only pull. */
export interface PullingHost {
  /** As in `HTTPS_PROXY=http://…`. No value has a space. */
  readonly environment: readonly string[];
  /** A file as `/etc/hosts`. */
  readonly hosts: string;
}

/** Starts an engine that tests do not share: `20.10-faults`, `28.5-containerd`, `28.5-apart`. It is the caller's to stop. */
export async function startEngine(name: string, host?: PullingHost): Promise<TestEngine> {
  // One that was left by a run that was killed has another environment.
  if (host !== undefined) await runScript('stop', name);
  await runScript('start', name, host);
  const engine = await inspectEngine({ name, host: `unix://${enginesFolder}/${name}/docker.sock` });
  const network = join(enginesFolder, '.namespaces', `${name}.net`);
  return existsSync(network) ? { ...engine, network } : engine;
}

/** Whether engines can be started here: as root, with the trees of `prepare`. */
export function canStartEngines(): boolean {
  return discovered.some((engine) => engine.control !== undefined);
}

/** `describe`, once for each engine that is up (and that `where` takes); skipped, and shown so, where there is none. */
export function describeEachEngine(
  name: string,
  tests: (engine: TestEngine) => void,
  where: (engine: TestEngine) => boolean = () => true,
): void {
  const fitting = discovered.filter(where);
  for (const engine of fitting) describe(`${name} [${engine.name}]`, () => tests(engine));
  if (fitting.length === 0) describe(name, () => test.skip('needs an engine that is not here', () => {}));
}

/** BERTHGATE_TEST_ENGINES is `[{"name", "host"}]` in JSON, or names of engines that run: `20.10,28.5`. Else: all that run. */
async function discover(): Promise<readonly TestEngine[]> {
  const wanted = process.env.BERTHGATE_TEST_ENGINES;
  if (wanted !== undefined) {
    // Named engines must answer: a test run that silently tests nothing is worse than one that fails.
    return sortByVersion(await Promise.all(parseAddresses(wanted).map(inspectEngine)));
  }
  const running = await reachable(runningEngines());
  if (running.length > 0) return sortByVersion(running);
  const host = process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock';
  return /^(unix|tcp):/.test(host) ? reachable([{ name: 'local', host }]) : [];
}

function parseAddresses(text: string): readonly EngineAddress[] {
  if (text.startsWith('[')) return JSON.parse(text) as readonly EngineAddress[];
  const names = text.split(/[\s,]+/).filter((name) => name !== '');
  return names.map((name) => ({ name, host: `unix://${enginesFolder}/${name}/docker.sock` }));
}

/** The shared ones only: an engine with a word behind its generation belongs to the test that started it. */
function runningEngines(): readonly EngineAddress[] {
  if (!existsSync(enginesFolder)) return [];
  return readdirSync(enginesFolder)
    .filter((name) => /^\d+\.\d+$/.test(name))
    .map((name) => ({ name, host: `unix://${enginesFolder}/${name}/docker.sock` }));
}

async function reachable(addresses: readonly EngineAddress[]): Promise<readonly TestEngine[]> {
  const found = await Promise.all(addresses.map((address) => inspectEngine(address).catch(() => undefined)));
  return found.filter((engine) => engine !== undefined);
}

async function inspectEngine({ name, host }: EngineAddress): Promise<TestEngine> {
  const version = JSON.parse((await askEngine(host, 'GET', '/version')).text);
  const info = JSON.parse((await askEngine(host, 'GET', '/info')).text);
  const socket = host.startsWith('unix:') ? new URL(host).pathname : '';
  const driverStatus: readonly (readonly string[])[] = info.DriverStatus ?? [];
  const ours = socket.startsWith(`${enginesFolder}/`);
  return {
    name,
    host,
    socket,
    version: version.Version,
    apiVersion: version.ApiVersion,
    hasBuildKit: compareVersions(version.ApiVersion, '1.39') >= 0,
    hasSubpaths: compareVersions(version.ApiVersion, '1.45') >= 0,
    keepsImagesInContainerd: driverStatus.some(([key]) => key === 'driver-type'),
    subnetPrefix: ours ? await ownSubnetPrefix(host) : '10.126',
    ...(ours ? { control: controlOf(name) } : {}),
  };
}

/** The file `catalogue` gives each engine 10.(96+4n) to 10.(99+4n): its bridge, its networks, and two for the tests. */
async function ownSubnetPrefix(host: string): Promise<string> {
  const bridge = JSON.parse((await askEngine(host, 'GET', '/networks/bridge')).text);
  const subnet: string | undefined = bridge.IPAM?.Config?.[0]?.Subnet;
  if (subnet === undefined) return '';
  const [first, second] = subnet.split('.');
  return `${first}.${Number(second) + 2}`;
}

function controlOf(name: string): EngineControl {
  return {
    kill: () => runScript('kill', name),
    start: () => runScript('start', name),
    stop: () => runScript('stop', name),
    async configure(settings) {
      const file = join(enginesFolder, name, 'etc/daemon.json');
      await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), ...settings }, null, 2));
      await runScript('reload', name);
    },
  };
}

async function runScript(verb: string, name: string, host?: PullingHost): Promise<void> {
  const env = {
    ...(process.env as Record<string, string>),
    BERTHGATE_ENGINE_ENVIRONMENT: host?.environment.join(' ') ?? '',
    BERTHGATE_ENGINE_HOSTS: host?.hosts ?? '/etc/hosts',
  };
  const { code, stdout, stderr } = await run(script, [verb, name], { timeoutMs: 120_000, env });
  if (code !== 0) throw new Error(`engine ${verb} ${name}: exit ${code}\n${stdout}${stderr}`);
}

function sortByVersion(found: readonly TestEngine[]): readonly TestEngine[] {
  return [...found].sort((a, b) => compareVersions(a.apiVersion, b.apiVersion));
}

/** Of two versions such as `1.41`: below 0 where the first is the older one. */
export function compareVersions(a: string, b: string): number {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA - majorB || minorA - minorB;
}
