// Processes of a benchmark: started, measured with all of their children, and ended with the benchmark.

import { execFileSync, spawn } from 'node:child_process';
import { openSync, readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const TICKS_A_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
const running = new Set();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const [signal, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
]) {
  process.on(signal, () => process.exit(128 + number));
}

/** Runs until `stop()`. What it prints goes to the file `log`. */
export function startProcess(program, args, { log, env = {} }) {
  const output = openSync(log, 'a');
  const child = spawn(program, args, { stdio: ['ignore', output, output], env: { ...process.env, ...env } });
  running.add(child);
  const ended = new Promise((resolve) => {
    child.on('exit', resolve);
    child.on('error', resolve);
  });
  void ended.then(() => running.delete(child));
  return {
    pid: child.pid,
    ended,
    async stop() {
      child.kill('SIGTERM');
      const late = pause(3000, 'late');
      if ((await Promise.race([ended, late])) === 'late') {
        child.kill('SIGKILL');
        await ended;
      }
    },
  };
}

/** Runs a client to its end and gives the JSON that it printed. */
export async function runJson(program, args, timeoutMs) {
  return JSON.parse(await runText(program, args, timeoutMs));
}

/** Runs a client to its end and gives what it printed. */
export function runText(program, args, timeoutMs = 120_000) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: timeoutMs });
    running.add(child);
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      running.delete(child);
      if (code === 0) resolve(text);
      else reject(new Error(`${program} ${args.join(' ')}: ${signal ?? `exit ${code}`}`));
    });
  });
}

/** Waits until somebody accepts there: `{path}` or `{host, port}`. */
export async function waitUntilOpen(where, timeoutMs = 60_000) {
  const until = Date.now() + timeoutMs;
  for (;;) {
    const open = await new Promise((resolve) => {
      const socket = net.connect(where);
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('close', () => resolve(false));
      socket.setTimeout(1000, () => socket.destroy());
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    if (Date.now() > until) throw new Error(`nobody listens on ${JSON.stringify(where)}`);
    await pause(20);
  }
}

export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** CPU seconds of the process and of its children, those that have ended too. */
export function cpuSeconds(pid) {
  let ticks = 0;
  for (const one of familyOf(pid)) {
    const fields = statOf(one);
    // proc(5): utime, stime, cutime, cstime are 14 to 17; `fields` begins behind the name, with 3.
    if (fields !== null) for (let i = 11; i <= 14; i++) ticks += Number(fields[i]);
  }
  return ticks / TICKS_A_SECOND;
}

/** Resident bytes of the process and its children. */
export function residentBytes(pid) {
  let bytes = 0;
  for (const one of familyOf(pid)) {
    try {
      const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${one}/status`, 'utf8'));
      bytes += Number(found?.[1] ?? 0) * 1024;
    } catch {
      // It ended meanwhile.
    }
  }
  return bytes;
}

export function openDescriptors(pid) {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function familyOf(pid) {
  const family = [pid];
  for (let i = 0; i < family.length; i++) {
    try {
      for (const task of readdirSync(`/proc/${family[i]}/task`)) {
        const children = readFileSync(`/proc/${family[i]}/task/${task}/children`, 'utf8');
        for (const child of children.split(' ')) if (child.trim() !== '') family.push(Number(child));
      }
    } catch {
      // It ended meanwhile.
    }
  }
  return family;
}

function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}
