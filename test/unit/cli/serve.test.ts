import { existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { initConfig } from '../../../src/operate/config/index.ts';
import {
  type Answer,
  builtProgram,
  call,
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

function unixListener(folder: string, name: string): { name: string; url: string; host: string } {
  const url = `unix://${join(folder, `${name}.sock`)}`;
  return { name, url, host: url };
}

/** Bytes of an answer that goes on until it is cut. */
function follow(host: string, path: string): { heard: () => string; closed: Promise<void> } {
  const socket = net.connect({ path: host.slice(7) });
  let heard = '';
  socket.on('data', (bytes) => {
    heard += String(bytes);
  });
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: docker\r\n\r\n`);
  onTestFinished(() => void socket.destroy());
  return { heard: () => heard, closed };
}

/** A call that takes its time, and when it has reached the engine. */
function slowCall(host: string): { begun: Promise<void>; answer: Promise<Answer> } {
  const asked = (): number => upstream.calls.filter((one) => one === 'GET /v1.41/info').length;
  const before = asked();
  const answer = call(host, '/info');
  const begun = until(
    () => asked() > before,
    () => 'the slow call did not start',
  );
  return { begun, answer };
}

test('a server says where it can be reached, and forwards calls', async () => {
  const folder = temporaryFolder();
  const people = unixListener(folder, 'people');
  const running = await serve(writeConfig(folder, upstream.path, [people, { name: 'tcp', url: 'tcp://127.0.0.1:0' }]));
  expect(running.hosts().get('people')).toBe(people.host);
  expect((await call(people.host, '/containers/json')).body).toBe('[]');
  expect((await call(running.hosts().get('tcp')!, '/v1.30/containers/json')).status).toBe(200);
  expect(upstream.calls).toContain('GET /v1.41/containers/json');
  expect(upstream.calls).toContain('GET /v1.30/containers/json');
  running.kill('SIGINT');
  expect((await running.exit).code).toBe(0);
});

test('a server starts with what init writes, and judges by it', async () => {
  const folder = temporaryFolder();
  const socket = join(folder, 'docker.sock');
  const engine = { url: `unix://${upstream.path}` };
  const file = join(folder, 'berthgate.yaml');
  writeFileSync(file, initConfig({ engine, foundBy: 'here', socket, state: join(folder, 'state'), group: null }));
  const running = await serve(file);
  expect(running.hosts().get('people')).toBe(`unix://${socket}`);
  expect((await call(`unix://${socket}`, '/containers/json')).status).toBe(200);
  expect((await call(`unix://${socket}`, '/swarm')).headers['berthgate-refusal']).toBe('refused');
});

test('an engine that is down does not stop the server, and the next call works as soon as it is up', async () => {
  const folder = temporaryFolder();
  const people = unixListener(folder, 'people');
  const engine = await startSmallEngine();
  await engine.stop();
  const running = await serve(
    writeConfig(
      folder,
      engine.path,
      [people],
      'admin: { metrics: "http://127.0.0.1:0", url: "unix:///'.concat(`${join(folder, 'admin.sock').slice(1)}" }`),
    ),
  );
  const admin = `unix://${join(folder, 'admin.sock')}`;
  const refused = await call(people.host, '/containers/json');
  expect(refused.status).toBe(503);
  expect(refused.headers['berthgate-refusal']).toBe('engine-refused');
  expect(JSON.parse(refused.body)).toEqual({ message: expect.stringContaining('the engine is not reachable') });
  const unready = await call(admin, '/readyz');
  expect(unready.status).toBe(503);
  expect(JSON.parse(unready.body).reason).toContain('engine local: ');
  await engine.start();
  expect((await call(people.host, '/containers/json')).status).toBe(200);
  expect((await call(admin, '/readyz')).status).toBe(200);
  await engine.stop();
  expect((await call(people.host, '/containers/json')).status).toBeGreaterThanOrEqual(502);
  engine.version = '28.5.1';
  await engine.start();
  expect((await call(people.host, '/containers/json')).status).toBe(200);
  await until(
    () => running.err.includes('28.5.1'),
    () => `the new version is not known: ${running.err}`,
  );
  await engine.stop();
  expect(lstatSync(join(folder, 'admin.sock')).mode & 0o777).toBe(0o600);
});

test('a reload keeps the sockets that stay, opens new ones, closes gone ones, and ends no call', async () => {
  const folder = temporaryFolder();
  const stays = unixListener(folder, 'stays');
  const goes = unixListener(folder, 'goes');
  const comes = unixListener(folder, 'comes');
  const config = writeConfig(folder, upstream.path, [stays, goes], 'shutdown: { grace: 200ms }');
  const running = await serve(config);
  const { ino } = lstatSync(stays.host.slice(7));
  const stream = follow(goes.host, '/events');
  await until(
    () => stream.heard().includes('container'),
    () => 'no events',
  );
  const slow = slowCall(goes.host);
  await slow.begun;
  expect(lstatSync(stays.host.slice(7)).mode & 0o777).toBe(0o600);
  writeConfig(folder, upstream.path, [{ ...stays, more: 'mode: "0666"' }, comes], 'shutdown: { grace: 200ms }');
  running.kill('SIGHUP');
  await running.hears(/configuration read again/);
  expect(lstatSync(stays.host.slice(7)).ino).toBe(ino);
  expect(lstatSync(stays.host.slice(7)).mode & 0o777).toBe(0o666);
  expect((await call(stays.host, '/containers/json')).status).toBe(200);
  expect((await call(comes.host, '/containers/json')).status).toBe(200);
  expect(existsSync(goes.host.slice(7))).toBe(false);
  expect((await slow.answer).body).toContain('slow');
  expect(stream.heard()).not.toContain('\r\n0\r\n');
  running.kill('SIGTERM');
  expect((await running.exit).code).toBe(0);
});

test('a reload counts for connections that are there, and a change of engine too', async () => {
  const folder = temporaryFolder();
  const people = unixListener(folder, 'people');
  const other = await startSmallEngine();
  onTestFinished(() => other.stop());
  const config = writeConfig(folder, upstream.path, [people]);
  const running = await serve(config);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  expect((await call(people.host, '/containers/json', { agent })).status).toBe(200);
  writeConfig(folder, other.path, [people]);
  running.kill('SIGHUP');
  await running.hears(/configuration read again/);
  expect((await call(people.host, '/containers/json', { agent })).status).toBe(200);
  expect(other.calls).toContain('GET /v1.41/containers/json');
});

test('a bad configuration is refused at a reload, with its faults in the log, and the old one stays', async () => {
  const folder = temporaryFolder();
  const people = unixListener(folder, 'people');
  const config = writeConfig(folder, upstream.path, [people]);
  const running = await serve(config);
  writeFileSync(config, 'listeners: [{ nmae: x }]\n');
  running.kill('SIGHUP');
  await running.hears(/refused; the old one stays/);
  expect(running.err).toMatch(/berthgate\.yaml:1:\d+/);
  writeConfig(folder, upstream.path, [people, { name: 'x', url: `unix://${config}` }, unixListener(folder, 'new')]);
  running.kill('SIGHUP');
  await running.hears(/berthgate\.yaml:\d+:\d+: listeners\[1\]\.url: cannot listen on .*is no socket/);
  expect(existsSync(join(folder, 'new.sock'))).toBe(false);
  expect((await call(people.host, '/containers/json')).status).toBe(200);
  expect(readdirSync(folder).filter((name) => name.startsWith('.bg'))).toEqual([]);
});

test('SIGTERM ends idle connections at once, lets calls end, and ends with 0', async () => {
  const folder = temporaryFolder();
  const people = unixListener(folder, 'people');
  const running = await serve(writeConfig(folder, upstream.path, [people], 'shutdown: { grace: 1h }'));
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  await call(people.host, '/_ping', { agent });
  const slow = slowCall(people.host);
  await slow.begun;
  running.kill('SIGTERM');
  await running.hears(/draining/);
  await expect(call(people.host, '/_ping')).rejects.toThrow(/ENOENT|ECONNREFUSED/);
  const answer = await slow.answer;
  expect(answer.body).toContain('slow');
  expect(answer.headers.connection).toBe('close');
  expect((await running.exit).code).toBe(0);
});

test('a stream that runs on is cut after the grace, and a second SIGTERM does not wait for it', async () => {
  const folder = temporaryFolder();
  const people = unixListener(folder, 'people');
  const config = writeConfig(folder, upstream.path, [people], 'shutdown: { grace: 300ms }');
  const first = await serve(config);
  const stream = follow(people.host, '/events');
  await until(
    () => stream.heard().includes('container'),
    () => 'no events',
  );
  first.kill('SIGTERM');
  expect((await first.exit).code).toBe(0);
  await stream.closed;
  expect(stream.heard()).not.toContain('\r\n0\r\n\r\n');

  const second = await serve(writeConfig(folder, upstream.path, [people], 'shutdown: { grace: 1h }'));
  const another = follow(people.host, '/events');
  await until(
    () => another.heard().includes('container'),
    () => 'no events',
  );
  second.kill('SIGTERM');
  await second.hears(/draining/);
  second.kill('SIGTERM');
  expect((await second.exit).code).toBe(1);
});

test('what protects and is not there yet keeps the server from starting', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'berthgate.yaml');
  writeFileSync(
    file,
    `state: ${folder}/state
engines: [{ name: local, url: "unix://${upstream.path}" }, { name: other, url: "unix://${upstream.path}" }]
listeners: [{ name: people, url: "unix://${folder}/people.sock", auth: [anonymous], policies: [] }]
`,
  );
  const running = startBerthgate(['serve', '--config', file]);
  expect((await running.exit).code).toBe(1);
  expect(running.err).toMatch(/berthgate\.yaml:3:\d+: listeners\[0\]: .*refuses to start/);
  expect(existsSync(join(folder, 'people.sock'))).toBe(false);
});

test('a state folder that is a link, or that others may write, is not used', async () => {
  const folder = temporaryFolder();
  const config = writeConfig(folder, upstream.path, [unixListener(folder, 'people')]);
  mkdirSync(join(folder, 'elsewhere'), { mode: 0o700 });
  symlinkSync(join(folder, 'elsewhere'), join(folder, 'state'));
  const running = startBerthgate(['serve', '--config', config]);
  expect((await running.exit).code).toBe(1);
  expect(running.err).toContain('symbolic link');
});

test('what cannot be read is answered, logged and counted, and nothing of it is forwarded', async () => {
  const folder = temporaryFolder();
  const people = unixListener(folder, 'people');
  const admin = `unix://${join(folder, 'admin.sock')}`;
  const running = await serve(writeConfig(folder, upstream.path, [people], `admin: { url: "${admin}" }`));
  const before = upstream.calls.length;
  const socket = net.connect({ path: people.host.slice(7) });
  socket.on('error', () => {});
  const heard = new Promise<string>((resolve) => socket.on('data', (bytes) => resolve(String(bytes))));
  socket.write('GET /containers/json HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n');
  expect(await heard).toMatch(/^HTTP\/1.1 400 /);
  await running.hears(/"refusal":"unreadable-request"/);
  expect((await call(admin, '/metrics')).body).toContain(
    'berthgate_refusals_total{listener="people",code="unreadable-request"} 1',
  );
  expect(upstream.calls.slice(before).filter((one) => one.includes('containers'))).toEqual([]);
});
