// `berthgate serve` with job sockets in front of an engine, which can be killed and started again on the same state.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { callEngine } from '../harness/engine-call.mjs';
import { freePort, startProcess, waitUntilOpen } from '../harness/processes.mjs';

export const SOCKET = '/var/run/docker.sock';
const TAKEN = 'another process has taken the sockets over';

export class Served {
  /** `projects`: each has a namespace, by its label `project`, and what their jobs pull is kept. */
  constructor({ socket, folder, main, namespace, pool, images, upstreams = [], projects = false }) {
    Object.assign(this, { engine: socket, main, namespace });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.folder = folder;
    this.unix = join(folder, 'docker.sock');
    this.log = join(folder, 'berthgate.log');
    this.settings = { pool, images, upstreams, projects };
  }

  async prepare() {
    const { pool, images, upstreams, projects } = this.settings;
    this.gateway = `127.0.0.1:${await freePort()}`;
    this.metricsAt = `http://127.0.0.1:${await freePort()}`;
    this.config = join(this.folder, 'berthgate.json');
    const listener = {
      name: 'ci',
      url: `unix://${this.unix}`,
      auth: ['anonymous'],
      namespace: this.namespace,
      policies: ['conservative'],
      // The containers of all jobs are on one network.
      networks: { pools: [pool], size: 24 },
      requests: { connections: 4000 },
      jobSocket: {},
      ...(projects ? { namespace: `${this.namespace}-{label.project}`, trustLabels: true } : {}),
    };
    const config = {
      state: join(this.folder, 'state'),
      engines: [{ name: 'bench', url: `unix://${this.engine}`, gateway: this.gateway }],
      images: { shared: images },
      registry: { upstreams },
      firewall: { apply: false },
      listeners: [listener],
      ...(projects ? { gc: {} } : {}),
      admin: { metrics: this.metricsAt },
      log: { level: 'info', format: 'json' },
    };
    // JSON is YAML.
    writeFileSync(this.config, JSON.stringify(config, null, 2));
  }

  /** Resolves when it accepts. */
  async start(...more) {
    this.process = startProcess(process.execPath, [this.main, 'serve', '--config', this.config, ...more], {
      log: this.log,
    });
    const dead = this.process.ended.then((code) => {
      throw new Error(`berthgate ended at once (${code}): ${readFileSync(this.log, 'utf8').slice(-2000)}`);
    });
    dead.catch(() => {});
    await Promise.race([this.untilAnswers(this.unix), dead]);
  }

  /** Another process takes over: gives the one that was there. */
  async takeOver() {
    const before = this.process;
    const taken = this.said(TAKEN).length;
    await this.start('--take-over');
    for (const until = Date.now() + 60_000; this.said(TAKEN).length === taken; await pause(20))
      if (Date.now() > until) throw new Error('nobody has taken over');
    return before;
  }

  async kill() {
    process.kill(this.process.pid, 'SIGKILL');
    await this.process.ended;
  }

  async stop() {
    await this.process?.stop();
  }

  async untilAnswers(to, timeoutMs = 60_000) {
    await waitUntilOpen({ path: to }, timeoutMs);
    for (const until = Date.now() + timeoutMs; Date.now() < until; await pause(20)) {
      const { status } = await callEngine(to, 'GET', '/_ping').catch(() => ({ status: 0 }));
      if (status === 200) return;
    }
    throw new Error(`nobody answers at ${to}`);
  }

  /** The job of a container with a socket and the path of that socket here; null where there is no such container. */
  async jobOf(container) {
    const { status, text } = await callEngine(this.engine, 'GET', `/containers/${this.namespace}.${container}/json`);
    if (status !== 200) return null;
    const { job, folder } = JSON.parse(JSON.parse(text).Config.Labels['berthgate.socket']);
    return { job, socket: join(this.folder, 'state/jobs', folder, 'docker.sock') };
  }

  /** Lines of the log that say so. */
  said(...messages) {
    return readFileSync(this.log, 'utf8')
      .split('\n')
      .filter((line) => messages.some((message) => line.includes(`"msg":"${message}"`)))
      .map((line) => JSON.parse(line));
  }

  /** A number of its metrics. */
  async metric(name) {
    const { text } = await callEngine(this.metricsAt, 'GET', '/metrics');
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  }
}
