// The image that jobs work in: with a docker client, and for Docker-in-Docker with an engine. It is made of the tree that
// test/engines keeps of the newest one.

import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const tree = join(process.env.BERTHGATE_TREES ?? '/var/cache/berthgate-trees', '28.5');
const LEFT_OUT = ['proc', 'sys', 'dev', 'run', 'tmp', 'usr/share', 'var/cache', 'var/lib/apt', 'var/lib/docker'];
const LARGEST_ANSWER = 64 * 1024 * 1024;

/** `docker ARGS` at the engine or proxy whose socket is `to`, by the client of this machine. @throws where it fails */
export async function docker(to, args, { timeoutMs = 300_000, folder } = {}) {
  const env = { ...process.env, DOCKER_HOST: `unix://${to}`, DOCKER_CONFIG: folder ?? '/nonexistent' };
  const { stdout } = await run('docker', args, { env, timeout: timeoutMs, maxBuffer: LARGEST_ANSWER });
  return stdout.trim();
}

/** Gives the name of the image on the engine; whoever makes it removes it. */
export async function makeClient(socket, name) {
  if (!existsSync(join(tree, 'usr/bin/docker')))
    throw new Error(`nothing to make a client of at ${tree}: test/engines/prepare, or --client IMAGE`);
  const left = LEFT_OUT.map((path) => `--exclude=./${path}/*`);
  const tar = spawn('tar', ['-C', tree, ...left, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const env = { ...process.env, DOCKER_HOST: `unix://${socket}` };
  const taken = spawn('docker', ['import', '-', name], { env, stdio: [tar.stdout, 'ignore', 'inherit'] });
  const code = await new Promise((resolve, reject) => {
    taken.on('error', reject);
    taken.on('exit', resolve);
  });
  if (code !== 0) throw new Error(`the image of the client could not be made: exit ${code}`);
  return name;
}
