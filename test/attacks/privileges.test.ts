// RED-TEAM 22 to 31: what gives a container more than containers have. Each is first made on the engine itself.
import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { ask } from '../engine/raw-client.ts';
import { describeGuarded, type Guarded, refusalOf } from './guarded.ts';

type Body = Readonly<Record<string, unknown>>;
type Inspected = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface Trick {
  readonly name: string;
  readonly body: Body;
  /** Of HostConfig, as the engine shows it: what shows that it was taken. Absent: that it was made is enough. */
  readonly taken?: Body;
  /** Where Berthgate says that it is. */
  readonly place: string;
  /** Engines from this API version on, or up to it, take it. */
  readonly from?: number;
  readonly until?: number;
}

const host = (fields: Body): Body => ({ HostConfig: fields });

/** The same said in HostConfig, and whatever shows that the engine has it. */
function trick(name: string, fields: Body, place: string, more: Partial<Trick> = {}): Trick {
  return { name, body: host(fields), taken: fields, place: `HostConfig.${place}`, ...more };
}

const tricks: readonly Trick[] = [
  trick('22: Privileged', { Privileged: true }, 'Privileged'),
  trick('22: a capability', { CapAdd: ['SYS_ADMIN'] }, 'CapAdd[0]', { taken: {} }),
  trick('22: a capability with its prefix, in lower case', { CapAdd: ['cap_sys_module'] }, 'CapAdd[0]', { taken: {} }),
  trick('22: all capabilities', { CapAdd: ['all'] }, 'CapAdd[0]', { taken: {} }),
  trick(
    '22: a device',
    { Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/x', CgroupPermissions: 'rwm' }] },
    'Devices',
  ),
  trick('22: devices by rule', { DeviceCgroupRules: ['a *:* rwm'] }, 'DeviceCgroupRules'),
  trick(
    '22: devices by request',
    { DeviceRequests: [{ Driver: 'cdi', DeviceIDs: ['vendor.com/x=y'] }] },
    'DeviceRequests',
    { taken: {} },
  ),
  trick("23: the host's network", { NetworkMode: 'host' }, 'NetworkMode'),
  trick("23: the host's processes", { PidMode: 'host' }, 'PidMode'),
  trick("23: the host's IPC", { IpcMode: 'host' }, 'IpcMode'),
  trick("23: the host's name", { UTSMode: 'host' }, 'UTSMode'),
  trick("23: the host's users", { UsernsMode: 'host' }, 'UsernsMode'),
  trick("23: the host's cgroups", { CgroupnsMode: 'host' }, 'CgroupnsMode'),
  ...[
    'seccomp:unconfined',
    'seccomp=unconfined',
    'apparmor=unconfined',
    'label:disable',
    'label=type:spc_t',
    'no-new-privileges=false',
  ].map((option) => trick(`24: the security option ${option}`, { SecurityOpt: [option] }, 'SecurityOpt[0]')),
  trick('24: nothing masked', { MaskedPaths: [] }, 'MaskedPaths'),
  trick('24: something else masked', { MaskedPaths: ['/x'] }, 'MaskedPaths'),
  trick('24: nothing read-only', { ReadonlyPaths: [] }, 'ReadonlyPaths'),
  trick('25: a parameter of the kernel', { Sysctls: { 'net.ipv4.ip_forward': '1' } }, 'Sysctls["net.ipv4.ip_forward"]'),
  {
    name: '25: the same in the options of an endpoint',
    body: {
      NetworkingConfig: {
        EndpointsConfig: {
          bridge: { DriverOpts: { 'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.log_martians=1' } },
        },
      },
    },
    place: 'NetworkingConfig.EndpointsConfig.bridge.DriverOpts["com.docker.network.endpoint.sysctls"]',
  },
  trick('26: another runtime', { Runtime: 'io.containerd.runc.v2' }, 'Runtime'),
  trick(
    '26: words to the runtime',
    { Annotations: { 'run.oci.hooks.stderr': '/x' } },
    'Annotations["run.oci.hooks.stderr"]',
    { from: 43 },
  ),
  trick(
    '27: a log driver that speaks from the host',
    { LogConfig: { Type: 'syslog', Config: { 'syslog-address': 'udp://127.0.0.1:9' } } },
    'LogConfig.Type',
  ),
  trick(
    '27: another one',
    { LogConfig: { Type: 'gelf', Config: { 'gelf-address': 'udp://127.0.0.1:9' } } },
    'LogConfig.Type',
  ),
  trick('28: another cgroup', { CgroupParent: '/system.slice' }, 'CgroupParent'),
  trick('28: others are killed first', { OomScoreAdj: -1000 }, 'OomScoreAdj'),
  trick('28: is never killed', { OomKillDisable: true }, 'OomKillDisable', { taken: {} }),
  trick('28: an option of the storage', { StorageOpt: { 'dm.basesize': '1G' } }, 'StorageOpt["dm.basesize"]', {
    taken: {},
    until: 0,
  }),
  trick('31: a set-uid tmpfs', { Tmpfs: { '/t': 'exec,suid,dev' } }, 'Tmpfs["/t"]'),
  {
    name: '22: Privileged beside the host configuration, where old engines look for it',
    body: { Privileged: true },
    taken: { Privileged: true },
    place: 'Privileged',
    until: 45,
  },
  {
    name: '24: a hardware address of its choice',
    body: { MacAddress: '02:42:ac:11:00:99' },
    place: 'MacAddress',
    until: 51,
  },
];

const minor = ({ engine }: Guarded): number => Number(engine.apiVersion.split('.')[1]);

describeGuarded('conservative', ['conservative'], (guarded) => {
  const { version, directly, own, make, makeGuarded } = guarded;
  const inspect = async (id: string): Promise<Inspected> =>
    (await directly('GET', `${version}/containers/${id}/json`)).json();
  const fitting = tricks.filter(({ from = 0, until = 99 }) => minor(guarded) >= from && minor(guarded) <= until);

  test.each(fitting.map((one) => [one.name, one] as const))('%s', async (_, { body, taken = {}, place }) => {
    const create = (name: string) => `${version}/containers/create?name=${own(name)}`;
    const made = await directly('POST', create(`direct-${place.length}-${Math.abs(hash(JSON.stringify(body)))}`), {
      Image: 'busybox',
      ...body,
    });
    expect(made.status, made.text).toBe(201);
    expect((await inspect(made.json<{ Id: string }>().Id)).HostConfig).toMatchObject(taken);
    const refused = refusalOf(await guarded.guarded('POST', create('refused'), { Image: 'busybox', ...body }));
    expect(refused.slice(0, 2)).toEqual([403, 'refused']);
    expect(refused[2]).toContain(`refused by policy conservative: ${place} `);
    expect((await directly('GET', `${version}/containers/${own('refused')}/json`)).status).toBe(404);
  });

  test('22 to 24: what is seen with the namespaces of the host is not seen without', async () => {
    const seen = async (body: Body): Promise<string> => logsOf(guarded, body);
    const name = ['sh', '-c', 'hostname; cat /proc/1/comm; ls /sys/class/net; grep -c " /proc/" /proc/mounts'];
    const asHost = await seen({
      Cmd: name,
      HostConfig: { PidMode: 'host', NetworkMode: 'host', UTSMode: 'host', MaskedPaths: [], ReadonlyPaths: [] },
    });
    expect(asHost).toContain(hostname());
    expect(asHost).toMatch(/\n0\n/);
    const asContainer = await logsOf(guarded, { Cmd: name }, makeGuarded);
    expect(asContainer).not.toContain(hostname());
    expect(asContainer).toMatch(/\nsh\n/);
    expect(asContainer).toMatch(/\n[1-9]\d*\n/);
  });

  test('23: a container that was made with more is not joined, linked to or taken volumes from', async () => {
    const strong = own('strong');
    await directly('POST', `${version}/containers/create?name=${strong}`, {
      Image: 'busybox',
      Cmd: ['sleep', '600'],
      HostConfig: { PidMode: 'host', Binds: ['/etc:/x:ro'] },
    });
    const id = (await inspect(strong)).Id as unknown as string;
    for (const reference of [strong, id, id.slice(0, 12)]) {
      for (const fields of [
        { PidMode: `container:${reference}` },
        { NetworkMode: `container:${reference}` },
        { IpcMode: `container:${reference}` },
        { VolumesFrom: [`${reference}:ro`] },
        { Links: [`${reference}:db`] },
      ]) {
        const path = `${version}/containers/create?name=${own('joining')}`;
        const refused = refusalOf(await guarded.guarded('POST', path, { Image: 'busybox', HostConfig: fields }));
        expect(refused[0], JSON.stringify(fields)).toBe(403);
        expect(refused[2]).toContain('must not use a container that was made with HostConfig.');
      }
    }
    const direct = await directly('POST', `${version}/containers/create?name=${own('took')}`, {
      Image: 'busybox',
      Cmd: ['cat', '/x/passwd'],
      Tty: true,
      HostConfig: { VolumesFrom: [strong] },
    });
    expect(await logs(guarded, direct.json<{ Id: string }>().Id)).toContain('root:');
  });

  test("23: the host's network is not joined by the id that it has", async () => {
    const { Id } = (await directly('GET', `${version}/networks/host`)).json<{ Id: string }>();
    for (const reference of [Id, Id.slice(0, 12), 'host']) {
      const bodies = [
        { HostConfig: { NetworkMode: reference } },
        { NetworkingConfig: { EndpointsConfig: { [reference]: {} } } },
        { NetworkingConfig: { EndpointsConfig: { bridge: { NetworkID: reference } } } },
      ];
      for (const body of bodies) {
        const path = `${version}/containers/create?name=${own('by-id')}`;
        expect((await guarded.guarded('POST', path, { Image: 'busybox', ...body })).status, JSON.stringify(body)).toBe(
          403,
        );
      }
      const plain = await makeGuarded({});
      expect(
        (await guarded.guarded('POST', `${version}/networks/${reference}/connect`, { Container: plain })).status,
      ).toBe(403);
    }
  });

  test('27: the tag of a log is a template that the engine runs: it tells of the host, and may loop', async () => {
    const logging = (tag: string): Body => ({ LogConfig: { Type: 'json-file', Config: { tag } } });
    // Older engines are built with a Go whose templates loop over lists alone.
    const tag = '{{.Hostname}} {{.LogPath}} {{range .ContainerEnv}}{{end}}loop';
    const id = await make({ Cmd: ['echo', 'said'], HostConfig: logging(tag) });
    await directly('POST', `${version}/containers/${id}/start`);
    await directly('POST', `${version}/containers/${id}/wait`);
    const told = (await directly('GET', `${version}/containers/${id}/logs?stdout=1&details=1`)).text;
    expect(decodeURIComponent(told)).toContain(`/containers/${id}/`);
    expect(told).toContain('loop');
    for (const tag of [
      '{{.Hostname}}',
      '{{.LogPath}}',
      '{{range 3000000000}}{{end}}',
      '{{ with . }}{{.LogPath}}{{end}}',
      '{{.ID}}{{$}}',
    ]) {
      const [status, code, message] = refusalOf(
        await guarded.guarded('POST', `${version}/containers/create`, { Image: 'busybox', HostConfig: logging(tag) }),
      );
      expect([tag, status, code]).toEqual([tag, 403, 'refused']);
      expect(message).toContain('HostConfig.LogConfig.Config.tag');
    }
    await makeGuarded({ HostConfig: logging('{{.ImageName}}/{{ .Name }}/{{.ID}} {a}') });
  });

  test('28: limits of the kernel are lowered, on create', async () => {
    const Ulimits = [{ Name: 'nofile', Soft: 2_000_000_000, Hard: 2_000_000_000 }];
    expect((await inspect(await make({ HostConfig: { Ulimits } }))).HostConfig?.Ulimits).toMatchObject(Ulimits);
    const bounded = await inspect(await makeGuarded({ HostConfig: { Ulimits } }));
    expect(bounded.HostConfig?.Ulimits).toMatchObject([{ Name: 'nofile', Soft: 1_048_576, Hard: 1_048_576 }]);
  });

  test.each([-1, 1_000_000_000])(
    "28: the engine's own end does not wait %i seconds for a container",
    async (StopTimeout) => {
      expect((await inspect(await make({ StopTimeout }))).Config).toMatchObject({ StopTimeout });
      const made = await guarded.guarded('POST', `${version}/containers/create?name=${own(`stop${StopTimeout}`)}`, {
        Image: 'busybox',
        StopTimeout,
      });
      const { Id, Warnings } = made.json<{ Id: string; Warnings: readonly string[] }>();
      expect(Warnings.join()).toContain('StopTimeout: lowered to ten minutes');
      expect((await inspect(Id)).Config).toMatchObject({ StopTimeout: 600 });
      expect((await inspect(await makeGuarded({ StopTimeout: 90 }))).Config).toMatchObject({ StopTimeout: 90 });
    },
  );

  test('28, 29: an update neither restarts for ever nor reaches the host', async () => {
    const id = await makeGuarded({ Cmd: ['sleep', '600'] }, true);
    const update = `${version}/containers/${id}/update`;
    const answer = await guarded.guarded('POST', update, { RestartPolicy: { Name: 'always' } });
    expect(answer.json<{ Warnings: readonly string[] }>().Warnings.join()).toContain('restarted at most 10 times');
    expect((await inspect(id)).HostConfig?.RestartPolicy).toEqual({ Name: 'on-failure', MaximumRetryCount: 10 });
    for (const body of [
      { CgroupParent: '/x' },
      { BlkioDeviceReadBps: [{ Path: '/dev/null', Rate: 1 }] },
      { Devices: [{ PathOnHost: '/dev/null' }] },
      { OomKillDisable: true },
    ]) {
      expect((await guarded.guarded('POST', update, body)).status, JSON.stringify(body)).toBe(403);
    }
    await directly('POST', update, { RestartPolicy: { Name: 'always' } });
    expect((await inspect(id)).HostConfig?.RestartPolicy).toMatchObject({ Name: 'always' });
  });

  test.each(['always', 'unless-stopped', 'on-failure'])(
    '29: restarting %s ends, and is shown as it was said',
    async (name) => {
      const body = { HostConfig: { RestartPolicy: { Name: name } } };
      expect((await inspect(await make(body))).HostConfig?.RestartPolicy).toMatchObject({
        Name: name,
        MaximumRetryCount: 0,
      });
      const id = await makeGuarded(body);
      expect((await inspect(id)).HostConfig?.RestartPolicy).toEqual({ Name: 'on-failure', MaximumRetryCount: 10 });
      const shown = (await guarded.guarded('GET', `${version}/containers/${id}/json`)).json<Inspected>();
      expect(shown.HostConfig?.RestartPolicy).toEqual({ Name: name });
      expect(JSON.stringify(shown)).not.toContain('berthgate.');
    },
  );

  test('30: a command does not run with more than its container has', async () => {
    const id = await makeGuarded({ Cmd: ['sleep', '600'] }, true);
    const exec = `${version}/containers/${id}/exec`;
    const prepared = await directly('POST', exec, { Cmd: ['id'], Privileged: true });
    expect(prepared.status).toBe(201);
    expect(refusalOf(await guarded.guarded('POST', exec, { Cmd: ['id'], Privileged: true }))).toMatchObject([
      403,
      'refused',
      expect.stringContaining('Privileged must be false'),
    ]);
    const { Id } = prepared.json<{ Id: string }>();
    expect(refusalOf(await guarded.guarded('POST', `${version}/exec/${Id}/start`, { Detach: true }))).toMatchObject([
      403,
      'refused',
      expect.stringContaining('must not use a exec'),
    ]);
    for (const User of ['00', '0:0', '', 'root']) {
      const plain = await guarded.guarded('POST', exec, { Cmd: ['id'], User });
      expect(
        (await guarded.guarded('POST', `${version}/exec/${plain.json<{ Id: string }>().Id}/start`, { Detach: true }))
          .status,
      ).toBe(200);
    }
  });

  test('30: what runs with more is not entered, started, restarted, attached to, copied from or to, or committed', async () => {
    const id = await make({ Cmd: ['sleep', '600'], HostConfig: { PidMode: 'host' } });
    const calls = [
      ['POST', `/containers/${id}/start`],
      ['POST', `/containers/${id}/restart`],
      ['POST', `/containers/${id}/exec`, { Cmd: ['id'] }],
      ['POST', `/containers/${id}/attach?stream=1&stdout=1`],
      ['GET', `/containers/${id}/attach/ws`],
      ['GET', `/containers/${id}/archive?path=/etc`],
      ['HEAD', `/containers/${id}/archive?path=/etc`],
      ['PUT', `/containers/${id}/archive?path=/etc`],
      ['POST', `/commit?container=${id}&repo=${own('image')}`],
    ] as const;
    for (const [method, path, body] of calls) {
      expect(
        (await ask(guarded.through, method, version + path, body === undefined ? {} : { body })).status,
        path,
      ).toBe(403);
    }
    expect((await inspect(id)).State?.Running).toBe(false);
    expect((await directly('POST', `${version}/containers/${id}/start`)).status).toBe(204);
    expect((await guarded.guarded('POST', `${version}/containers/${id}/stop?t=0`)).status).toBe(204);
    expect((await guarded.guarded('GET', `${version}/containers/${id}/json`)).status).toBe(200);
  });

  test('8: what old versions of the API leave to the engine is said for them', async () => {
    if (minor(guarded) >= 52) return;
    const direct = await ask(guarded.direct, 'POST', `/v1.24/containers/create?name=${own('old-direct')}`, {
      body: { Image: 'busybox', HostConfig: {} },
    });
    expect((await inspect(direct.json<{ Id: string }>().Id)).HostConfig).toMatchObject({ IpcMode: 'shareable' });
    const through = await ask(guarded.through, 'POST', `/v1.24/containers/create?name=${own('old-through')}`, {
      body: { Image: 'busybox', HostConfig: {} },
    });
    expect((await inspect(through.json<{ Id: string }>().Id)).HostConfig).toMatchObject({
      IpcMode: 'private',
      CgroupnsMode: 'private',
    });
  });
});

function hash(text: string): number {
  return [...text].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) | 0, 7);
}

/** What a container says that is made like this and runs to its end. */
async function logsOf(guarded: Guarded, body: Body, make = guarded.make): Promise<string> {
  return logs(guarded, await make({ Tty: true, ...body }));
}

async function logs({ directly, version }: Guarded, id: string): Promise<string> {
  const started = await directly('POST', `${version}/containers/${id}/start`);
  if (started.status !== 204) throw new Error(started.text);
  await directly('POST', `${version}/containers/${id}/wait`);
  return (await directly('GET', `${version}/containers/${id}/logs?stdout=1&stderr=1`)).text.replaceAll('\r', '');
}
