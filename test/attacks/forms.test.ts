// RED-TEAM 2 to 5: bodies that mean something to the engine, and nothing, or something else, to who judges.
import { expect, test } from 'vitest';
import { printPath } from '../../src/docker/match.ts';
import { table } from '../../src/docker/table.ts';
import { ask } from '../engine/raw-client.ts';
import { startNaiveProxy } from './naive-proxy.ts';
import { describeAttacks, say } from './setting.ts';

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };

describeAttacks('a form body', (setting) => {
  test('5: overrides the name of a rename for the engine, and is refused by us', async () => {
    const [said, meant] = [setting.own('said'), setting.own('meant')];
    const victim = await setting.make();
    const naive = await startNaiveProxy(setting.direct);
    const target = `${setting.version}/containers/${victim}/rename?name=${said}`;
    await ask(naive.socket, 'POST', target, { headers: FORM, body: `name=${meant}` });
    expect(naive.judged).toEqual([`POST ${target}`]);
    await naive.close();
    expect((await setting.inspect(victim)).Name).toBe(`/${meant}`);
    const other = await setting.make();
    const before = (await setting.inspect(other)).Name;
    const refused = await ask(setting.through, 'POST', `${setting.version}/containers/${other}/rename?name=${said}`, {
      headers: FORM,
      body: `name=${setting.own('meant2')}`,
    });
    expect([refused.status, refused.header('berthgate-refusal')]).toEqual([415, 'media-type']);
    expect((await setting.inspect(other)).Name).toBe(before);
  });

  test('5: overrides the repository of a tag for the engine, and is refused by us', async () => {
    const [said, meant] = [setting.own('said'), setting.own('meant')];
    const target = `${setting.version}/images/busybox/tag?repo=${said}&tag=x`;
    expect((await ask(setting.direct, 'POST', target, { headers: FORM, body: `repo=${meant}` })).status).toBe(201);
    const found = async (name: string): Promise<number> =>
      (await ask(setting.direct, 'GET', `/images/${name}:x/json`)).status;
    expect([await found(said), await found(meant)]).toEqual([404, 200]);
    await ask(setting.direct, 'DELETE', `/images/${meant}:x`);
    expect((await ask(setting.through, 'POST', target, { headers: FORM, body: `repo=${meant}` })).status).toBe(415);
    expect([await found(said), await found(meant)]).toEqual([404, 404]);
  });

  test('5: overrides the signal of a kill for the engine, and is refused by us', async () => {
    const id = await setting.make({ Cmd: ['sleep', '1000'] }, true);
    const target = `${setting.version}/containers/${id}/kill?signal=0`;
    expect((await ask(setting.through, 'POST', target, { headers: FORM, body: 'signal=KILL' })).status).toBe(415);
    expect((await setting.inspect(id)).State.Running).toBe(true);
    await ask(setting.direct, 'POST', target, { headers: FORM, body: 'signal=KILL' });
    expect((await ask(setting.direct, 'POST', `/containers/${id}/wait`)).json().StatusCode).toBe(137);
  });

  test('5: is refused by every endpoint that could read one, in every spelling of its type', async () => {
    const types = [
      'application/x-www-form-urlencoded',
      'Application/X-WWW-Form-Urlencoded; charset=utf-8',
      ' application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'multipart/form-data',
      'multipart/mixed',
    ];
    for (const endpoint of table) {
      if (
        endpoint.risk === 'never' ||
        !['POST', 'PUT', 'DELETE'].includes(endpoint.method) ||
        endpoint.body.travel === 'h2c'
      )
        continue;
      const parameters = Object.fromEntries(Object.keys(endpoint.parameters).map((name) => [name, 'absent']));
      const oldest = Math.max(Number(setting.version.slice(4)), 24);
      for (const type of types) {
        const refused = await ask(setting.through, endpoint.method, `/v1.${oldest}${printPath(endpoint, parameters)}`, {
          headers: { 'Content-Type': type },
          body: 'name=x',
        });
        expect([endpoint.id, type, refused.status]).toEqual([endpoint.id, type, 415]);
      }
    }
  });
});

describeAttacks('a media type', (setting) => {
  const create = (place: string, headers: Readonly<Record<string, string>>) =>
    ask(place, 'POST', `${setting.version}/containers/create`, { headers, body: '{"Image":"busybox"}' });

  test('4: with another charset is read as UTF-8 all the same, and is not passed on', async () => {
    for (const place of [setting.direct, setting.through]) {
      const made = await create(place, { 'Content-Type': 'application/json; charset=utf-16' });
      expect(made.status).toBe(201);
      setting.remember(String(made.json().Id));
    }
  });

  test.each(['', 'text/plain', 'application/json-patch', 'application/jsonx', 'text/json, application/json'])(
    '4: such as "%s" is refused',
    async (type) => {
      const refused = await create(setting.through, type === '' ? {} : { 'Content-Type': type });
      expect([refused.status, refused.header('berthgate-refusal')]).toEqual([415, 'media-type']);
    },
  );
});

describeAttacks('a body', (setting) => {
  const head = `POST ${setting.version}/containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n`;

  test('2: in chunks is judged as it is decoded', async () => {
    const chunks = (body: string): string => [...body].map((letter) => `1\r\n${letter}\r\n`).join('');
    const trick = `${head}Transfer-Encoding: chunked\r\n\r\n${chunks('{"Image":"busybox","HostConfig":{"privileged":true}}')}0\r\n\r\n`;
    // The engine takes it, and there is no Content-Length by which a judge would find it.
    const made = await say(setting.direct, trick);
    expect(made?.status).toBe(201);
    setting.remember(String(made?.json().Id));
    expect((await setting.inspect(String(made?.json().Id))).HostConfig.Privileged).toBe(true);
    const refused = await say(setting.through, trick);
    expect([refused?.status, refused?.json().message]).toEqual([400, expect.stringContaining('HostConfig.privileged')]);
  });

  test('3: that is padded beyond what is read is refused whole, and the engine gets nothing', async () => {
    const padding = ' '.repeat(9 * 1024 * 1024);
    const name = setting.own('padded');
    const body = `${padding}{"Image":"busybox","HostConfig":{"Privileged":true}}`;
    const direct = await ask(setting.direct, 'POST', `${setting.version}/containers/create`, {
      headers: { 'Content-Type': 'application/json' },
      body,
    });
    expect(direct.status).toBe(201);
    setting.remember(String(direct.json().Id));
    for (const framing of [
      `Content-Length: ${body.length}\r\n\r\n${body}`,
      `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ]) {
      const refused = await say(setting.through, head.replace('create', `create?name=${name}`) + framing);
      expect([refused?.status, refused?.header('berthgate-refusal')]).toEqual([413, 'body-too-large']);
    }
    expect((await ask(setting.direct, 'GET', `/containers/${name}/json`)).status).toBe(404);
  });

  test('3: that is empty where one is needed does not pass unjudged', async () => {
    for (const framing of ['Content-Length: 0\r\n\r\n', '\r\n', 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n']) {
      expect((await say(setting.through, head + framing))?.status).toBe(400);
    }
  });

  test('3: of a start, which old versions took for the configuration of the host, ends here', async () => {
    const body = { Privileged: true };
    // Engines up to 24 serve 1.23, and there the body replaces what the create had said.
    if (setting.engine.name === '20.10') {
      const bitten = await setting.make();
      // Whether a privileged one can run here is another matter.
      await ask(setting.direct, 'POST', `/v1.23/containers/${bitten}/start`, { body });
      expect((await setting.inspect(bitten)).HostConfig.Privileged).toBe(true);
    }
    const id = await setting.make();
    expect((await ask(setting.through, 'POST', `/v1.23/containers/${id}/start`, { body })).status).toBe(400);
    expect((await ask(setting.through, 'POST', `${setting.version}/containers/${id}/start`, { body })).status).toBe(
      204,
    );
    expect((await setting.inspect(id)).HostConfig.Privileged).toBe(false);
  });
});
