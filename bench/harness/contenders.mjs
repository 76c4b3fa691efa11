// Who is measured: each stands in front of the same engine, on a unix socket and on a port of loopback.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { haproxyTuned, haproxyUsual, nginxTuned, SWITCHES } from './configurations.mjs';
import { cpuSeconds, freePort, startProcess, waitUntilOpen } from './processes.mjs';
import { findProgram } from './programs.mjs';

export const berthgateMain = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** The engine itself, without anybody in between. `pid` is the engine's, where it is ours. */
export function direct(socket, pid = null) {
  return contender({
    name: 'direct',
    unix: socket,
    port: null,
    process: pid === null ? null : { pid, stop: async () => {} },
  });
}

/** What a site's own listener for people would say. */
const GUARD = [
  'conservative',
  {
    use: 'limits',
    memory: { default: '256MiB', max: '4GiB' },
    cpus: { max: 4 },
    pids: { default: 1024, max: 4096 },
    total: { containers: 1000, memory: '1000GiB', ports: 1000, volumes: 1000, networks: 100, streams: 100 },
  },
];

/** With the policies `conservative` and `limits`. */
export function berthgateGuarded(socket, folder, options = {}) {
  return berthgate(socket, folder, { ...options, name: 'berthgate-guarded', policies: GUARD });
}

/** This program with matching, limits, log line and metrics on; no policy and no namespace, but for what is said. */
export async function berthgate(
  socket,
  folder,
  {
    main = berthgateMain,
    name = 'berthgate',
    node = [],
    policies = [],
    namespace = null,
    sharedImages = [],
    gateway,
  } = {},
) {
  const { unix, port, file } = await places(folder, name);
  const adminPort = await freePort();
  const config = {
    state: join(folder, `${name}-state`),
    engines: [{ name: 'bench', url: `unix://${socket}`, gateway }],
    images: { shared: sharedImages },
    firewall: { apply: false },
    listeners: [
      { name: 'unix', url: `unix://${unix}`, auth: ['peer'], ...openTo(4000, policies, namespace) },
      { name: 'tcp', url: `tcp://127.0.0.1:${port}`, auth: ['anonymous'], ...openTo(4000, policies, namespace) },
    ],
    admin: { metrics: `http://127.0.0.1:${adminPort}` },
    log: { level: 'info', format: 'json' },
  };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config, null, 2));
  const process_ = startProcess(process.execPath, [...node, main, 'serve', '--config', file], {
    log: join(folder, `${name}.log`),
  });
  return opened(contender({ name, unix, port, process: process_, adminPort }));
}

function openTo(connections, policies, namespace) {
  return { namespace, policies, requests: { connections } };
}

/** HAProxy as the well-known socket proxies configure it. */
export async function haproxyAsUsual(socket, folder) {
  const { unix, port, file } = await places(folder, 'haproxy-usual');
  writeFileSync(file, haproxyUsual({ socket, unix, port }));
  const log = join(folder, 'haproxy-usual.log');
  const process_ = startProcess(findProgram('haproxy'), ['-db', '-f', file], { log, env: SWITCHES });
  return opened(contender({ name: 'haproxy-usual', unix, port, process: process_ }));
}

export async function haproxyByHand(socket, folder) {
  const { unix, port, file } = await places(folder, 'haproxy-tuned');
  writeFileSync(file, haproxyTuned({ socket, unix, port }));
  const process_ = startProcess(findProgram('haproxy'), ['-db', '-f', file], {
    log: join(folder, 'haproxy-tuned.log'),
  });
  return opened(contender({ name: 'haproxy-tuned', unix, port, process: process_ }));
}

export async function nginx(socket, folder) {
  const { unix, port, file } = await places(folder, 'nginx');
  writeFileSync(file, nginxTuned({ socket, unix, port, folder }));
  const log = join(folder, 'nginx.log');
  const process_ = startProcess(findProgram('nginx'), ['-c', file, '-p', folder, '-e', log], { log });
  return opened(contender({ name: 'nginx', unix, port, process: process_ }));
}

export async function goStandIn(socket, folder, program) {
  const { unix, port } = await places(folder, 'go-proxy');
  const process_ = startProcess(program, [socket, unix, `127.0.0.1:${port}`], { log: join(folder, 'go-proxy.log') });
  return opened(contender({ name: 'go-stand-in', unix, port, process: process_ }));
}

async function places(folder, name) {
  return { unix: join(folder, `${name}.sock`), port: await freePort(), file: join(folder, `${name}.conf`) };
}

function contender({ name, unix, port, process: process_, adminPort = null }) {
  return {
    name,
    unix,
    port,
    adminPort,
    pid: process_?.pid ?? null,
    /** As our own clients are told. */
    over(transport) {
      return transport === 'unix' ? `unix:${unix}` : `tcp:127.0.0.1:${port}`;
    },
    speaks: (transport) => transport === 'unix' || port !== null,
    cpu: () => (process_ === null ? 0 : cpuSeconds(process_.pid)),
    ended: process_?.ended ?? new Promise(() => {}),
    stop: async () => process_?.stop(),
  };
}

async function opened(one) {
  const dead = one.ended.then(() => {
    throw new Error(`${one.name} ended at once: see its log`);
  });
  dead.catch(() => {});
  await Promise.race([Promise.all([waitUntilOpen({ path: one.unix }), waitUntilOpen(tcpOf(one))]), dead]);
  await pause(50);
  return one;
}

function tcpOf({ port }) {
  return { host: '127.0.0.1', port };
}
