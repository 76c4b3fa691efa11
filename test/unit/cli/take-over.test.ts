import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startServiceManager } from '../../engine/service-manager.ts';
import {
  builtProgram,
  call,
  Running,
  serve,
  startBerthgate,
  temporaryFolder,
  until,
  writeConfig,
} from './built-program.ts';
import { type SmallEngine, startSmallEngine } from './small-engine.ts';

let upstream: SmallEngine;

beforeAll(async () => {
  builtProgram();
  upstream = await startSmallEngine();
}, 60_000);

afterAll(() => upstream.stop());

/** Connects and calls, again and again, until it is stopped; says what failed. */
interface CallLoop {
  /** Resolves when calls that begin now have been answered. */
  readonly goesOn: () => Promise<void>;
  readonly stop: () => Promise<{ calls: number; failures: string[] }>;
}

function callInALoop(connect: () => net.Socket): CallLoop {
  let stopped = false;
  let calls = 0;
  const failures: string[] = [];
  const loop = async (): Promise<void> => {
    while (!stopped) {
      const heard = await once(connect).catch((fault: Error) => fault.message);
      calls++;
      if (!heard.startsWith('HTTP/1.1 200')) failures.push(heard);
    }
  };
  const loops = Promise.all([loop(), loop(), loop(), loop()]);
  const more = async (most: number): Promise<void> => {
    const enough = calls + most;
    await until(
      () => calls > enough,
      () => `only ${calls} calls`,
    );
  };
  return {
    goesOn: () => more(20),
    stop: async () => {
      await more(20);
      stopped = true;
      await loops;
      return { calls, failures };
    },
  };
}

function once(connect: () => net.Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect();
    let heard = '';
    socket.setTimeout(60_000, () => socket.destroy(new Error('no answer in time')));
    socket.on('error', reject);
    socket.on('data', (bytes) => {
      heard += String(bytes);
    });
    socket.on('close', () => resolve(heard === '' ? 'closed without an answer' : heard));
    socket.write('GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n');
  });
}

/** An attach that says a line a moment, and hears its echo. */
async function talkOver(path: string): Promise<{ echoes: () => number; socket: net.Socket; end: () => Promise<void> }> {
  const socket = net.connect({ path, allowHalfOpen: true });
  let heard = '';
  socket.on('data', (bytes) => {
    heard += String(bytes);
  });
  socket.write(
    'POST /v1.41/containers/web/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n',
  );
  await until(
    () => heard.includes('101'),
    () => `no tunnel: ${heard}`,
  );
  let said = 0;
  const timer = setInterval(() => socket.write(`line ${++said}\n`), 20);
  onTestFinished(() => clearInterval(timer));
  return {
    socket,
    echoes: () => heard.split('line ').length - 1,
    end: async () => {
      clearInterval(timer);
      const closed = new Promise((resolve) => socket.on('close', resolve));
      socket.end();
      await closed;
      expect(heard.split('line ').length - 1).toBe(said);
    },
  };
}

function makeCertificate(folder: string): { cert: string; key: string } {
  const cert = join(folder, 'cert.pem');
  const key = join(folder, 'key.pem');
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'].concat([
      ...[
        '-subj',
        '/CN=localhost',
        '-addext',
        'subjectAltName=DNS:localhost,IP:127.0.0.1',
        '-out',
        cert,
        '-keyout',
        key,
      ],
    ]),
    { stdio: 'pipe' },
  );
  return { cert, key };
}

function portOf(running: Running, listener: string): number {
  return Number(running.hosts().get(listener)?.split(':').at(-1));
}

describe('a process that takes over', () => {
  test('refuses no connection on unix, TCP and TLS, and the old one keeps its streams until they end', async () => {
    const folder = temporaryFolder();
    const { cert, key } = makeCertificate(folder);
    const path = join(folder, 'docker.sock');
    const config = writeConfig(
      folder,
      upstream.path,
      [
        { name: 'unix', url: `unix://${path}` },
        { name: 'plain', url: 'tcp://127.0.0.1:0' },
        { name: 'secure', url: 'tcp://127.0.0.1:0', more: `tls: { cert: "${cert}", key: "${key}" }` },
      ],
      'shutdown: { grace: 200ms }\nadmin: { metrics: "http://127.0.0.1:0" }',
    );
    const old = await serve(config);
    const plain = portOf(old, 'plain');
    const secure = portOf(old, 'secure');
    const stream = await talkOver(path);
    const loops = [
      callInALoop(() => net.connect({ path })),
      callInALoop(() => net.connect({ port: plain, host: '127.0.0.1' })),
      callInALoop(() => tls.connect({ port: secure, host: '127.0.0.1', rejectUnauthorized: false })),
    ];

    const generations = [old];
    for (let i = 0; i < 3; i++) {
      const next = await serve(config, ['--take-over']);
      expect(next.hosts()).toEqual(old.hosts());
      generations.push(next);
      for (const loop of loops) await loop.goesOn();
    }
    for (const loop of loops) {
      const { calls, failures } = await loop.stop();
      expect(failures).toEqual([]);
      expect(calls).toBeGreaterThan(80);
    }
    const [, second, third, last] = generations as [Running, Running, Running, Running];
    expect((await second.exit).code).toBe(0);
    expect((await third.exit).code).toBe(0);

    old.kill('SIGTERM');
    await old.hears(/running streams are kept/);
    const before = stream.echoes();
    await until(
      () => stream.echoes() > before + 20,
      () => 'the stream stopped',
    );
    expect(old.ended).toBe(false);
    await stream.end();
    expect((await old.exit).code).toBe(0);
    expect((await call(`unix://${path}`, '/_ping')).status).toBe(200);
    last.kill('SIGTERM');
    expect((await last.exit).code).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  test('leaves the old one as it was when it cannot serve itself', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'docker.sock');
    const old = await serve(writeConfig(folder, upstream.path, [{ name: 'unix', url: `unix://${path}` }]));
    const bad = writeConfig(folder, upstream.path, [
      { name: 'unix', url: `unix://${path}` },
      { name: 'file', url: `unix://${join(folder, 'berthgate.yaml')}` },
    ]);
    await expect(serve(bad, ['--take-over'])).rejects.toThrow(/is no socket/);
    expect((await call(`unix://${path}`, '/_ping')).status).toBe(200);
    old.kill('SIGTERM');
    expect((await old.exit).code).toBe(0);
  });

  test('just serves where nobody is to be taken over', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'docker.sock');
    const only = await serve(writeConfig(folder, upstream.path, [{ name: 'unix', url: `unix://${path}` }]), [
      '--take-over',
    ]);
    expect((await call(`unix://${path}`, '/_ping')).status).toBe(200);
    only.kill('SIGTERM');
    expect((await only.exit).code).toBe(0);
  });

  test('is asked for: a second process with the same state refuses to start without', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'docker.sock');
    const config = writeConfig(folder, upstream.path, [{ name: 'unix', url: `unix://${path}` }]);
    const first = await serve(config);
    await expect(serve(config)).rejects.toThrow(new RegExp(`pid ${first.child.pid}.*--take-over`, 's'));
    expect((await call(`unix://${path}`, '/_ping')).status).toBe(200);
  });
});

test('a service manager is told of all its changes, and of the process that takes over', async () => {
  const manager = startServiceManager();
  onTestFinished(() => manager.close());
  const folder = temporaryFolder();
  const path = join(folder, 'docker.sock');
  const config = writeConfig(folder, upstream.path, [{ name: 'unix', url: `unix://${path}` }]);
  const first = startBerthgate(['serve', '--config', config], { NOTIFY_SOCKET: manager.path });
  await manager.hears(/^READY=1$/);
  expect((await call(`unix://${path}`, '/_ping')).status).toBe(200);
  first.kill('SIGUSR2');
  const [, said] = await manager.hears(/^MAINPID=(\d+)$/);
  const pid = Number(said);
  onTestFinished(() => end(pid));
  // Its output stays open, as the one that it has started writes there too.
  await until(
    () => first.child.exitCode !== null,
    () => 'the first one does not end',
  );
  expect(first.child.exitCode).toBe(0);
  expect(pid).not.toBe(first.child.pid);
  expect((await call(`unix://${path}`, '/_ping')).status).toBe(200);
  await until(
    () => manager.told.filter((one) => one === 'READY=1').length === 2,
    () => JSON.stringify(manager.told),
  );
  process.kill(pid, 'SIGHUP');
  await manager.hears(/^RELOADING=1\nMONOTONIC_USEC=\d+$/);
  await until(
    () => manager.told.filter((one) => one === 'READY=1').length === 3,
    () => JSON.stringify(manager.told),
  );
  process.kill(pid, 'SIGTERM');
  await manager.hears(/^STOPPING=1$/);
  await until(
    () => !existsSync(path),
    () => 'it does not end',
  );
  const [ready, main, ...more] = manager.told;
  expect([ready, main]).toEqual(['READY=1', `MAINPID=${pid}`]);
  expect(more.map((text) => text.split('=')[0])).toEqual(['READY', 'RELOADING', 'READY', 'STOPPING']);
});

test('an upgrade that cannot be leaves the process as it was; the end of one that has taken over is no fault', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'docker.sock');
  const config = writeConfig(folder, upstream.path, [{ name: 'unix', url: `unix://${path}` }]);
  const said = readFileSync(config, 'utf8');
  const first = await serve(config);
  writeFileSync(config, 'listeners: 1');
  first.kill('SIGUSR2');
  await first.hears(/the new process has ended; this one serves on/);
  expect((await call(`unix://${path}`, '/_ping')).status).toBe(200);
  const stream = await talkOver(path);
  writeFileSync(config, said);
  first.kill('SIGUSR2');
  await first.hears(/has taken the sockets over/);
  const [, pid] = [...first.err.matchAll(/"pid":(\d+),"msg":"a new process has been started/g)].at(-1) ?? [];
  onTestFinished(() => end(Number(pid)));
  process.kill(Number(pid), 'SIGTERM');
  await first.hears(/"msg":"the new process has ended"/);
  expect(first.err.match(/serves on/g)).toHaveLength(1);
  await stream.end();
  expect((await first.exit).code).toBe(0);
});

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended, as it was to.
  }
}

/** A socket that is bound and not accepted from, as the service manager holds it. Node can only do this inside. */
function holdSocket(address: string): { fd: number; close: () => void; getsockname?: (out: object) => number } {
  const { _createServerHandle: make } = net as unknown as {
    _createServerHandle: (address: string, port: number, type: number) => never;
  };
  return address.startsWith('/') ? make(address, -1, -1) : make(address, 0, 4);
}

/** As the service manager does: the sockets are there before the program runs, and are its descriptors from 3 on. */
async function serveActivated(
  config: string,
  descriptors: number[],
  names: string,
  more: string[] = [],
): Promise<Running> {
  const command = 'LISTEN_PID=$$ exec "$0" "$@"';
  const args = [process.execPath, builtProgram(), 'serve', '--config', config, ...more];
  const child = spawn('sh', ['-c', command, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', ...descriptors],
    env: { ...process.env, LISTEN_FDS: String(descriptors.length), LISTEN_FDNAMES: names },
  });
  const running = new Running(child);
  await running.hears(/DOCKER_HOST/);
  return running;
}

describe('socket activation', () => {
  test.each([[[]], [['--take-over']]])('lets processes take turns without a refused connection, %j', async (more) => {
    const folder = temporaryFolder();
    const path = join(folder, 'activated.sock');
    const held = [holdSocket(path), holdSocket('127.0.0.1')];
    onTestFinished(() => {
      for (const one of held) one.close();
    });
    const descriptors = held.map(({ fd }) => fd);
    const config = writeConfig(folder, upstream.path, [{ name: 'activated', url: 'fd://docker' }]);
    let running = await serveActivated(config, descriptors, 'docker:docker', more);
    const port = Number(/tcp:\/\/127\.0\.0\.1:(\d+)/.exec(running.out)?.[1]);
    const loops = [
      callInALoop(() => net.connect({ path })),
      callInALoop(() => net.connect({ port, host: '127.0.0.1' })),
    ];
    for (let i = 0; i < 3; i++) {
      const before = running;
      if (more.length === 0) {
        before.kill('SIGTERM');
        expect((await before.exit).code).toBe(0);
      }
      running = await serveActivated(config, descriptors, 'docker:docker', more);
      expect((await before.exit).code).toBe(0);
      for (const loop of loops) await loop.goesOn();
    }
    for (const loop of loops) {
      const { calls, failures } = await loop.stop();
      expect(failures).toEqual([]);
      expect(calls).toBeGreaterThan(80);
    }
    expect(existsSync(path)).toBe(true);
  });
});
