// RED-TEAM 46, 47, 50 and 56: what errors, events, counts and the engine's own facts tell about others; forged and odd names.
import { expect, test } from 'vitest';
import { describeTwoUsers, filtersIn } from './two-users.ts';

describeTwoUsers('the words of an engine', ({ mine, theirs, alice, bob, direct, bobs, own }) => {
  /** What bob has, and what nobody has. */
  const words = (): readonly string[] => [`${theirs}.web`, `${theirs}.nix`];
  /** The same answer to both is no answer to whether it is there. */
  const sameFor = async (ask: (word: string) => Promise<string>): Promise<string> => {
    const [there, absent] = (await Promise.all(words().map(ask))) as [string, string];
    const ids = /[0-9a-f]{12,64}/g;
    expect(there.replaceAll('.web', '.nix').replace(ids, 'ID')).toBe(absent.replace(ids, 'ID'));
    return there;
  };

  test('repeat a command that could not be run, whoever has a thing of that name', async () => {
    const told = await sameFor(async (word) => {
      const made = await alice('POST', '/containers/create', { body: { Image: 'busybox', Cmd: [word] } });
      const { Id } = made.json<{ Id: string }>();
      const started = (await alice('POST', `/containers/${Id}/start`)).text;
      const { State } = (await alice('GET', `/containers/${Id}/json`)).json<{ State: { Error: string } }>();
      expect(State.Error).toContain(word);
      return `${started} ${State.Error}`;
    });
    expect(told).toContain(`${theirs}.web`);
  });

  test('repeat aliases as they were said', async () => {
    const name = own('net');
    await alice('POST', '/networks/create', { body: { Name: name } });
    const Aliases = [...words(), `${mine}.alias`];
    const body = {
      Image: 'busybox',
      Cmd: ['sleep', '600'],
      HostConfig: { NetworkMode: name, Init: true },
      NetworkingConfig: { EndpointsConfig: { [name]: { Aliases } } },
    };
    const { Id } = (await alice('POST', '/containers/create?name=aliased', { body })).json<{ Id: string }>();
    await alice('POST', `/containers/${Id}/start`);
    type Seen = { NetworkSettings: { Networks: Record<string, { Aliases: string[]; DNSNames?: string[] }> } };
    const seen = (await alice('GET', `/containers/${Id}/json`)).json<Seen>().NetworkSettings.Networks[name];
    expect(seen?.Aliases).toEqual(expect.arrayContaining(Aliases));
    // Its own name is no alias, and is said nowhere with the namespace.
    expect(seen?.Aliases).not.toContain('aliased');
    expect(JSON.stringify(seen)).not.toContain(`${mine}.aliased`);
  });

  test('call a name with a dot what it was called, in a conflict too', async () => {
    await sameFor(async (name) => {
      expect((await alice('POST', `/containers/create?name=${name}`, { body: { Image: 'busybox' } })).status).toBe(201);
      const again = await alice('POST', `/containers/create?name=${name}`, { body: { Image: 'busybox' } });
      expect([again.status, again.json().message]).toEqual([409, expect.stringContaining(`"/${name}"`)]);
      return again.text;
    });
  });

  test('are the same for what another has and for what nobody has, wherever it is named', async () => {
    for (const ask of [
      async (word: string) => (await alice('GET', `/containers/${word}x/json`)).text,
      async (word: string) => (await alice('GET', `/networks/${word}x`)).text,
      async (word: string) => (await alice('GET', `/volumes/${word}x`)).text,
      async (word: string) => (await alice('DELETE', `/networks/${word}x`)).text,
      async (word: string) => (await alice('DELETE', `/volumes/${word}x`)).text,
      async (word: string) => (await alice('POST', '/volumes/create', { body: { Name: `/${word}` } })).text,
      async (word: string) => (await alice('POST', '/networks/create', { body: { Name: `/${word}` } })).text,
      async (word: string) => (await alice('GET', `/containers/json?filters=${filtersIn({ status: [word] })}`)).text,
    ]) {
      await sameFor(ask);
    }
  });

  test('tell neither where volumes lie nor what they are called there, from their first moment', async () => {
    const name = own('vol');
    for (const told of [
      await alice('POST', '/volumes/create', { body: { Name: name } }),
      await alice('POST', '/volumes/create', { body: {} }),
      await alice('GET', `/volumes/${name}`),
      await alice('GET', '/volumes'),
    ]) {
      expect(told.text).not.toMatch(new RegExp(`${mine}\\.|/_data|/volumes/`));
    }
    // The control: the engine tells both.
    expect((await direct('GET', `/volumes/${mine}.${name}`)).text).toMatch(
      new RegExp(`/volumes/${mine}\\.${name}/_data`),
    );
  });

  test('tell nothing of the host that a user has no need of', async () => {
    const facts = (await direct('GET', '/info')).json<Record<string, string>>();
    for (const path of ['/info', '/version', '/system/df', '/_ping']) {
      const told = (await alice('GET', path)).text;
      for (const key of ['ID', 'Name', 'DockerRootDir']) {
        expect(facts[key], key).toBeTruthy();
        expect(told.includes(facts[key] as string), `${key} in ${path}`).toBe(false);
      }
    }
  });

  test('count the things of one namespace', async () => {
    type Info = { Containers: number; ContainersRunning: number };
    type Usage = { Containers: { Id: string }[] | null; Volumes: { Name: string }[] | null; LayersSize: number };
    const label = [`berthgate.namespace=${mine}`];
    const listed = await direct('GET', `/containers/json?all=1&filters=${filtersIn({ label })}`);
    const all = listed.json<{ Id: string; State: string }[]>();
    const info = (await alice('GET', '/info')).json<Info>();
    expect(info.Containers).toBe(all.length);
    expect(info.ContainersRunning).toBe(all.filter(({ State }) => State === 'running').length);
    const usage = (await alice('GET', '/system/df')).json<Usage>();
    expect((usage.Containers ?? []).map(({ Id }) => Id).sort()).toEqual(all.map(({ Id }) => Id).sort());
    expect(JSON.stringify(usage.Volumes)).not.toContain(theirs);
    // The control: the engine counts bob's too.
    expect((await direct('GET', '/info')).json<Info>().Containers).toBeGreaterThan(all.length);
  });

  test('are told as events to whom they belong, by any filter', async () => {
    const since = Math.floor(Date.now() / 1000) - 1;
    const box = own('box');
    const { Id } = (await bob('POST', `/containers/create?name=${box}`, { body: { Image: 'busybox' } })).json();
    await bob('POST', `/containers/${box}/rename?name=${box}-renamed`);
    await bob('POST', `/networks/net/connect`, { body: { Container: `${box}-renamed` } });
    await bob('POST', '/volumes/create', { body: { Name: box } });
    await bob('DELETE', `/containers/${box}-renamed`);
    const until = Math.floor(Date.now() / 1000) + 2;
    for (const filters of [
      {},
      { container: [String(Id)] },
      { container: [`${theirs}.${box}`, `/${theirs}.${box}`, box] },
      { network: [bobs().network, `${theirs}.net`, 'net'] },
      { volume: [`${theirs}.${box}`, box] },
      { type: ['container', 'network', 'volume'], event: ['create', 'rename', 'connect', 'destroy'] },
      { label: ['x'] },
      { scope: ['local'] },
      { image: ['busybox'] },
    ]) {
      const path = `/events?since=${since}&until=${until}&filters=${filtersIn(filters)}`;
      const answer = await alice('GET', path);
      expect([200, 404]).toContain(answer.status);
      expect(answer.text).not.toContain(String(Id));
      expect(answer.text).not.toContain(bobs().network);
      expect(answer.text).not.toContain(box);
    }
    const heard = (await direct('GET', `/events?since=${since}&until=${until}`)).text;
    for (const word of [String(Id), `${theirs}.${box}`, 'rename', 'destroy']) expect(heard).toContain(word);
  });

  const labels = ['berthgate.namespace', 'berthgate.user', 'berthgate.default-network', 'berthgate.anything'];

  test.each(labels)('do not take the label %s from a client', async (label) => {
    const Labels = { [label]: theirs };
    for (const [path, body] of [
      ['/containers/create', { Image: 'busybox', Labels }],
      ['/volumes/create', { Name: own('vol'), Labels }],
      ['/networks/create', { Name: own('net'), Labels }],
      [
        '/containers/create',
        {
          Image: 'busybox',
          HostConfig: { Mounts: [{ Type: 'volume', Source: own('v'), Target: '/x', VolumeOptions: { Labels } }] },
        },
      ],
    ] as const) {
      expect((await alice('POST', path, { body })).status, path).toBe(403);
    }
    for (const filters of [{ label: [label] }, { label: { [`${label}=${theirs}`]: true } }, { 'label!': [label] }]) {
      for (const path of ['containers/json', 'networks', 'volumes', 'events']) {
        if (path === 'events' && 'label!' in filters) continue; // There is no such filter of events.
        const answer = await alice('GET', `/${path}?until=1&filters=${filtersIn(filters)}`);
        expect([400, 403], path).toContain(answer.status);
      }
    }
    // The control: the engine takes it as any other label.
    const made = await direct('POST', '/containers/create', { body: { Image: 'busybox', Labels } });
    expect(made.status).toBe(201);
    await direct('DELETE', `/containers/${made.json().Id}`);
  });

  test.each([
    ['a name of another namespace', 'bob.web'],
    ['a dot at the end', 'web.'],
    ['dots at the end', 'web..'],
    ['its own prefix', 'PREFIX.web'],
    ['a word of the engine', 'host'],
    ['64 hexadecimal digits', 'ab'.repeat(32)],
    ['as long as it may be', 'x'.repeat(200)],
  ])('call a thing as its user does: %s', async (_, word) => {
    const name = word.replace('PREFIX', mine);
    const made = await alice('POST', `/containers/create?name=${name}`, { body: { Image: 'busybox' } });
    expect(made.status).toBe(201);
    const { Id } = made.json<{ Id: string }>();
    try {
      expect((await alice('GET', `/containers/${name}/json`)).json()).toMatchObject({ Id, Name: `/${name}` });
      const filters = filtersIn({ id: [Id] });
      const [listed] = (await alice('GET', `/containers/json?all=1&filters=${filters}`)).json<{ Names: string[] }[]>();
      expect(listed?.Names).toEqual([`/${name}`]);
      const again = await alice('POST', `/containers/create?name=${name}`, { body: { Image: 'busybox' } });
      expect(again.json().message).toContain(`"/${name}"`);
      expect((await direct('GET', `/containers/${mine}.${name}/json`)).json().Id).toBe(Id);
      expect((await bob('GET', `/containers/${name}/json`)).status).toBe(404);
    } finally {
      expect((await alice('DELETE', `/containers/${name}`)).status).toBe(204);
    }
  });

  test.each(['.web', '-web', '_web', 'w', 'web/x', '../web', 'wéb', 'ｗｅｂ', 'web\u202e', 'we b', 'x'.repeat(201)])(
    'take no name that is none: %j',
    async (name) => {
      const encoded = encodeURIComponent(name);
      expect((await alice('POST', `/containers/create?name=${encoded}`, { body: { Image: 'busybox' } })).status).toBe(
        400,
      );
      expect((await alice('POST', '/volumes/create', { body: { Name: name } })).status).toBe(400);
      const own = (await alice('POST', '/containers/create', { body: { Image: 'busybox' } })).json<{ Id: string }>();
      expect((await alice('POST', `/containers/${own.Id}/rename?name=${encoded}`)).status).toBe(400);
      await alice('DELETE', `/containers/${own.Id}`);
    },
  );

  test.each(['n', 'net 01'])('name a network as engines do: %s', async (name) => {
    const path = `/networks/${encodeURIComponent(name)}`;
    expect((await alice('POST', '/networks/create', { body: { Name: name } })).status).toBe(201);
    expect((await alice('GET', path)).json().Name).toBe(name);
    expect((await alice('GET', `/networks?filters=${filtersIn({ name: [`^${name}$`] })}`)).json()).toHaveLength(1);
    const again = await alice('POST', '/networks/create', { body: { Name: name } });
    expect([again.status, again.json().message]).toEqual([409, expect.stringContaining(`with name ${name} already`)]);
    expect((await alice('DELETE', path)).status).toBe(204);
  });

  test('say of a swarm what an engine without one says', async () => {
    const [told, control] = await Promise.all([alice, direct].map((say) => say('POST', '/swarm/leave?force=1')));
    expect([told?.status, told?.json()]).toEqual([control?.status, control?.json()]);
    expect((await alice('POST', '/swarm/init', { body: { ListenAddr: '127.0.0.1' } })).status).toBe(403);
  });

  test('take a command from docker-py, which says the container twice, and no other one in its place', async () => {
    const made = await alice('POST', '/containers/create', { body: { Image: 'busybox', Cmd: ['sleep', '60'] } });
    const { Id } = made.json<{ Id: string }>();
    await alice('POST', `/containers/${Id}/start`);
    const command = (Container: string) =>
      alice('POST', `/containers/${Id}/exec`, { body: { Container, Cmd: ['true'], Env: null, User: '' } });
    expect((await command(Id)).status).toBe(201);
    expect((await command(bobs().container)).status).toBe(404);
    await alice('DELETE', `/containers/${Id}?force=1`);
  });

  test('find a container that never ran by its network', async () => {
    const name = own('idle');
    await alice('POST', `/containers/create?name=${name}`, { body: { Image: 'busybox' } });
    for (const network of ['bridge', 'default']) {
      const filters = filtersIn({ network: [network] });
      expect((await alice('GET', `/containers/json?all=1&filters=${filters}`)).text).toContain(`/${name}`);
    }
  });

  test('are said to nobody by names that images and files bring along', async () => {
    const { Id } = (
      await alice('POST', '/containers/create', { body: { Image: 'busybox', Cmd: ['sleep', '600'] } })
    ).json();
    for (const [method, path] of [
      [
        'POST',
        `/commit?container=${Id}&repo=busybox&changes=${encodeURIComponent(`LABEL berthgate.namespace=${theirs}`)}`,
      ],
      ['POST', `/commit?container=${bobs().container}&repo=taken`],
      ['POST', '/images/create?fromSrc=http://127.0.0.1:1/x.tar&repo=alpine&tag=latest'],
      ['DELETE', '/images/busybox'],
      ['POST', '/images/busybox/push'],
    ] as const) {
      const { status, text } = await alice(method, path);
      expect([403, 404].includes(status) || /does not exist locally/.test(text), `${path} ${text}`).toBe(true);
    }
    // A name that everybody knows is the namespace's own.
    expect((await alice('POST', '/images/busybox/tag?repo=alpine&tag=latest')).status).toBe(201);
    expect((await bob('GET', '/images/alpine/json')).status).toBe(404);
    expect((await direct('GET', '/images/json')).text).not.toMatch(/taken|"alpine:latest"/);
    expect((await alice('DELETE', '/images/alpine')).status).toBe(200);
  });
});
