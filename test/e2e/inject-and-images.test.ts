// What a site says for its users, and which images they may use, in front of real engines.
import { afterEach, expect, test } from 'vitest';
import { askEngine, describeEachEngine, docker, dockerCli } from '../engines/index.ts';
import { judged, removeAllOf } from './asking.ts';

const sleeper = { Image: 'busybox', Cmd: ['sleep', '600'] };
const create = '/containers/create';

describeEachEngine('inject and images', (engine) => {
  const user = `lim-inject-${process.pid}-${engine.name}`;
  /** So that what was made is found again. */
  const counted = { use: 'limits', total: { containers: 100, networks: 100, volumes: 100 } };

  afterEach(() => removeAllOf(engine, user));

  test('what is forced holds for containers, volumes, networks and commands, whatever the client says', async () => {
    const network = `${user}-net`;
    const { ask, open } = await judged(engine.host, user, counted, {
      use: 'inject',
      force: {
        labels: { 'org.example.site': 'main' },
        env: { SITE: 'main' },
        extraHosts: { cache: '10.0.0.9' },
        dns: ['10.0.0.53'],
        network,
        log: { driver: 'local', options: { 'max-size': '1m' } },
        securityOptions: ['no-new-privileges'],
        user: '1234:1234',
      },
    });
    const subnet = { IPAM: { Config: [{ Subnet: `${engine.subnetPrefix}.79.0/24` }] } };
    expect((await ask('POST', '/networks/create', { Name: network, ...subnet })).status).toBe(201);
    const made = await ask('POST', create, {
      ...sleeper,
      User: 'root',
      Env: ['SITE=mine', 'A=1'],
      Labels: { 'org.example.site': 'mine' },
      HostConfig: { NetworkMode: 'default', SecurityOpt: ['no-new-privileges=false'] },
      NetworkingConfig: { EndpointsConfig: { default: {} } },
    });
    expect([made.status, made.message]).toEqual([201, expect.any(String)]);
    const id = made.json.Id as string;
    expect((await ask('POST', `/containers/${id}/start`)).status).toBe(204);
    const told = JSON.parse((await askEngine(engine.host, 'GET', `/containers/${id}/json`)).text);
    expect(told.Config).toMatchObject({ User: '1234:1234', Labels: { 'org.example.site': 'main' } });
    expect(told.Config.Env).toEqual(expect.arrayContaining(['A=1', 'SITE=main']));
    expect(told.HostConfig).toMatchObject({
      ExtraHosts: ['cache:10.0.0.9'],
      Dns: ['10.0.0.53'],
      NetworkMode: network,
      LogConfig: { Type: 'local', Config: { 'max-size': '1m' } },
      SecurityOpt: ['no-new-privileges'],
    });
    expect(Object.keys(told.NetworkSettings.Networks)).toEqual([network]);
    expect(await docker(engine, ['exec', id, 'sh', '-c', 'id -u; grep cache /etc/hosts'])).toMatch(
      /^1234\n10\.0\.0\.9\s+cache$/,
    );

    const exec = await ask('POST', `/containers/${id}/exec`, {
      Cmd: ['sleep', '60'],
      User: 'root',
      Env: ['SITE=mine'],
    });
    const started = await open('POST', `/exec/${exec.json.Id}/start`);
    started.close();
    const { text } = await askEngine(engine.host, 'GET', `/exec/${exec.json.Id}/json`);
    expect(JSON.parse(text).ProcessConfig.user).toBe('1234:1234');

    const volume = await ask('POST', '/volumes/create', {});
    expect(volume.json.Labels).toMatchObject({ 'org.example.site': 'main' });
  });

  test('an image is judged by the name that the engine has for it', async () => {
    const { ask } = await judged(engine.host, user, counted, { use: 'images', run: { allow: ['busybox'] } });
    const id = await docker(engine, ['image', 'inspect', 'busybox', '--format', '{{.Id}}']);
    const other = `${user}-other`;
    // Another image under a name that is not allowed.
    const container = await docker(engine, ['create', 'busybox', 'true']);
    const otherId = await docker(engine, ['commit', '--message', user, container, other]);
    await docker(engine, ['rm', container]);
    try {
      for (const Image of ['busybox', 'docker.io/library/busybox:latest', id, id.slice('sha256:'.length, 20)]) {
        expect((await ask('POST', create, { ...sleeper, Image })).status, Image).toBe(201);
      }
      for (const Image of [other, otherId, otherId.slice('sha256:'.length, 22), 'a'.repeat(64)]) {
        expect(await ask('POST', create, { ...sleeper, Image }), Image).toMatchObject({ status: 403, code: 'refused' });
      }
    } finally {
      await dockerCli(engine, ['rmi', '-f', other]);
    }
  });

  test('a policy that is only tried lets everything pass, and says what it would have refused', async () => {
    const tried = { use: 'images', run: { deny: ['busybox'] }, mode: 'warn' };
    const { ask, log } = await judged(engine.host, user, counted, tried);
    expect((await ask('POST', create, sleeper)).status).toBe(201);
    expect(log().filter(({ msg }) => msg === 'would refuse')).toMatchObject([{ policy: 'images', rule: 'run', user }]);
  });
});
