// RED-TEAM 1 and 10 to 14: bytes. What a proxy of the usual kind does with them is shown beside what we do.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveInFrontOf } from '../engine/in-process.ts';
import { ask, RawClient, requestBytes, type WholeAnswer } from '../engine/raw-client.ts';
import { startNaiveProxy } from './naive-proxy.ts';
import { describeAttacks, type FakeSetting, type Setting, say, setUpFake } from './setting.ts';

const UPGRADE = { Connection: 'Upgrade', Upgrade: 'tcp' };

async function nameOf(setting: Setting, id: string): Promise<string> {
  return (await setting.inspect(id)).Name;
}

describeAttacks('an upgrade', (setting) => {
  test('1: on an ordinary endpoint opens no way around the judge', async () => {
    const victim = await setting.make();
    const smuggle = (name: string): Buffer =>
      Buffer.concat([
        requestBytes('GET', `${setting.version}/containers/json`, { headers: UPGRADE }),
        requestBytes('POST', `${setting.version}/containers/${victim}/rename?name=${name}`),
      ]);
    const naive = await startNaiveProxy(setting.direct);
    const bitten = await RawClient.connect(naive.socket);
    bitten.send(smuggle(setting.own('bitten')));
    await bitten.answer();
    expect((await bitten.answer()).status).toBe(204);
    bitten.destroy();
    // It has judged a list, and the engine has renamed a container.
    expect(naive.judged).toEqual([`GET ${setting.version}/containers/json`]);
    expect(await nameOf(setting, victim)).toBe(`/${setting.own('bitten')}`);
    await naive.close();

    const client = await RawClient.connect(setting.through);
    client.send(smuggle(setting.own('smuggled')));
    const answer = await client.answer();
    expect([answer.status, answer.header('upgrade')]).toEqual([200, undefined]);
    await client.toEnd();
    expect(setting.served().at(-1)).toBe('ContainerList');
    expect(await nameOf(setting, victim)).toBe(`/${setting.own('bitten')}`);
  });

  test('11: that the engine refuses leaves nothing behind that is read as a request', async () => {
    const victim = await setting.make();
    const before = await nameOf(setting, victim);
    const smuggle = (name: string): Buffer =>
      Buffer.concat([
        requestBytes('POST', `${setting.version}/exec/absent/start`, { headers: UPGRADE, body: {} }),
        requestBytes('POST', `${setting.version}/containers/${victim}/rename?name=${name}`),
      ]);
    const client = await RawClient.connect(setting.through);
    client.send(smuggle(setting.own('smuggled')));
    const answer = await client.answer();
    expect([answer.status, answer.json().message]).toEqual([404, 'No such exec instance: absent']);
    await client.toEnd();
    expect(await nameOf(setting, victim)).toBe(before);
    // The engine itself goes on reading.
    const direct = await RawClient.connect(setting.direct);
    direct.send(smuggle(setting.own('bitten-too')));
    expect([(await direct.answer()).status, (await direct.answer()).status]).toEqual([404, 204]);
    direct.destroy();
  });

  test('10 and 11: that succeeds makes a stream of what follows, in one piece with the request or not', async () => {
    const id = await setting.make({ Cmd: ['cat'], OpenStdin: true, StdinOnce: true });
    const victim = await setting.make();
    const before = await nameOf(setting, victim);
    const typed = requestBytes(
      'POST',
      `${setting.version}/containers/${victim}/rename?name=${setting.own('smuggled')}`,
    );
    const client = await RawClient.connect(setting.through);
    const attach = requestBytes('POST', `${setting.version}/containers/${id}/attach?stream=1&stdin=1&stdout=1`, {
      headers: UPGRADE,
    });
    client.send(Buffer.concat([attach, typed]));
    expect((await client.head()).status).toBe(101);
    expect((await ask(setting.through, 'POST', `${setting.version}/containers/${id}/start`)).status).toBe(204);
    client.end();
    const echoed = (await client.toEnd()).toString('latin1');
    expect(echoed).toContain(typed.toString('latin1'));
    expect(await nameOf(setting, victim)).toBe(before);
  });

  test('12: to HTTP/2 is none on other paths, and HTTP/2 by prior knowledge is none at all', async () => {
    const headers = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAAP__' };
    const answer = await ask(setting.through, 'GET', `${setting.version}/info`, { headers });
    expect([answer.status, answer.header('upgrade')]).toEqual([200, undefined]);
    const preface = await say(setting.through, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
    expect([preface?.status, preface?.header('connection')]).toEqual([505, 'close']);
  });
});

describeAttacks('a request that can be read in two ways', (setting) => {
  /** Whether the engine itself takes it as a good one; its first answer counts. */
  async function directly(bytes: string): Promise<number | undefined> {
    return (await say(setting.direct, bytes))?.status;
  }

  test('10: by Content-Length and Transfer-Encoding hides a second one from who counts', async () => {
    const victim = await setting.make();
    const trick = (name: string): string => {
      const smuggled = requestBytes('POST', `${setting.version}/containers/${victim}/rename?name=${name}`).toString();
      const body = `0\r\n\r\n${smuggled}`;
      return `POST ${setting.version}/containers/absent/kill HTTP/1.1\r\nHost: d\r\nContent-Length: ${body.length}\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;
    };
    const direct = await RawClient.connect(setting.direct);
    direct.send(trick(setting.own('bitten')));
    expect([(await direct.answer()).status, (await direct.answer()).status]).toEqual([404, 204]);
    direct.destroy();
    const client = await RawClient.connect(setting.through);
    client.send(trick(setting.own('smuggled')));
    expect((await client.answer()).status).toBe(400);
    await client.toEnd();
    expect(await nameOf(setting, victim)).toBe(`/${setting.own('bitten')}`);
  });

  const ping = (lines: string, body = ''): string => `GET /_ping HTTP/1.1\r\nHost: d\r\n${lines}\r\n${body}`;

  test.each([
    ['bare line feeds', 'GET /_ping HTTP/1.1\nHost: d\n\n', 200],
    ['a bare line feed behind one field', 'GET /_ping HTTP/1.1\r\nHost: d\nX-A: b\r\n\r\n', 200],
    ['obsolete folding', ping('X-A: b\r\n c\r\n'), 200],
    ['the same length twice', ping('Content-Length: 0\r\nContent-Length: 0\r\n'), 200],
    ['an absolute form', 'GET http://d/_ping HTTP/1.1\r\nHost: d\r\n\r\n', 200],
    ['two lengths', ping('Content-Length: 0\r\nContent-Length: 1\r\n', 'x'), 400],
    ['a list of lengths', ping('Content-Length: 0, 0\r\n'), 400],
    ['a length with a sign', ping('Content-Length: +1\r\n', 'x'), 400],
    ['a length that is none', ping('Content-Length: 0x1\r\n', 'x'), 400],
    ['an unknown transfer coding', ping('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'), 501],
    ['two transfer codings', ping('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'), 501],
    ['a chunked coding twice', ping('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400],
    ['a space before the colon', ping('X-A : b\r\n'), 400],
    ['a field without a name', ping(': b\r\n'), 0],
    ['a NUL in a field', ping('X-A: b\0\r\n'), 400],
    ['two hosts', ping('Host: e\r\n'), 400],
    ['no host', 'GET /_ping HTTP/1.1\r\n\r\n', 400],
    ['a tab in the request line', 'GET\t/_ping HTTP/1.1\r\nHost: d\r\n\r\n', 400],
    ['two spaces in the request line', 'GET  /_ping HTTP/1.1\r\nHost: d\r\n\r\n', 400],
    ['another version', 'GET /_ping HTTP/1.2\r\nHost: d\r\n\r\n', 200],
  ])('10: by %s is refused', async (_, bytes, byEngine) => {
    const status = await directly(bytes);
    // Where engines read it leniently it bites; where they refuse it, their Go may have another status; 0: some do.
    if (byEngine === 200) expect(status).toBe(200);
    else if (byEngine > 0) expect(status).toBeGreaterThanOrEqual(400);
    const client = await RawClient.connect(setting.through);
    client.send(bytes + requestBytes('GET', '/_ping').toString());
    const refused = await client.answer();
    expect(refused.status).toBeGreaterThanOrEqual(400);
    expect(refused.header('content-type')).toBe('application/json');
    expect(refused.json().message).toMatch(/^berthgate: /);
    // What follows such a request is not known to be one.
    await client.toEnd();
  });

  test.each([
    ['a size with a sign', '+1\r\nx\r\n0\r\n\r\n'],
    ['a size with 0x', '0x1\r\nx\r\n0\r\n\r\n'],
    ['a size that overflows', 'fffffffffffffffff\r\nx\r\n0\r\n\r\n'],
    ['no line end behind its data', '1\r\nxy0\r\n\r\n'],
    ['a bare line feed behind its size', '1\nx\r\n0\r\n\r\n'],
  ])('10: in chunks with %s is refused', async (_, chunks) => {
    const head = `POST ${setting.version}/containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const client = await RawClient.connect(setting.through);
    client.send(head + chunks);
    expect((await client.answer()).status).toBe(400);
    await client.toEnd();
  });
});

describe('what never ends, or is too much', () => {
  let fake: FakeSetting;
  beforeAll(async () => {
    fake = await setUpFake({
      requests: {
        head: '4KiB',
        headers: 20,
        json: '64KiB',
        depth: 16,
        connections: 8,
        headTimeout: '300ms',
        bodyTimeout: '300ms',
      },
    });
  });
  afterAll(() => fake.close());

  const create = 'POST /v1.51/containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n';

  test.each([
    ['a head that does not end', 'GET /_ping HTTP/1.1\r\nHost: d\r\nX-', 408, 'too-slow'],
    ['a body that does not end', `${create}Content-Length: 50\r\n\r\n{"Image":`, 408, 'too-slow'],
    ['chunks that do not end', `${create}Transfer-Encoding: chunked\r\n\r\n5\r\n{"Ima\r\n`, 408, 'too-slow'],
    ['a long head', `GET /_ping HTTP/1.1\r\nHost: d\r\nX-A: ${'a'.repeat(5000)}\r\n\r\n`, 431, 'head-too-large'],
    ['a long target', `GET /_ping?${'a'.repeat(5000)} HTTP/1.1\r\nHost: d\r\n\r\n`, 431, 'head-too-large'],
    ['many headers', `GET /_ping HTTP/1.1\r\nHost: d\r\n${'X-A: b\r\n'.repeat(25)}\r\n`, 431, 'head-too-large'],
    ['a large body', `${create}Content-Length: 100000\r\n\r\n`, 413, 'body-too-large'],
    [
      'large chunks',
      `${create}Transfer-Encoding: chunked\r\n\r\n186a0\r\n${'a'.repeat(100_000)}`,
      413,
      'body-too-large',
    ],
  ])('13: such as %s is refused', async (_, bytes, status, code) => {
    fake.engine.received.length = 0;
    const client = await RawClient.connect(fake.through);
    client.send(bytes);
    const refused = await client.answer();
    expect([refused.status, refused.header('berthgate-refusal')]).toEqual([status, code]);
    expect(refused.json().message).toMatch(/^berthgate: /);
    // What has been refused may still come, and is read over; a slow one gets no second chance.
    if (status !== 413) await client.toEnd();
    client.destroy();
    expect(fake.asked()).toEqual([]);
  });

  test('13: such as a document of 50,000 depths is refused', async () => {
    for (const deep of [`{"Labels":${'{"a":'.repeat(10_000)}`, '['.repeat(50_000)]) {
      const refused = await ask(fake.through, 'POST', '/v1.51/containers/create', {
        headers: { 'Content-Type': 'application/json' },
        body: deep,
      });
      expect([refused.status, refused.json().message]).toEqual([400, expect.stringContaining('nested deeper than 16')]);
    }
    expect(fake.asked()).toEqual([]);
  });

  test('13: such as a document of millions of values, each of which is to be judged, is refused', async () => {
    const create = (count: number): Promise<WholeAnswer> =>
      ask(fake.through, 'POST', '/v1.51/containers/create', {
        headers: { 'Content-Type': 'application/json' },
        body: `{"Image":"busybox","Cmd":[${'0,'.repeat(count)}0]}`,
      });
    const refused = await create(20_000);
    expect([refused.status, refused.json().message]).toEqual([400, expect.stringContaining('more than 20000 values')]);
    expect(fake.asked()).toEqual([]);
    // The control: what is less is judged.
    expect((await create(19_000)).json().message).not.toContain('values');
  });

  test('13: such as more connections than there may be is refused, and those that are there live on', async () => {
    const crowded = await setUpFake({ requests: { connections: 8 } });
    await expect.poll(() => crowded.connections()).toBe(0);
    const open: RawClient[] = [];
    for (let count = 0; count < 8; count++) {
      const client = await RawClient.connect(crowded.through);
      client.send(requestBytes('GET', '/_ping'));
      expect((await client.answer()).status).toBe(200);
      open.push(client);
    }
    const refused = await say(crowded.through, requestBytes('GET', '/_ping'));
    expect([refused?.status, refused?.header('berthgate-refusal')]).toEqual([429, 'too-many-connections']);
    for (const client of open) {
      client.send(requestBytes('GET', '/_ping'));
      expect((await client.answer()).status).toBe(200);
      client.destroy();
    }
    await crowded.close();
  });
});

describeAttacks('a slow head', (setting) => {
  test('13: is cut by us while the engine goes on waiting', async () => {
    const berthgate = await serveInFrontOf(setting.engine.host, { requests: { headTimeout: '300ms' } });
    const [direct, through] = await Promise.all([
      RawClient.connect(setting.direct),
      RawClient.connect(berthgate.socket),
    ]);
    for (const client of [direct, through]) client.send('GET /_ping HTTP/1.1\r\nHost: d\r\nX-A');
    expect((await through.answer()).status).toBe(408);
    await through.toEnd();
    expect(direct.ended).toBe(false);
    direct.send(': b\r\n\r\n');
    expect((await direct.answer()).status).toBe(200);
    direct.destroy();
    await berthgate.stop();
  });
});

describe('headers', () => {
  let fake: FakeSetting;
  beforeAll(async () => {
    fake = await setUpFake();
  });
  afterAll(() => fake.close());

  async function carried(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body?: unknown,
  ): Promise<readonly string[]> {
    fake.engine.received.length = 0;
    const answer = await ask(fake.through, method, path, { headers, ...(body === undefined ? {} : { body }) });
    expect(answer.status, answer.text).toBeLessThan(300);
    const [received] = fake.engine.received;
    return (received?.request.headers ?? []).map(([name, value]) => `${name.toLowerCase()}: ${value}`).sort();
  }

  test('14: that an endpoint has no use for do not reach the engine', async () => {
    const headers = {
      'X-Registry-Auth': 'e30=',
      'X-Registry-Config': 'e30=',
      'X-Meta-Token': 'x',
      'X-Forwarded-For': '1.2.3.4',
      Forwarded: 'for=1.2.3.4',
      Accept: 'application/json-seq',
      'Accept-Encoding': 'gzip',
      Cookie: 'a=b',
      Origin: 'http://evil.example',
      Range: 'bytes=0-1',
      TE: 'trailers',
      'X-HTTP-Method-Override': 'DELETE',
    };
    expect(await carried('GET', '/v1.51/containers/web/json', headers)).toEqual(['host: docker']);
  });

  test('14: with credentials that this listener does not take end the call, and reach no engine', async () => {
    fake.engine.received.length = 0;
    const headers = { Authorization: 'Basic eDp5' };
    expect((await ask(fake.through, 'GET', '/v1.51/containers/web/json', { headers })).status).toBe(401);
    expect(fake.asked()).toEqual([]);
  });

  test('14: that it has a use for do, once, and not when they are doubled', async () => {
    const auth = 'eyJ1c2VybmFtZSI6ImEifQ==';
    expect(await carried('POST', '/v1.51/images/a/push?tag=x', { 'X-Registry-Auth': auth, 'X-Meta-A': 'b' })).toContain(
      `x-registry-auth: ${auth}`,
    );
    fake.engine.received.length = 0;
    const doubled = await say(
      fake.through,
      `POST /v1.51/images/a/push?tag=x HTTP/1.1\r\nHost: d\r\nX-Registry-Auth: e30=\r\nx-registry-auth: ${auth}\r\n\r\n`,
    );
    expect([doubled?.status, doubled?.header('berthgate-refusal')]).toEqual([400, 'unreadable-header']);
    expect(fake.asked()).toEqual([]);
  });

  test('14: named by Connection do not take others away, nor with them', async () => {
    const headers = { Connection: 'keep-alive, X-Registry-Auth, Content-Type, Host', 'X-Registry-Auth': 'e30=' };
    const lines = await carried('POST', '/v1.51/volumes/create', headers, { Name: 'x' });
    expect(lines).toContain('host: docker');
    expect(lines).toContain('content-type: application/json');
  });

  test('14: say of whom the engine is asked nothing that the client has chosen', async () => {
    const lines = await carried('GET', '/v1.51/containers/web/json', { Host: 'evil.example' }).catch(() => []);
    expect(lines.filter((line) => line.includes('evil'))).toEqual([]);
  });

  test('14: with an expectation that nobody knows are refused', async () => {
    const refused = await ask(fake.through, 'GET', '/v1.51/containers/web/json', {
      headers: { Expect: 'the-unexpected' },
    });
    expect(refused.status).toBe(417);
  });
});
