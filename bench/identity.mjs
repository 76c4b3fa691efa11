/**
 * Whether 10,000 wrong passwords from one client slow another's calls: p99 of /_ping with a right password, while it is
 * quiet and while it is attacked, in alternating rounds of one run; seven minutes, since wrong passwords are answered late.
 * On a machine that does other things too start it with `chrt -r 1`, so that they are not measured. Needs a built dist/.
 *
 *   node bench/identity.mjs [attempts] [connections]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { hash } from '@node-rs/bcrypt';

const [role, ...values] = process.argv.slice(2);
const rounds = 3;
const callsEveryMs = 2;
const quietMs = 4000;

if (role === '--engine') serveStub(values[0]);
else if (role === '--attack') await attack(Number(values[0]), Number(values[1]), Number(values[2]), values[3]);
else await measure(Number(role ?? 10_000), Number(values[0] ?? 400));

/** Answers what Berthgate asks an engine before it forwards a ping. */
function serveStub(socketPath) {
  const server = http.createServer((request, response) => {
    response.setHeader('Api-Version', '1.51');
    response.setHeader('Content-Type', request.url.endsWith('/version') ? 'application/json' : 'text/plain');
    const version = JSON.stringify({ Version: '28.5.2', ApiVersion: '1.51', MinAPIVersion: '1.24' });
    response.end(request.url.endsWith('/version') ? version : 'OK');
  });
  server.listen(socketPath, () => console.log('ready'));
}

function basic(user, password) {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** Gives the status. */
function ping(port, agent, authorization) {
  return new Promise((resolve, reject) => {
    const request = http.get(
      { port, host: '127.0.0.1', path: '/_ping', agent, headers: { authorization } },
      (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode));
      },
    );
    request.on('error', reject);
  });
}

/** Another user and password each time, or one user: nothing of it may be remembered. */
async function attack(port, attempts, connections, round) {
  await once(process.stdin, 'data');
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const statuses = {};
  let next = 0;
  const one = async () => {
    while (next < attempts) {
      const n = next++;
      const status = await ping(port, agent, basic(n % 2 === 0 ? 'alice' : `user${n}`, `wrong-${round}-${n}`));
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, one));
  console.log(JSON.stringify(statuses));
  process.exit(0);
}

async function measure(attempts, connections) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'berthgate-bench-'));
  const children = [];
  const start = (...args) => {
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    children.push(child);
    return child;
  };
  try {
    const here = fileURLToPath(import.meta.url);
    const engine = path.join(folder, 'engine.sock');
    await once(start(here, '--engine', engine).stdout, 'data');
    const line = `alice:${await hash('right', 10)}\n`;
    writeFileSync(path.join(folder, 'htpasswd'), line, { mode: 0o600 });
    const port = await freePort();
    const config = {
      state: path.join(folder, 'state'),
      engines: [{ name: 'stub', url: `unix://${engine}` }],
      listeners: [
        {
          name: 'people',
          url: `tcp://127.0.0.1:${port}`,
          auth: [{ use: 'basic', htpasswd: 'htpasswd' }],
          namespace: null,
          policies: [],
        },
      ],
    };
    const file = path.join(folder, 'berthgate.yaml');
    writeFileSync(file, JSON.stringify(config));
    const program = path.join(path.dirname(here), '..', 'dist', 'main.js');
    await once(start(program, 'serve', '--config', file).stdout, 'data');
    await compare(port, attempts, connections, (round) =>
      start(here, '--attack', port, Math.ceil(attempts / rounds), connections, round),
    );
  } finally {
    for (const child of children) child.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compare(port, attempts, connections, startAttack) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const authorization = basic('alice', 'right');
  for (let i = 0; i < 500; i++) await ping(port, agent, authorization);
  const ratios = [];
  console.log(`${attempts} wrong passwords over ${connections} connections, in ${rounds} rounds`);
  for (let round = 0; round < rounds; round++) {
    // Begun before, so that its own start is not measured.
    const attacker = startAttack(round);
    let end = performance.now() + quietMs;
    const quiet = await callsUntil(() => performance.now() > end, port, agent, authorization);
    let told = '';
    attacker.stdout.on('data', (chunk) => {
      told += chunk;
    });
    let gone = false;
    attacker.on('exit', () => {
      gone = true;
    });
    attacker.stdin.write('go\n');
    const attacked = await callsUntil(() => gone, port, agent, authorization);
    end = performance.now() + quietMs;
    const after = await callsUntil(() => performance.now() > end, port, agent, authorization);
    const calm = (quantile(quiet, 0.99) + quantile(after, 0.99)) / 2;
    const ratio = quantile(attacked, 0.99) / calm;
    ratios.push(ratio);
    const show = (times) => `p50 ${quantile(times, 0.5).toFixed(2)} p99 ${quantile(times, 0.99).toFixed(2)} ms`;
    console.log(
      `quiet ${show(quiet)} | attacked ${show(attacked)} (${attacked.length} calls) | ${ratio.toFixed(2)} | ${told.trim()}`,
    );
  }
  console.log(`p99 attacked / quiet: median ${quantile(ratios, 0.5).toFixed(2)}`);
}

/** A call every few milliseconds, each from its due time: a stall counts for every call that it holds up. */
async function callsUntil(done, port, agent, authorization) {
  const times = [];
  let due = performance.now();
  while (!done()) {
    due += callsEveryMs;
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const begin = Math.min(due, performance.now());
    const status = await ping(port, agent, authorization);
    if (status !== 200) throw new Error(`the right password is answered ${status}`);
    times.push(performance.now() - begin);
  }
  return times;
}

function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
