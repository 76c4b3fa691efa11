// RED-TEAM 32 to 37: ways to the files of the host. Each is first taken on the engine itself.
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WholeAnswer } from '../engine/raw-client.ts';
import { describeGuarded, type Guarded, refusalOf } from './guarded.ts';

type Body = Readonly<Record<string, unknown>>;

const folder = await mkdtemp(join(tmpdir(), 'berthgate-attack-'));
const secret = `secret-${process.pid}`;

beforeAll(async () => {
  await writeFile(join(folder, 'secret'), secret);
  await mkdir(join(folder, 'open'));
  await mkdir(join(folder, 'shut'));
  await writeFile(join(folder, 'shut/secret'), secret);
  await symlink('../shut', join(folder, 'open/link'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function run({ directly, version }: Guarded, make: (body: Body) => Promise<string>, body: Body): Promise<string> {
  const id = await make({ Tty: true, Cmd: ['cat', '/m/secret'], ...body });
  const started = await directly('POST', `${version}/containers/${id}/start`);
  if (started.status !== 204) return started.text;
  await directly('POST', `${version}/containers/${id}/wait`);
  return (await directly('GET', `${version}/containers/${id}/logs?stdout=1&stderr=1`)).text;
}

describeGuarded('conservative', ['conservative'], (guarded) => {
  const { version, directly, own, make, makeGuarded } = guarded;
  const engineHasClusterVolumes = Number(guarded.engine.apiVersion.split('.')[1]) >= 42;
  const create = (name: string): string => `${version}/containers/create?name=${own(name)}`;
  const refuse = async (body: Body, path = create('refused')): Promise<string> => {
    const [status, code, message] = refusalOf(await guarded.guarded('POST', path, body));
    expect([status, code], message).toEqual([403, 'refused']);
    expect((await directly('GET', `${version}/containers/${own('refused')}/json`)).status).toBe(404);
    return message;
  };
  const inBusybox = (HostConfig: Body): Body => ({ Image: 'busybox', HostConfig });
  const spellings = [
    `${folder}:/m`,
    `${folder}:/m:ro`,
    `/${folder}:/m`,
    `${folder}/:/m`,
    `${folder}/./open/..:/m`,
    `/tmp/..${folder}:/m`,
    `${folder}:/m:rw,rslave`,
  ];

  test.each(spellings)('32: a folder of the host as %s', async (bind) => {
    expect(await run(guarded, make, { HostConfig: { Binds: [bind] } })).toContain(secret);
    expect(await refuse(inBusybox({ Binds: [bind] }))).toContain('HostConfig.Binds[0]');
  });

  test('32: a folder of the host as a mount', async () => {
    const mount = { Type: 'bind', Source: folder, Target: '/m' };
    expect(await run(guarded, make, { HostConfig: { Mounts: [mount] } })).toContain(secret);
    const ways = [mount, { ...mount, ReadOnly: true }, { ...mount, BindOptions: { Propagation: 'rshared' } }];
    for (const way of ways) expect(await refuse(inBusybox({ Mounts: [way] }))).toContain('HostConfig.Mounts[0].Source');
    for (const Type of ['npipe', 'cluster', 'BIND', 'nfs', '']) {
      await refuse(inBusybox({ Mounts: [{ Type, Source: folder, Target: '/m' }] }));
    }
  });

  test('32: a tmpfs with set-uid programs and devices', async () => {
    const mounts = ['exec,suid,dev', 'dev', 'suid', 'rw,suid'];
    for (const [index, options] of mounts.entries()) {
      const Tmpfs = { '/m': options };
      expect((await directly('POST', create(`tmpfs-${index}`), inBusybox({ Tmpfs }))).status).toBe(201);
      await refuse(inBusybox({ Tmpfs }));
    }
    await makeGuarded({ HostConfig: { Tmpfs: { '/m': 'rw,noexec,size=1m,mode=1777' } } });
  });

  const options: readonly (readonly [string, Body])[] = [
    ['a folder', { type: 'none', o: 'bind', device: folder }],
    ['an overlay of one', { type: 'overlay', o: `lowerdir=${folder}:/usr`, device: 'overlay' }],
  ];

  test.each(options)('33: a volume that is %s', async (what, DriverOpts) => {
    const name = own(`volume-${what.length}`);
    const made = await directly('POST', `${version}/volumes/create`, { Name: name, DriverOpts });
    expect(made.status, made.text).toBe(201);
    // An engine that lives in a tree of its own may not be given overlays of the host.
    if (what === 'a folder')
      expect(await run(guarded, make, { HostConfig: { Binds: [`${name}:/m`] } })).toContain(secret);
    const other = own('refused');
    await refuse({ Name: other, DriverOpts }, `${version}/volumes/create`);
    expect((await directly('GET', `${version}/volumes/${other}`)).status).toBe(404);
    const mount = {
      Type: 'volume',
      Source: other,
      Target: '/m',
      VolumeOptions: { DriverConfig: { Name: 'local', Options: DriverOpts } },
    };
    if (what === 'a folder') {
      const inline = { ...mount, Source: own('inline') };
      expect(await run(guarded, make, { HostConfig: { Mounts: [inline] } })).toContain(secret);
    }
    expect(await refuse(inBusybox({ Mounts: [mount] }))).toContain('DriverConfig.Options');
    expect((await directly('GET', `${version}/volumes/${other}`)).status).toBe(404);
  });

  test.each([
    { type: 'ext4', device: '/dev/sda1' },
    { type: 'nfs', o: 'addr=10.0.0.1', device: ':/x' },
    { type: 'cifs', device: '//10.0.0.1/x' },
    { o: 'uid=0' },
  ])('33: a volume with the options %j', async (DriverOpts) => {
    await refuse({ Name: own('refused'), DriverOpts }, `${version}/volumes/create`);
  });

  test('34: a volume that was made elsewhere', async () => {
    const name = own('elsewhere');
    await directly('POST', `${version}/volumes/create`, {
      Name: name,
      DriverOpts: { type: 'none', o: 'bind', device: folder },
    });
    expect(await run(guarded, make, { HostConfig: { Binds: [`${name}:/m`] } })).toContain(secret);
    const ways = [
      { Binds: [`${name}:/m`] },
      { Binds: [`${name}:/m:ro`] },
      { Mounts: [{ Type: 'volume', Source: name, Target: '/m' }] },
      { Mounts: [{ Type: 'volume', Source: name, Target: '/m', VolumeOptions: { DriverConfig: { Name: 'local' } } }] },
    ];
    for (const way of ways)
      expect(await refuse(inBusybox(way))).toContain('must not use a volume that was made with DriverOpts');
    // Asking for it again answers with what is there: that it was asked for plainly changes nothing.
    expect((await guarded.guarded('POST', `${version}/volumes/create`, { Name: name })).status).toBe(201);
    for (const way of ways) await refuse(inBusybox(way));
  });

  test('34: a container that was made elsewhere has such a volume', async () => {
    const name = own('lent');
    await directly('POST', `${version}/volumes/create`, {
      Name: name,
      DriverOpts: { type: 'none', o: 'bind', device: folder },
    });
    const id = await make({ Cmd: ['sleep', '600'], HostConfig: { Binds: [`${name}:/m`] } }, true);
    expect((await directly('GET', `${version}/containers/${id}/archive?path=/m/secret`)).text).toContain(secret);
    expect((await guarded.guarded('GET', `${version}/containers/${id}/archive?path=/m/secret`)).status).toBe(403);
    await refuse({ Cmd: ['cat', '/m/secret'] }, `${version}/containers/${id}/exec`);
    await refuse(inBusybox({ VolumesFrom: [id] }));
  });

  test('34: a volume of its own, made here or by being named, is for everybody', async () => {
    const name = own('plain');
    await guarded.guarded('POST', `${version}/volumes/create`, { Name: name, Labels: { a: 'b' } });
    const id = await makeGuarded(
      { Cmd: ['sleep', '600'], HostConfig: { Binds: [`${name}:/m`, `${own('new')}:/n`] } },
      true,
    );
    expect((await guarded.guarded('POST', `${version}/containers/${id}/exec`, { Cmd: ['true'] })).status).toBe(201);
  });

  test.each([
    '/var/run/docker.sock',
    '/run/docker.sock',
    '/run',
    '/var/run',
    '/',
    '/proc/1/root',
    '/proc',
    '/run/containerd/containerd.sock',
  ])('36: the socket of the engine by %s', async (path) => {
    await refuse(inBusybox({ Binds: [`${path}:/x`] }));
    await refuse(inBusybox({ Mounts: [{ Type: 'bind', Source: path, Target: '/x' }] }));
  });

  test.each([{}, { Group: 'x' }])('43: a volume of the swarm, asked for by %j', async (ClusterVolumeSpec) => {
    const body = { Name: own('refused'), ClusterVolumeSpec };
    // The swarm itself answers, where there is one.
    if (engineHasClusterVolumes) {
      const answer = await directly('POST', `${version}/volumes/create`, body);
      expect([answer.status, answer.text]).toEqual([503, expect.stringContaining('not a swarm manager')]);
    }
    expect(await refuse(body, `${version}/volumes/create`)).toContain('ClusterVolumeSpec');
  });

  test('37: drivers that are plugins', async () => {
    await refuse({ Name: own('refused'), Driver: 'rexray/ebs' }, `${version}/volumes/create`);
    await refuse(inBusybox({ VolumeDriver: 'rexray/ebs', Binds: [`${own('x')}:/x`] }));
    await refuse(inBusybox({ LogConfig: { Type: 'grafana/loki' } }));
    await refuse({ Name: own('refused'), Driver: 'weave' }, `${version}/networks/create`);
    await refuse({ Name: own('refused'), IPAM: { Driver: 'weave' } }, `${version}/networks/create`);
  });
});

describeGuarded(
  'a folder that the administrator has opened',
  [{ use: 'conservative', allow: { binds: [join(folder, 'open'), `${join(folder, 'shut')}:ro`] } }],
  (guarded) => {
    const { version, make, makeGuarded, own, directly } = guarded;
    const reads = (source: string, words = ''): Body => ({
      Cmd: ['cat', '/m/secret'],
      HostConfig: { Binds: [`${source}:/m${words}`] },
    });

    test('35: does not open what a link in it leads to, nor what is beside it', async () => {
      const link = join(folder, 'open/link');
      expect(await run(guarded, make, reads(link))).toContain(secret);
      for (const source of [link, `${folder}/open/../shut`, folder, `${folder}/open2`]) {
        await expect(makeGuarded(reads(source)), source).rejects.toThrow('refused by policy conservative');
      }
      const inside = await run(guarded, makeGuarded, {
        Cmd: ['cat', '/m/link/secret'],
        HostConfig: { Binds: [`${folder}/open:/m`] },
      });
      expect(inside).not.toContain(secret);
    });

    test('35: is mounted read-only where that is said, and shown as it was asked for', async () => {
      const id = await makeGuarded({ Cmd: ['touch', '/m/new'], HostConfig: { Binds: [`${folder}/shut:/m`] } });
      const inspected = async (ask: Guarded['directly']) =>
        (await ask('GET', `${version}/containers/${id}/json`)).json<{ HostConfig: { Binds: readonly string[] } }>()
          .HostConfig.Binds;
      expect(await inspected(directly)).toEqual([`${folder}/shut:/m:ro`]);
      expect(await inspected(guarded.guarded)).toEqual([`${folder}/shut:/m`]);
      await directly('POST', `${version}/containers/${id}/start`);
      const ended: WholeAnswer = await directly('POST', `${version}/containers/${id}/wait`);
      expect(ended.json<{ StatusCode: number }>().StatusCode).toBe(1);
      expect(await run(guarded, makeGuarded, reads(`${folder}/shut`, ':ro'))).toContain(secret);
    });

    test('35: is not relabelled, and does not spread its mounts', async () => {
      for (const words of [':z', ':Z', ':rshared', ':shared', ':rslave']) {
        const answer = await guarded.guarded('POST', `${version}/containers/create?name=${own('spread')}`, {
          Image: 'busybox',
          ...reads(join(folder, 'open'), words),
        });
        expect(answer.status, words).toBe(403);
      }
    });
  },
);
