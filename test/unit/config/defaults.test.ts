import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  ConfigRefused,
  defaultConfig,
  initConfig,
  loadConfig,
  lookAtMachine,
  parseConfig,
  refusals,
  withoutEffect,
} from '../../../src/operate/config/index.ts';

const implemented = { auth: ['peer', 'client-cert'], policies: ['conservative'] };
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bg-config-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function refusalOf(loading: Promise<unknown>): Promise<string> {
  const error = await loading.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConfigRefused);
  return (error as ConfigRefused).message;
}

describe('serve without a file', () => {
  test('has one socket for its user, who is known by their uid', () => {
    const { config } = defaultConfig({ XDG_RUNTIME_DIR: '/run/user/1000', HOME: '/home/a' }, 1000);
    expect(config.state).toBe('/home/a/.local/state/berthgate');
    expect(config.engines).toMatchObject([{ name: 'local', url: { kind: 'unix', path: '/var/run/docker.sock' } }]);
    expect(config.listeners).toHaveLength(1);
    expect(config.listeners[0]).toMatchObject({
      url: { kind: 'unix', path: '/run/user/1000/berthgate/docker.sock' },
      auth: [{ use: 'peer', options: {} }],
      namespace: '{user}',
      policies: [{ use: 'conservative', options: {} }],
    });
  });

  test('as root has its socket in /run', () => {
    const { config } = defaultConfig({ XDG_RUNTIME_DIR: '/run/user/0' }, 0);
    expect(config.listeners[0]?.url).toEqual({ kind: 'unix', path: '/run/berthgate/docker.sock' });
    expect(config.state).toBe('/var/lib/berthgate');
  });

  test('uses the engine of DOCKER_HOST, with its certificates', () => {
    const env = { DOCKER_HOST: 'tcp://engine.example.org:2376', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/certs' };
    expect(defaultConfig(env, 0).config.engines[0]).toMatchObject({
      url: { kind: 'tcp', host: 'engine.example.org', port: 2376 },
      tls: { ca: '/certs/ca.pem', cert: '/certs/cert.pem', key: '/certs/key.pem' },
    });
  });

  test('does not become its own engine where DOCKER_HOST names its own socket', () => {
    const { config } = defaultConfig({ DOCKER_HOST: 'unix:///run/berthgate/docker.sock' }, 0);
    expect(config.engines[0]?.url).toEqual({ kind: 'unix', path: '/var/run/docker.sock' });
  });

  test('says what is wrong with the environment', () => {
    expect(() => defaultConfig({}, 1000)).toThrow(/XDG_RUNTIME_DIR is not set/);
    expect(() => defaultConfig({ XDG_RUNTIME_DIR: 'relative' }, 1000)).toThrow(/XDG_RUNTIME_DIR/);
    expect(() => defaultConfig({ DOCKER_HOST: 'ssh://h' }, 0)).toThrow(/engines\[0\]\.url: must be unix:.*"ssh:\/\/h"/);
  });

  test('takes nothing from the environment but values', () => {
    const hostile = 'unix:///x"\nlisteners: []\n#';
    const { config } = defaultConfig({ DOCKER_HOST: hostile }, 0);
    expect(config.listeners).toHaveLength(1);
    expect(config.engines[0]?.url).toEqual({ kind: 'unix', path: hostile.slice(7) });
  });
});

describe('init', () => {
  test.each([
    [{}, 0],
    [{ HOME: '/home/a' }, 1000],
    [{}, 1000],
    [{ XDG_RUNTIME_DIR: '/run/user/1', DOCKER_HOST: 'tcp://[::1]:2375' }, 1],
    [{ DOCKER_HOST: 'tcp://h:2376', DOCKER_TLS_VERIFY: '1', HOME: '/home/"a' }, 0],
  ])('writes for %j as uid %d what serve starts with', async (env, uid) => {
    const parsed = parseConfig(initConfig(await lookAtMachine(env, uid)), 'berthgate.yaml');
    if ('faults' in parsed) throw new Error(parsed.faults.join('\n'));
    expect(refusals(parsed, implemented)).toEqual([]);
    expect(withoutEffect(parsed, implemented)).toEqual([]);
    expect(parsed.config.listeners[0]).toMatchObject({ auth: [{ use: 'peer' }], policies: [{ use: 'conservative' }] });
  });

  test('lets those in who may open the engine anyway, and nobody else', async () => {
    const machine = await lookAtMachine({}, 0);
    const modeOf = (group: string | null): unknown => {
      const parsed = parseConfig(initConfig({ ...machine, group }), 'berthgate.yaml');
      if ('faults' in parsed) throw new Error(parsed.faults.join('\n'));
      const [listener] = parsed.config.listeners;
      return [listener?.mode, listener?.group];
    };
    expect(modeOf('docker')).toEqual([0o660, 'docker']);
    expect(modeOf(null)).toEqual([0o600, undefined]);
    expect((await lookAtMachine({ HOME: '/home/a' }, 1000)).group).toBeNull();
  });

  test('has commented lines that are right too', async () => {
    const text = initConfig(await lookAtMachine({}, 0));
    const uncommented = text.replace(/^# {2}(- name| {2})/gm, '  $1').replace(/^( *)# (requests|admin): /gm, '$1$2: ');
    expect(uncommented).not.toBe(text);
    const parsed = parseConfig(uncommented, 'berthgate.yaml');
    if ('faults' in parsed) throw new Error(parsed.faults.join('\n'));
    expect(parsed.config.listeners.map(({ name }) => name)).toEqual(['people', 'tls']);
    expect(refusals(parsed, implemented)).toEqual([]);
    expect(parsed.config.admin.metrics).toEqual({ kind: 'tcp', host: '127.0.0.1', port: 9350 });
  });

  test('names the engine that it found, and where', async () => {
    const found = await lookAtMachine({ DOCKER_HOST: 'tcp://h:2375' }, 0);
    expect(initConfig(found)).toContain('(from DOCKER_HOST).\nengines:\n  - name: local\n    url: "tcp://h:2375"\n');
  });

  test('finds the socket of an engine without root', async () => {
    const socket = join(folder, 'docker.sock');
    const server = createServer();
    await new Promise<void>((done) => server.listen(socket, done));
    try {
      const { engine } = await lookAtMachine({ XDG_RUNTIME_DIR: folder }, 1000);
      // A machine with an engine for all has that one named first.
      expect([`unix://${socket}`, 'unix:///var/run/docker.sock', 'unix:///run/docker.sock']).toContain(engine.url);
    } finally {
      await new Promise((done) => server.close(done));
    }
  });
});

describe('loading a file', () => {
  test('gives the configuration, with files counted from its folder', async () => {
    const file = join(folder, 'b.yaml');
    await writeFile(
      file,
      'state: state\nengines: [{name: e, url: "unix:///e"}]\nlisteners: [{name: l, url: "unix:///l"}]\n',
    );
    const loaded = await loadConfig(file);
    expect(loaded.config.state).toBe(join(folder, 'state'));
    expect(loaded.file).toBe(file);
  });

  test('refuses with every fault, a line each', async () => {
    const file = join(folder, 'b.yaml');
    await writeFile(file, 'a: 1\nb: 2\n');
    expect((await refusalOf(loadConfig(file))).split('\n')).toEqual([
      `${file}:1:1: engines: is missing`,
      `${file}:1:1: listeners: is missing`,
      `${file}:1:1: a: unknown key \`a\``,
      `${file}:2:1: b: unknown key \`b\``,
    ]);
  });

  test('refuses what cannot be read, is no UTF-8 or too large', async () => {
    const file = join(folder, 'b.yaml');
    expect(await refusalOf(loadConfig(file))).toMatch(/b\.yaml:1:1: cannot be read: ENOENT/);
    await writeFile(file, Buffer.from([0x61, 0x3a, 0x20, 0xff]));
    expect(await refusalOf(loadConfig(file))).toMatch(/the file is not UTF-8$/);
    await writeFile(file, Buffer.alloc(2 ** 20 + 1, 0x20));
    expect(await refusalOf(loadConfig(file))).toMatch(/larger than 1MiB$/);
    expect(await refusalOf(loadConfig('/dev/zero'))).toMatch(/larger than 1MiB$/);
  });
});
