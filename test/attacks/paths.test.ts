// RED-TEAM 6 to 9: targets that can be read in two ways. What bites is shown on the engine itself.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, requestBytes } from '../engine/raw-client.ts';
import { describeAttacks, type FakeSetting, say, setUpFake } from './setting.ts';

describeAttacks('a path', (setting) => {
  const body = { Image: 'busybox' };

  test('7: of escaped letters is the same endpoint, for who judges and for the engine', async () => {
    const target = `${setting.version}/containers/%63reate`;
    // Whoever compares the raw target does not see a create.
    expect(target).not.toContain('/containers/create');
    for (const place of [setting.direct, setting.through]) {
      const answer = await ask(place, 'POST', target, { body });
      expect(answer.status).toBe(201);
      setting.remember(String(answer.json().Id));
    }
    expect(setting.served().at(-1)).toBe('ContainerCreate');
  });

  test('7: of an escaped slash is the same endpoint', async () => {
    const target = `${setting.version}/containers%2fjson`;
    expect((await ask(setting.direct, 'GET', target)).status).toBe(200);
    expect((await ask(setting.through, 'GET', target)).status).toBe(200);
    expect(setting.served().at(-1)).toBe('ContainerList');
  });

  test('7: that would be cleaned is refused, where the engine answers with another place to go to', async () => {
    for (const path of [
      '//containers/json',
      '/containers//json',
      '/containers/./json',
      '/containers/x/../json',
      '/containers/%2e%2e/json',
      '/containers%2F%2Fjson',
      '/x/..%2fcontainers/json',
    ]) {
      const direct = await ask(setting.direct, 'GET', setting.version + path);
      expect([path, direct.status]).toEqual([path, 301]);
      const refused = await ask(setting.through, 'GET', setting.version + path);
      expect([path, refused.status, refused.header('berthgate-refusal')]).toEqual([path, 400, 'unreadable-path']);
    }
  });

  test('7: that is escaped twice stays what it is', async () => {
    const target = `${setting.version}/containers/%252e%252e/json`;
    for (const place of [setting.direct, setting.through]) {
      expect((await ask(place, 'GET', target)).json().message).toBe('No such container: %2e%2e');
    }
  });

  test('7: in absolute form is served by the engine, and not by us', async () => {
    const target = `http://evil.example${setting.version}/containers/json`;
    expect((await ask(setting.direct, 'GET', target)).status).toBe(200);
    expect((await ask(setting.through, 'GET', target)).status).toBe(400);
  });

  test('7: with a trailing slash, a backslash, or matrix parameters is nothing that exists', async () => {
    expect((await ask(setting.through, 'GET', `${setting.version}/containers/json/`)).json().message).toBe(
      'page not found',
    );
    expect((await ask(setting.through, 'GET', `${setting.version}\\containers\\json`)).status).toBe(400);
    expect((await ask(setting.through, 'GET', `${setting.version}/containers/json;a=b`)).json().message).toBe(
      'page not found',
    );
    expect((await ask(setting.through, 'GET', `${setting.version}/containers/a;b=c/json`)).json().message).toBe(
      'No such container: a;b=c',
    );
  });

  test('7: with a line break or a NUL in a name reaches no engine', async () => {
    for (const name of ['a%0Ab', 'a%00b', 'a%0D%0AX-Header:%20b', '%ff', '%c0%af', 'a%5cb']) {
      const refused = await ask(setting.through, 'GET', `${setting.version}/containers/${name}/json`);
      expect([name, refused.status, refused.header('berthgate-refusal')]).toEqual([name, 400, 'unreadable-path']);
    }
  });

  test('9: whose name spans slashes means to us what it means to the engine', async () => {
    const target = `${setting.version}/containers/x/logs/json`;
    for (const place of [setting.direct, setting.through]) {
      const answer = await ask(place, 'GET', target);
      expect([answer.status, answer.json().message]).toEqual([404, 'No such container: x/logs']);
    }
    expect(setting.served().at(-1)).toBe('ContainerInspect');
  });
});

describeAttacks('a version', (setting) => {
  const minor = setting.engine.apiVersion.slice(2);

  test.each([`v01.${minor}`, `v1.0${minor}`, `v1.${minor}.`, `v1.${minor}.0`, 'v1..24'])(
    '8: spelled %s is not passed on, whatever the engine makes of it',
    async (prefix) => {
      const refused = await ask(setting.through, 'GET', `/${prefix}/containers/json`);
      expect([refused.status, refused.header('berthgate-refusal')]).toEqual([400, 'unreadable-path']);
    },
  );

  test('8: of several spellings is taken by the engine', async () => {
    for (const prefix of [`v01.${minor}`, `v1.0${minor}`, `v1.${minor}.`]) {
      expect((await ask(setting.direct, 'GET', `/${prefix}/containers/json`)).status).toBe(200);
    }
  });

  test('8: that is doubled is no path', async () => {
    const answer = await ask(setting.through, 'GET', `${setting.version}/v1.24/containers/json`);
    expect(answer.json().message).toBe('page not found');
  });

  test('8: below 1.24 is refused, also where the engine still serves it', async () => {
    const old = await ask(setting.direct, 'GET', '/v1.23/containers/json');
    if (setting.engine.name === '20.10') expect(old.status).toBe(200);
    const refused = await ask(setting.through, 'GET', '/v1.23/containers/json');
    expect([refused.status, refused.json().message]).toEqual([
      400,
      'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
    ]);
  });
});

describeAttacks('a query', (setting) => {
  const rename = async (place: string, query: string): Promise<{ status: number; name: string }> => {
    const id = await setting.make();
    const { status } = await ask(place, 'POST', `${setting.version}/containers/${id}/rename?${query}`);
    return { status, name: (await setting.inspect(id)).Name };
  };

  test('6: with a doubled key is taken by its first value by the engine, by its last by others', async () => {
    const [good, bad] = [setting.own('good'), setting.own('bad')];
    const query = `name=${bad}&name=${good}`;
    expect(Object.fromEntries(new URLSearchParams(query))).toEqual({ name: good });
    expect(await rename(setting.direct, query)).toEqual({ status: 204, name: `/${bad}` });
    const refused = await rename(setting.through, `name=${setting.own('bad2')}&name=${good}`);
    expect([refused.status, refused.name.includes('bad2')]).toEqual([400, false]);
  });

  test('6: with an escaped key is the same for the engine, and another for who looks for its letters', async () => {
    const query = `%6eame=${setting.own('escaped')}`;
    expect(/(^|&)name=/.test(query)).toBe(false);
    expect(await rename(setting.direct, query)).toEqual({ status: 204, name: `/${setting.own('escaped')}` });
    const both = await rename(setting.through, `%6eame=${setting.own('one')}&name=${setting.own('two')}`);
    expect(both.status).toBe(400);
    const alone = await rename(setting.through, `%6eame=${setting.own('alone')}`);
    expect(alone).toEqual({ status: 204, name: `/${setting.own('alone')}` });
  });

  test('6: with a semicolon, a NUL or broken escapes is refused', async () => {
    for (const query of ['name=a;name=b', 'name=a%00', 'name=%', 'name=%zz', 'name=%ff']) {
      expect([query, (await rename(setting.through, query)).status]).toEqual([query, 400]);
    }
  });

  test.each(['yes', 'Y', 'on', 'off', '2', '-', 'f'])(
    '6: force=%s is true for the engine, and for us',
    async (word) => {
      for (const place of [setting.direct, setting.through]) {
        const id = await setting.make({ Cmd: ['sleep', '1000'] }, true);
        expect((await ask(place, 'DELETE', `${setting.version}/containers/${id}?force=${word}`)).status).toBe(204);
      }
    },
  );

  test.each(['no', 'NONE', 'False', '0', '%20none%20', ''])(
    '6: force=%s is false for the engine, and for us',
    async (word) => {
      const id = await setting.make({ Cmd: ['sleep', '1000'] }, true);
      for (const place of [setting.direct, setting.through]) {
        expect((await ask(place, 'DELETE', `${setting.version}/containers/${id}?force=${word}`)).status).toBe(409);
      }
    },
  );
});

describe('what the engine is asked', () => {
  let fake: FakeSetting;
  beforeAll(async () => {
    fake = await setUpFake();
  });
  afterAll(() => fake.close());

  async function asked(method: string, target: string): Promise<readonly string[]> {
    fake.engine.received.length = 0;
    await say(fake.through, requestBytes(method, target), { method });
    return fake.asked();
  }

  test('8: always says a version of ours', async () => {
    expect(await asked('GET', '/containers/json')).toEqual(['GET /v1.51/containers/json']);
    expect(await asked('GET', '/v1.24/containers/json')).toEqual(['GET /v1.24/containers/json']);
  });

  test('6 and 7: is printed from values, in one spelling', async () => {
    expect(await asked('DELETE', '/v1.51/containers/%77eb?x=1&v=yes&force=none&%6cink=')).toEqual([
      'DELETE /v1.51/containers/web?v=1&force=0&link=0',
    ]);
    expect(await asked('GET', '/v1.51/images/a%2Fb%3ac%40d/json')).toEqual(['GET /v1.51/images/a/b:c@d/json']);
    expect(
      await asked('GET', '/v1.51/containers/json?filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D&limit=%2B5&all'),
    ).toEqual([`GET /v1.51/containers/json?all=0&limit=5&filters=${encodeURIComponent('{"label":{"a=b":true}}')}`]);
  });

  test('9: is never a name that could be another path', async () => {
    expect(await asked('GET', '/v1.51/containers/a%3fb%23c%25d/json')).toEqual([
      'GET /v1.51/containers/a%3Fb%23c%25d/json',
    ]);
    expect(await asked('GET', '/v1.51/containers/%2e%2e/json')).toEqual([]);
  });
});
