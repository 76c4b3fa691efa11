// The real `docker` commands: an old one and the newest, the latter's plugins (buildx, compose) under both.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type CommandOptions, type CommandResult, run } from './command.ts';
import { treesFolder } from './places.ts';

export interface DockerCli {
  /** `20.10`, `28.5`, or `local` for the one on PATH. */
  readonly name: string;
  readonly path: string;
}

export interface DockerCliOptions extends CommandOptions {
  /** Added to an otherwise clean environment: PATH, HOME, DOCKER_HOST, DOCKER_CONFIG. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the newest. */
  readonly cli?: DockerCli;
}

/** What a command talks to: an engine, or anything as in DOCKER_HOST. */
export type DockerTarget = string | { readonly host: string };

/** The docker commands that are here, the oldest first. */
export const dockerClis: readonly DockerCli[] = findClis();

/** Runs `docker …ARGS` to its end. Throws when it takes too long; any exit code is an answer. */
export function dockerCli(
  target: DockerTarget,
  args: readonly string[],
  options: DockerCliOptions = {},
): Promise<CommandResult> {
  const { cli, env, ...rest } = options;
  return run(pathOf(cli), args, { ...rest, env: dockerEnvironment(target, env) });
}

/** As `dockerCli`, but a code other than 0 throws with what the command said. Returns its trimmed standard output. */
export async function docker(
  target: DockerTarget,
  args: readonly string[],
  options: DockerCliOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await dockerCli(target, args, options);
  if (code !== 0) throw new Error(`docker ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
  return stdout.trim();
}

/** `docker …ARGS` left running, for attach, exec -i, logs -f, events. The caller ends it. */
export function spawnDocker(
  target: DockerTarget,
  args: readonly string[],
  options: Pick<DockerCliOptions, 'cli' | 'cwd' | 'env'> = {},
): ChildProcessWithoutNullStreams {
  const { cli, cwd, env } = options;
  return spawn(pathOf(cli), args, { env: dockerEnvironment(target, env), ...(cwd === undefined ? {} : { cwd }) });
}

/** A new DOCKER_CONFIG folder with the plugins in it and nobody logged in. It is removed at the end of the test file. */
export function makeDockerConfig(): string {
  const folder = mkdtempSync(join(configs, 'config-'));
  mkdirSync(join(folder, 'cli-plugins'));
  const plugins = pluginFolders().find(existsSync);
  if (plugins !== undefined) {
    for (const file of readdirSync(plugins)) symlinkSync(join(plugins, file), join(folder, 'cli-plugins', file));
  }
  return folder;
}

/** For the end of a test file: vitest ends its workers without an 'exit' event. */
export function removeDockerConfigs(): void {
  rmSync(configs, { recursive: true, force: true });
}

const configs = mkdtempSync(join(tmpdir(), 'berthgate-docker-'));
process.once('exit', removeDockerConfigs);
const sharedConfig = makeDockerConfig();

/** The clean environment in which a docker command talks to `target`. */
export function dockerEnvironment(
  target: DockerTarget,
  added: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: sharedConfig,
    TMPDIR: tmpdir(),
    DOCKER_HOST: typeof target === 'string' ? target : target.host,
    DOCKER_CONFIG: sharedConfig,
    ...added,
  };
}

function pathOf(cli: DockerCli | undefined): string {
  const chosen = cli ?? dockerClis.at(-1);
  if (chosen === undefined) throw new Error('there is no docker command here');
  return chosen.path;
}

function findClis(): readonly DockerCli[] {
  const trees = existsSync(treesFolder) ? readdirSync(treesFolder) : [];
  const found = trees
    .filter((name) => /^\d+\.\d+$/.test(name))
    .sort((a, b) => Number(a) - Number(b))
    .map((name) => ({ name, path: join(treesFolder, name, 'usr/bin/docker') }))
    .filter(({ path }) => existsSync(path));
  if (found.length > 0) return found;
  const folders = (process.env.PATH ?? '').split(delimiter);
  const path = folders.map((folder) => join(folder, 'docker')).find(existsSync);
  return path === undefined ? [] : [{ name: 'local', path }];
}

function pluginFolders(): readonly string[] {
  return [
    join(treesFolder, '28.5/usr/libexec/docker/cli-plugins'),
    join(homedir(), '.docker/cli-plugins'),
    '/usr/libexec/docker/cli-plugins',
    '/usr/lib/docker/cli-plugins',
  ];
}
