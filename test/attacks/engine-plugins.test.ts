// RED-TEAM 37: drivers of volumes and logs that are plugins. An engine asks a plugin for its volumes until the engine ends,
// for many seconds each time once the plugin is gone: these engines are the tests' own.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type InProcess, serveInFrontOf } from '../engine/in-process.ts';
import { describeEachEngine, startEngine, type TestEngine } from '../engines/index.ts';
import { refusalOf } from './guarded.ts';
import { type Asking, asking } from './namespaced.ts';

type Body = Readonly<Record<string, unknown>>;

interface Plugin {
  readonly name: string;
  /** What it was asked. */
  readonly heard: readonly string[];
  end(): Promise<void>;
}

/** A volume and log driver as a third party would have it, known to the engine by a file in its own /etc. */
async function startPlugin(engine: TestEngine, mountpoint: string): Promise<Plugin> {
  const heard: string[] = [];
  const server = http.createServer((request, response) => {
    heard.push(request.url ?? '');
    request.resume();
    const said: Readonly<Record<string, unknown>> = {
      '/Plugin.Activate': { Implements: ['VolumeDriver', 'LogDriver'] },
      '/VolumeDriver.Mount': { Mountpoint: mountpoint },
      '/VolumeDriver.Path': { Mountpoint: mountpoint },
      '/VolumeDriver.Get': { Volume: { Name: 'any', Mountpoint: mountpoint } },
      '/VolumeDriver.List': { Volumes: [] },
      '/VolumeDriver.Capabilities': { Capabilities: { Scope: 'local' } },
    };
    response.setHeader('Content-Type', 'application/vnd.docker.plugins.v1+json');
    response.end(JSON.stringify(said[request.url ?? ''] ?? {}));
  });
  const name = `plug-${randomBytes(3).toString('hex')}`;
  const socket = join(mountpoint, 'plugin.sock');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const pid = readFileSync(join(dirname(engine.socket), 'docker.pid'), 'utf8').trim();
  const specs = `/proc/${pid}/root/etc/docker/plugins`;
  await mkdir(specs, { recursive: true });
  await writeFile(join(specs, `${name}.spec`), `unix://${socket}`);
  return {
    name,
    heard,
    async end() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describeEachEngine(
  'conservative',
  (shared: TestEngine) => {
    let engine: TestEngine | undefined;
    let plugin: Plugin;
    let folder = '';
    let berthgate: InProcess | undefined;
    let directly: Asking;
    let guarded: Asking;

    beforeAll(async () => {
      engine = await startEngine(`${shared.name}-plugins-apart`);
      folder = await mkdtemp(join(tmpdir(), 'berthgate-plugin-'));
      await chmod(folder, 0o755);
      await writeFile(join(folder, 'secret'), 'of the host');
      plugin = await startPlugin(engine, folder);
      berthgate = await serveInFrontOf(engine.host, { policies: ['conservative'] });
      [directly, guarded] = [asking(engine.socket), asking(berthgate.socket)];
    });
    afterAll(async () => {
      await berthgate?.stop();
      await engine?.control?.stop();
      await plugin?.end();
      await rm(folder, { recursive: true, force: true });
    });

    const refuse = async (path: string, body: Body): Promise<void> => {
      const [status, code, message] = refusalOf(await guarded('POST', path, body));
      expect([status, code], message).toEqual([403, 'refused']);
    };

    test('37: a volume of a plugin is a folder of the host, and a log driver hears what containers say', async () => {
      const { name, heard } = plugin;
      const Cmd = ['cat', '/m/secret'];
      const VolumeOptions = { DriverConfig: { Name: name } };
      const Mounts = [{ Type: 'volume', Source: 'v3', Target: '/m', VolumeOptions }];
      const tricks: readonly (readonly [string, Body])[] = [
        ['/volumes/create', { Name: 'v1', Driver: name }],
        [
          '/containers/create?name=driver',
          { Image: 'busybox', Cmd, HostConfig: { VolumeDriver: name, Binds: ['v2:/m'] } },
        ],
        ['/containers/create?name=mount', { Image: 'busybox', Cmd, HostConfig: { Mounts } }],
        ['/containers/create?name=log', { Image: 'busybox', Cmd: ['true'], HostConfig: { LogConfig: { Type: name } } }],
      ];
      for (const [path, body] of tricks) await refuse(path, body);
      expect(heard).toEqual([]);

      for (const [path, body] of tricks) {
        const answer = await directly('POST', path, body);
        expect(answer.status, answer.text).toBe(201);
      }
      expect(heard).toContain('/Plugin.Activate');
      const entered = { Image: 'busybox', Cmd, Tty: true, HostConfig: { Binds: ['v1:/m'] } };
      expect((await directly('POST', '/containers/create?name=reader', entered)).status).toBe(201);
      expect((await directly('POST', '/containers/reader/start')).status).toBe(204);
      await directly('POST', '/containers/reader/wait');
      expect((await directly('GET', '/containers/reader/logs?stdout=1')).text).toContain('of the host');
      // A volume that a plugin has made is not entered by its name either.
      await refuse('/containers/create?name=refused', entered);

      // An engine that comes up looks for the plugins of the volumes that it had.
      for (const one of ['driver', 'mount', 'log', 'reader']) {
        expect((await directly('DELETE', `/containers/${one}?force=1`)).status, one).toBe(204);
      }
      for (const one of ['v1', 'v2', 'v3']) expect((await directly('DELETE', `/volumes/${one}`)).status, one).toBe(204);
    });
  },
  ({ name, control }) => control !== undefined && ['20.10', '28.5'].includes(name),
);
