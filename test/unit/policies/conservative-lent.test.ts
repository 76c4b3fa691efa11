import { describe, expect, test } from 'vitest';
import { conservativeKind } from '../../../src/rules/policies/conservative/conservative.ts';
import { host, judged, made, refused } from './conservatively.ts';
import { contextOf, create, judgeBy, type Known, refusalBy, type Said } from './judging.ts';

const id = (letter: string): string => letter.repeat(64);

describe('what was made elsewhere', () => {
  const privileged = { Id: id('a'), HostConfig: { Privileged: true }, Mounts: [] };
  const mounting = {
    Id: id('b'),
    HostConfig: {},
    Mounts: [{ Type: 'bind', Source: '/etc', Destination: '/x', RW: true }],
  };
  const plain = { Id: id('c'), HostConfig: { Runtime: 'runc', NetworkMode: 'bridge', MaskedPaths: null }, Mounts: [] };
  const joining = { Id: id('d'), HostConfig: { NetworkMode: `container:${id('a')}` }, Mounts: [] };
  const known: Known = {
    'ContainerInspect root': privileged,
    [`ContainerInspect ${id('a')}`]: privileged,
    'ContainerInspect etc': mounting,
    'ContainerInspect plain': plain,
    'ContainerInspect joins': joining,
    'ExecInspect e1': { ID: 'e1', ContainerID: 'plain', ProcessConfig: { privileged: true } },
    'ExecInspect e2': { ID: 'e2', ContainerID: 'root', ProcessConfig: { privileged: false } },
    'ExecInspect e3': { ID: 'e3', ContainerID: 'plain', ProcessConfig: { privileged: false } },
    'VolumeInspect host': { Name: 'host', Driver: 'local', Options: { type: 'none', o: 'bind', device: '/' } },
    'VolumeInspect data': { Name: 'data', Driver: 'local', Options: null },
    'VolumeInspect nfs': { Name: 'nfs', Driver: 'nfs', Options: {} },
    'NetworkInspect lan': { Id: id('1'), Name: 'lan', Driver: 'macvlan', Options: { parent: 'eth0' } },
    'NetworkInspect host': { Id: id('2'), Name: 'host', Driver: 'host', Options: {} },
    [`NetworkInspect ${id('2')}`]: { Id: id('2'), Name: 'host', Driver: 'host', Options: {} },
    'NetworkInspect own': { Id: id('3'), Name: 'own', Driver: 'bridge', Options: {} },
  };
  const exec = (name: string): Said => ({ path: `/containers/${name}/exec`, body: { Cmd: ['id'] } });

  test.each([
    ['entered', exec('root')],
    ['started', { path: '/containers/root/start' }],
    ['restarted', { path: '/containers/root/restart' }],
    ['attached to', { path: '/containers/root/attach?stream=1' }],
    ['attached to by websocket', { method: 'GET', path: '/containers/root/attach/ws' }],
    ['written into', { method: 'PUT', path: '/containers/root/archive?path=/' }],
    ['read from', { method: 'GET', path: '/containers/root/archive?path=/' }],
    ['committed', { path: '/commit?container=root' }],
    ['joined by its processes', host({ PidMode: 'container:root' })],
    ['joined by its network', host({ NetworkMode: 'container:root' })],
    ['linked to', host({ Links: ['root:db'] })],
    ['taken volumes from', host({ VolumesFrom: ['root:ro'] })],
  ] as readonly (readonly [string, Said])[])('is not %s where it has more rights', async (_, said) => {
    expect(await refused(said, {}, known)).toMatchObject({
      status: 403,
      rule: 'lent-root',
      message: 'must not use a container that was made with HostConfig.Privileged',
    });
  });

  test('counts with what it joins, and with what is mounted in it', async () => {
    expect(await refused(exec('joins'), {}, known)).toMatchObject({ rule: 'lent-root' });
    expect(await refused(exec('etc'), {}, known)).toMatchObject({ rule: 'lent-host-path' });
    await judged(exec('etc'), { allow: { binds: ['/etc'] } }, known);
    expect(await refused(exec('etc'), { allow: { binds: ['/etc:ro'] } }, known)).toMatchObject({
      rule: 'lent-host-path',
    });
  });

  test('is a command that was prepared with more rights, or in a container that has them', async () => {
    expect(await refused({ path: '/exec/e1/start', body: {} }, {}, known)).toMatchObject({ rule: 'lent-root' });
    expect(await refused({ path: '/exec/e2/start', body: {} }, {}, known)).toMatchObject({ rule: 'lent-root' });
    await judged({ path: '/exec/e3/start', body: {} }, {}, known);
  });

  test('is a volume that is a folder of the host, or of another driver', async () => {
    for (const volume of ['host', 'nfs']) {
      expect(await refused(host({ Binds: [`${volume}:/x`] }), {}, known)).toMatchObject({ rule: 'lent-driver' });
      await refused(host({ Mounts: [{ Type: 'volume', Source: volume, Target: '/x' }] }), {}, known);
    }
    await judged(host({ Binds: ['data:/x', 'not-there-yet:/y'] }), {}, known);
  });

  test("is a network of the host's own links, by whatever it is called", async () => {
    const ways: readonly Said[] = [
      host({ NetworkMode: 'lan' }),
      host({ NetworkMode: id('2') }),
      made({ NetworkingConfig: { EndpointsConfig: { host: {} } } }),
      made({ NetworkingConfig: { EndpointsConfig: { own: { NetworkID: 'lan' } } } }),
      { path: '/networks/lan/connect', body: { Container: 'plain' } },
      { path: '/networks/create', body: { Name: 'n', ConfigFrom: { Network: 'lan' } } },
    ];
    for (const said of ways) expect(await refused(said, {}, known)).toMatchObject({ rule: 'lent-driver' });
    await judged(host({ NetworkMode: 'own' }), {}, known);
    for (const mode of ['bridge', 'default', 'none', '']) await judged(host({ NetworkMode: mode }), {}, known);
  });

  test('is named by its full id from then on, so that nothing else can take its name', async () => {
    expect((await judged(exec('plain'), {}, known)).call.parameters).toEqual({ id: id('c') });
    const { body, changes } = await judged(host({ PidMode: 'container:plain', VolumesFrom: ['plain:ro'] }), {}, known);
    expect(body.HostConfig).toEqual({ PidMode: `container:${id('c')}`, VolumesFrom: [`${id('c')}:ro`] });
    expect(changes).toMatchObject([{ from: 'plain:ro', given: ['HostConfig', 'VolumesFrom', 0] }]);
  });

  test('is looked at once', async () => {
    const policy = create(conservativeKind);
    const context = contextOf({ ...known, [`ContainerInspect ${id('c')}`]: plain });
    for (let i = 0; i < 3; i++) await judgeBy(policy, exec(id('c')), context);
    expect(context.asked.filter((name) => name.startsWith('ContainerInspect'))).toHaveLength(1);
  });

  test("is told to be missing in the engine's own words", async () => {
    expect(await refused(exec('nobody'))).toMatchObject({ status: 404, message: 'No such container: nobody' });
    expect(await refused({ path: '/exec/x/start', body: {} })).toMatchObject({
      status: 404,
      message: 'No such exec instance: x',
    });
    expect(await refused(host({ NetworkMode: 'nowhere' }))).toMatchObject({
      status: 400,
      message: 'network nowhere not found',
    });
  });

  test('is refused where the engine does not say what it is', async () => {
    const silent = { lookUp: () => Promise.reject(new Error('no answer')) };
    const refusal = await refusalBy(create(conservativeKind), exec('plain'), silent);
    expect(refusal).toMatchObject({ status: 403, rule: 'failed' });
  });
});
