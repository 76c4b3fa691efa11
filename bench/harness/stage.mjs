// The engine of a benchmark and those who stand in front of it.

import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { berthgate, berthgateGuarded, direct, goStandIn, haproxyAsUsual, haproxyByHand, nginx } from './contenders.mjs';
import { startProcess, waitUntilOpen } from './processes.mjs';
import { compile, compileGoProxy, needPrograms } from './programs.mjs';

/** Our own engine, which answers faster than anybody in front of it. */
export async function startFastEngine(folder) {
  needPrograms('gcc');
  // nginx gives its workers to another user.
  chmodSync(folder, 0o755);
  const socket = join(folder, 'engine.sock');
  const process_ = startProcess(compile('engine', folder), [socket], { log: join(folder, 'engine.log') });
  await waitUntilOpen({ path: socket });
  chmodSync(socket, 0o666);
  return { socket, pid: process_.pid, stop: () => process_.stop() };
}

/** Names that `--only` takes, in the order of the tables. */
export const EVERYBODY = [
  'berthgate',
  'berthgate-guarded',
  'haproxy-usual',
  'haproxy-tuned',
  'nginx',
  'go-stand-in',
  'direct',
];

/** Starts those of `names` in front of the engine at `socket`. */
export async function startContenders(names, { socket, folder, main, enginePid = null }) {
  const wanted = names.filter((name) => EVERYBODY.includes(name));
  if (wanted.some((name) => name.startsWith('haproxy'))) needPrograms('haproxy');
  if (wanted.includes('nginx')) needPrograms('nginx');
  chmodSync(folder, 0o755);
  const contenders = [];
  for (const name of wanted) {
    const one = await start(name, { socket, folder, main, enginePid });
    if (one !== null) contenders.push(one);
  }
  return contenders;
}

async function start(name, { socket, folder, main, enginePid }) {
  switch (name) {
    case 'berthgate':
      return berthgate(socket, folder, { main });
    case 'berthgate-guarded':
      return berthgateGuarded(socket, folder, { main });
    case 'haproxy-usual':
      return haproxyAsUsual(socket, folder);
    case 'haproxy-tuned':
      return haproxyByHand(socket, folder);
    case 'nginx':
      return nginx(socket, folder);
    case 'direct':
      return direct(socket, enginePid);
    default: {
      const program = compileGoProxy(folder);
      if (program === null)
        console.error('no Go here: the stand-in for Go proxies is left out (apt-get install golang-go)');
      return program === null ? null : goStandIn(socket, folder, program);
    }
  }
}

/** `unix:///run/docker.sock` or a path, from `--engine` or DOCKER_HOST. */
export function socketOf(engine) {
  return engine.replace(/^unix:\/\//, '');
}

/** The processes of this machine by what they run, for the CPU time of an engine that is not ours; null without rights. */
export function pidOfSocket(socket) {
  try {
    const told = execFileSync('ss', ['-xlpH', 'src', socket], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const found = /pid=(\d+)/.exec(told);
    return found === null ? null : Number(found[1]);
  } catch {
    return null;
  }
}
