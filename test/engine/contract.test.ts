// What the way of a call relies on, held against the fake engine and every real one: where they differ, the fake is wrong.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { engines } from '../engines/index.ts';
import { FakeEngine } from './fake-engine.ts';
import { ask, RawClient, requestBytes, splitFrames, type WholeAnswer } from './raw-client.ts';
import { makeTar } from './tar.ts';

interface Subject {
  readonly name: string;
  readonly newest: string;
  readonly fake: boolean;
  open(): Promise<string>;
  close(): Promise<void>;
}

const real: readonly Subject[] = engines()
  .filter(({ socket }) => socket !== '')
  .map(({ name, apiVersion, socket }) => ({
    name,
    newest: apiVersion,
    fake: false,
    open: async () => socket,
    close: async () => {},
  }));

function fake(newest: number): Subject {
  let engine: FakeEngine | undefined;
  return {
    name: `fake 1.${newest}`,
    newest: `1.${newest}`,
    fake: true,
    open: async () => {
      engine = await FakeEngine.start({ newest });
      return engine.socket;
    },
    close: async () => engine?.stop(),
  };
}

const TAG = `contract-${randomBytes(3).toString('hex')}`;
const UPGRADE = { Connection: 'Upgrade', Upgrade: 'tcp' };

describe.each([fake(41), fake(51), ...real])('an engine [$name]', ({ newest, open, close }) => {
  let socket = '';
  const made: string[] = [];
  const minor = Number(newest.slice(2));
  const multiplexed = minor >= 42 ? 'application/vnd.docker.multiplexed-stream' : 'application/vnd.docker.raw-stream';

  beforeAll(async () => {
    socket = await open();
  });
  afterAll(async () => {
    for (const id of made) await ask(socket, 'DELETE', `/containers/${id}?force=1&v=1`);
    await close();
  });

  const call = (method: string, path: string, given = {}) => ask(socket, method, `/v${newest}${path}`, given);

  async function create(config: Readonly<Record<string, unknown>>): Promise<string> {
    const answer = await call('POST', '/containers/create', { body: { Image: 'busybox', ...config } });
    expect(answer.status, answer.text).toBe(201);
    const { Id } = answer.json<{ Id: string }>();
    made.push(Id);
    return Id;
  }

  async function started(config: Readonly<Record<string, unknown>>): Promise<string> {
    const id = await create(config);
    expect((await call('POST', `/containers/${id}/start`)).status).toBe(204);
    return id;
  }

  async function sending(method: string, path: string, given = {}): Promise<RawClient> {
    const client = await RawClient.connect(socket);
    return client.send(requestBytes(method, `/v${newest}${path}`, given));
  }

  function expectMessage(answer: WholeAnswer, status: number, words: RegExp): void {
    expect(answer.text).toMatch(words);
    expect(answer.status).toBe(status);
    expect(answer.header('content-type')).toBe('application/json');
    expect(Object.keys(answer.json())).toEqual(['message']);
    expect(answer.text.endsWith('}\n')).toBe(true);
  }

  describe('the ping', () => {
    test.each(['GET', 'HEAD'])('by %s tells the version in its headers', async (method) => {
      const answer = await ask(socket, method, '/_ping');
      expect(answer.status).toBe(200);
      expect(answer.header('api-version')).toBe(newest);
      expect(answer.header('ostype')).toBe('linux');
      expect(answer.header('docker-experimental')).toBe('false');
      expect(answer.header('content-type')).toBe('text/plain; charset=utf-8');
      expect(answer.text).toBe(method === 'GET' ? 'OK' : '');
    });

    test('is answered with a version in its path too', async () => {
      expect((await call('GET', '/_ping')).text).toBe('OK');
    });
  });

  describe('versions', () => {
    test('stand in the answer to /version', async () => {
      const answer = await ask(socket, 'GET', '/version');
      expect(answer.json().ApiVersion).toBe(newest);
      expect(answer.header('api-version')).toBe(newest);
    });

    test('may be left out of the path', async () => {
      expect((await ask(socket, 'GET', '/containers/json')).status).toBe(200);
    });

    test('that are too new are refused by name', async () => {
      expectMessage(
        await ask(socket, 'GET', '/v1.999/info'),
        400,
        new RegExp(
          `"client version 1\\.999 is too new. Maximum supported API version is ${newest.replace('.', '\\.')}"`,
        ),
      );
    });

    test('that are too old are refused by name', async () => {
      const answer = await ask(socket, 'GET', '/v1.10/info');
      expect(answer.status).toBe(400);
      expect(answer.text).toMatch(
        /client version 1\.10 is too old\. Minimum supported API version is 1\.\d+, please upgrade your client to a newer version/,
      );
    });
  });

  describe('a path', () => {
    test.each([
      ['GET', '/nonsense'],
      ['DELETE', '/containers/json/json'],
      ['PATCH', '/info'],
      ['GET', '/containers/json/'],
      ['GET', '/Containers/json'],
      ['TRACE', '/info'],
    ])('such as %s %s is not found, in words that clients look for', async (method, path) => {
      const answer = await call(method, path);
      if (path === '/containers/json/json') expect(answer.status).toBe(404);
      else expectMessage(answer, 404, /^\{"message":"page not found"\}\n$/);
    });

    test('is asked for its options in vain, and the server itself too', async () => {
      for (const path of ['*', `/v${newest}/info`]) {
        const answer = await ask(socket, 'OPTIONS', path);
        expect(answer.status).toBe(200);
        expect(answer.header('content-length')).toBe('0');
      }
    });
  });

  describe('what is not there', () => {
    test.each([
      ['GET', '/containers/absent/json', /"No such container: absent"/],
      ['POST', '/containers/absent/start', /"No such container: absent"/],
      ['DELETE', '/containers/absent', /"No such container: absent"/],
      ['POST', '/containers/absent/wait', /"No such container: absent"/],
      ['GET', '/containers/absent/logs?stdout=1', /"No such container: absent"/],
      ['GET', '/volumes/absent', /"get absent: no such volume"/],
      ['DELETE', '/volumes/absent', /"get absent: no such volume"/],
      ['GET', '/networks/absent', /"network absent not found"/],
      ['DELETE', '/networks/absent', /"network absent not found"/],
      ['GET', '/images/absent/json', /o such image: absent:latest"/],
      ['GET', '/exec/absent/json', /"No such exec instance: absent"/],
    ])('is told by its name: %s %s', async (method, path, words) => {
      expectMessage(await call(method, path), 404, words);
    });

    test('as the image of a new container makes clients pull it', async () => {
      expectMessage(
        await call('POST', '/containers/create', { body: { Image: 'absent' } }),
        404,
        /"No such image: absent:latest"/,
      );
    });

    test('is told to one who attaches as plain text without a length', async () => {
      const client = await sending('POST', '/containers/absent/attach?stream=1&stdout=1', { headers: UPGRADE });
      const head = await client.head();
      expect(head.status).toBe(404);
      expect(head.header('content-type')).toBe('application/vnd.docker.raw-stream');
      expect(head.header('content-length')).toBeUndefined();
      expect((await client.toEnd()).toString()).toBe('No such container: absent\r\n');
    });
  });

  describe('a body', () => {
    test('of another media type, or of none, is refused', async () => {
      for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
        const headers = { 'Content-Type': type };
        expectMessage(
          await call('POST', '/containers/create', { headers, body: '{"Image":"busybox"}' }),
          400,
          /Content-Type/,
        );
      }
      expectMessage(await call('POST', '/containers/create', { body: '{"Image":"busybox"}' }), 400, /Content-Type/);
    });

    test('that says nothing makes no container', async () => {
      expectMessage(await call('POST', '/containers/create', { body: {} }), 400, /onfig cannot be empty/);
    });

    test('may have parameters in its media type, and come in chunks', async () => {
      const client = await RawClient.connect(socket);
      client.send(
        `POST /v${newest}/volumes/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json; charset=utf-8\r\n` +
          `Transfer-Encoding: chunked\r\n\r\n4\r\n{"Na\r\n${(TAG.length + 7).toString(16)}\r\nme":"${TAG}"}\r\n0\r\n\r\n`,
      );
      const answer = await client.answer();
      expect(answer.status).toBe(201);
      expect(answer.json().Name).toBe(TAG);
      client.destroy();
      expect((await call('DELETE', `/volumes/${TAG}`)).status).toBe(204);
    });

    test('that is announced with Expect is asked for', async () => {
      const client = await sending('POST', '/volumes/create', {
        headers: { Expect: '100-continue', 'Content-Type': 'application/json', 'Content-Length': '2' },
      });
      expect((await client.head()).status).toBe(100);
      client.send('{}');
      const answer = await client.answer();
      expect(answer.status).toBe(201);
      client.destroy();
      await call('DELETE', `/volumes/${answer.json().Name}`);
    });
  });

  describe('a container', () => {
    test('is made, found by name, id and prefix, renamed, and refused a name that is taken', async () => {
      const answer = await call('POST', `/containers/create?name=${TAG}`, {
        body: { Image: 'busybox', Labels: { a: 'b' } },
      });
      const { Id, Warnings } = answer.json<{ Id: string; Warnings: unknown }>();
      made.push(Id);
      expect(answer.status).toBe(201);
      expect(Id).toMatch(/^[0-9a-f]{64}$/);
      expect(Warnings).toEqual([]);
      for (const reference of [TAG, Id, Id.slice(0, 20)]) {
        const found = await call('GET', `/containers/${reference}/json`);
        expect(found.json()).toMatchObject({
          Id,
          Name: `/${TAG}`,
          Config: { Labels: { a: 'b' } },
          State: { Status: 'created' },
        });
      }
      expectMessage(
        await call('POST', `/containers/create?name=${TAG}`, { body: { Image: 'busybox' } }),
        409,
        new RegExp(`Conflict. The container name \\\\"/${TAG}\\\\" is already in use by container \\\\"${Id}\\\\"`),
      );
      expect((await call('POST', `/containers/${TAG}/rename?name=${TAG}-2`)).status).toBe(204);
      const listed = (await call('GET', `/containers/json?all=1`)).json<{ Id: string; Names: string[] }[]>();
      expect(listed.find((container) => container.Id === Id)?.Names).toEqual([`/${TAG}-2`]);
    });

    test('is refused a name that is none', async () => {
      expectMessage(
        await call('POST', '/containers/create?name=-x', { body: { Image: 'busybox' } }),
        400,
        /Invalid container name/,
      );
    });

    test('that runs is not started again and not removed, and one that does not is not stopped or killed', async () => {
      const id = await started({ Cmd: ['sleep', '1000'] });
      expect((await call('POST', `/containers/${id}/start`)).status).toBe(304);
      expectMessage(await call('DELETE', `/containers/${id}`), 409, /remove .*running/);
      const kill = await call('POST', `/containers/${id}/kill`);
      expect(kill.status).toBe(204);
      expect(kill.header('content-length')).toBeUndefined();
      expect((await call('POST', `/containers/${id}/wait`)).json().StatusCode).toBe(137);
      expect((await call('POST', `/containers/${id}/stop`)).status).toBe(304);
      expectMessage(await call('POST', `/containers/${id}/kill`), 409, new RegExp(`${id} is not running`));
      expectMessage(
        await call('POST', `/containers/${id}/exec`, { body: { Cmd: ['true'] } }),
        409,
        new RegExp(`${id} is not running`),
      );
      expect((await call('DELETE', `/containers/${id}`)).status).toBe(204);
      expectMessage(await call('DELETE', `/containers/${id}`), 404, /No such container/);
    });
  });

  describe('one who attaches', () => {
    const interactive = { Cmd: ['cat'], OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true };
    const streams = 'stream=1&stdin=1&stdout=1&stderr=1';

    test.each([
      ['with Upgrade', UPGRADE],
      ['with Upgrade alone', { Upgrade: 'tcp' }],
      ['the old way', {}],
    ])('%s gets both ways, and a half-close ends only the input', async (_, headers) => {
      const id = await create(interactive);
      const client = await sending('POST', `/containers/${id}/attach?${streams}`, { headers });
      const head = await client.head();
      const upgraded = 'Upgrade' in headers;
      expect([head.status, head.reason]).toEqual(upgraded ? [101, 'UPGRADED'] : [200, 'OK']);
      expect(head.header('content-type')).toBe(upgraded ? multiplexed : 'application/vnd.docker.raw-stream');
      expect(head.header('upgrade')).toBe(upgraded ? 'tcp' : undefined);
      expect(head.header('content-length')).toBeUndefined();
      expect((await call('POST', `/containers/${id}/start`)).status).toBe(204);
      client.send('one\n');
      expect((await client.bytes(12)).toString('latin1')).toBe('\x01\0\0\0\0\0\0\x04one\n');
      client.send('two\n').end();
      expect(splitFrames(await client.toEnd())).toEqual([[1, 'two\n']]);
      expect((await call('POST', `/containers/${id}/wait`)).json().StatusCode).toBe(0);
    });

    test('to a terminal gets raw bytes', async () => {
      const id = await create({ Cmd: ['sh', '-c', 'echo out; echo err >&2'], Tty: true });
      const client = await sending('POST', `/containers/${id}/attach?${streams}`, { headers: UPGRADE });
      expect((await client.head()).header('content-type')).toBe('application/vnd.docker.raw-stream');
      await call('POST', `/containers/${id}/start`);
      expect((await client.toEnd()).toString()).toBe('out\r\nerr\r\n');
    });

    test('gets the two outputs apart', async () => {
      const id = await create({ Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 3'] });
      const client = await sending('POST', `/containers/${id}/attach?${streams}`, { headers: UPGRADE });
      await client.head();
      await call('POST', `/containers/${id}/start`);
      const frames = splitFrames(await client.toEnd());
      expect([...frames].sort()).toEqual([
        [1, 'out\n'],
        [2, 'err\n'],
      ]);
      expect((await call('POST', `/containers/${id}/wait`)).json().StatusCode).toBe(3);
    });
  });

  describe('an exec', () => {
    test.each([
      ['with Upgrade', UPGRADE],
      ['the old way', {}],
    ])('started %s gets both ways, and its input ends with a half-close', async (_, headers) => {
      const id = await started({ Cmd: ['sleep', '1000'] });
      const command = ['sh', '-c', 'cat; exit 5'];
      const exec = { Cmd: command, AttachStdin: true, AttachStdout: true, AttachStderr: true };
      const prepared = await call('POST', `/containers/${id}/exec`, { body: exec });
      expect(prepared.status).toBe(201);
      const { Id } = prepared.json<{ Id: string }>();
      expect(Id).toMatch(/^[0-9a-f]{64}$/);
      const client = await sending('POST', `/exec/${Id}/start`, { headers, body: { Detach: false, Tty: false } });
      const head = await client.head();
      expect(head.status).toBe('Upgrade' in headers ? 101 : 200);
      expect(head.header('api-version')).toBe('Upgrade' in headers ? newest : head.header('api-version'));
      client.send('input\n').end();
      expect(splitFrames(await client.toEnd())).toEqual([[1, 'input\n']]);
      // The engine ends the stream a moment before it notes the exit.
      await expect
        .poll(async () => (await call('GET', `/exec/${Id}/json`)).json())
        .toMatchObject({
          ID: Id,
          ContainerID: id,
          Running: false,
          ExitCode: 5,
        });
      const again = await sending('POST', `/exec/${Id}/start`, { headers: UPGRADE, body: {} });
      expect((await again.toEnd()).toString('latin1')).toMatch(/has already run/);
      await call('DELETE', `/containers/${id}?force=1`);
    });
  });

  describe('a stream', () => {
    test('of a wait begins at once, and ends with the container', async () => {
      const id = await create({ Cmd: ['cat'], OpenStdin: true });
      const client = await sending('POST', `/containers/${id}/wait?condition=next-exit`);
      const head = await client.head();
      expect(head.status).toBe(200);
      expect(head.header('transfer-encoding')).toBe('chunked');
      expect(client.unread.length).toBe(0);
      await call('POST', `/containers/${id}/start`);
      await call('POST', `/containers/${id}/kill`);
      expect(JSON.parse((await client.body(head)).toString()).StatusCode).toBe(137);
      client.destroy();
    });

    test('of events is one JSON document a line, each at once', async () => {
      const client = await sending('GET', `/events?filters=${encodeURIComponent('{"type":{"volume":true}}')}`);
      const head = await client.head();
      expect(head.header('content-type')).toBe('application/json');
      expect(head.header('transfer-encoding')).toBe('chunked');
      const name = `${TAG}-events`;
      const { status } = await call('POST', '/volumes/create', { body: { Name: name } });
      expect(status).toBe(201);
      let line = '';
      do line = (await client.chunk())?.toString() ?? '';
      while (!line.includes(name));
      expect(line.endsWith('}\n')).toBe(true);
      expect(JSON.parse(line)).toMatchObject({ Type: 'volume', Action: 'create', Actor: { ID: name }, scope: 'local' });
      await call('DELETE', `/volumes/${name}`);
      client.destroy();
    });

    test('ends when the client ends its half', async () => {
      const client = await sending('GET', '/events');
      await client.head();
      client.end();
      await client.toEnd();
      expect(client.fault).toBeNull();
    });

    test('of logs is in frames, follows, and ends with the container', async () => {
      const id = await started({ Cmd: ['sh', '-c', 'echo out; cat; echo err >&2'], OpenStdin: true });
      const client = await sending('GET', `/containers/${id}/logs?stdout=1&stderr=1&follow=1`);
      const head = await client.head();
      expect(head.header('content-type')).toBe(minor >= 42 ? multiplexed : undefined);
      expect((await client.chunk())?.toString('latin1')).toContain('out\n');
      await call('POST', `/containers/${id}/kill`);
      await client.body(head);
      const whole = await call('GET', `/containers/${id}/logs?stdout=1&stderr=0`);
      expect(splitFrames(whole.body)).toEqual([[1, 'out\n']]);
      expectMessage(await call('GET', `/containers/${id}/logs`), 400, /must choose at least one stream/);
      client.destroy();
    });

    test.each([
      ['POST', '/session', 400, /"no upgrade proto in request"/],
      ['POST', '/grpc', 500, /"no upgrade proto in request"/],
    ])('of gRPC is refused without an upgrade: %s %s', async (method, path, status, words) => {
      expectMessage(await call(method, path), status, words);
    });

    test('of gRPC begins with a 101, and with the settings of HTTP/2', async () => {
      const client = await sending('POST', '/grpc', { headers: { Connection: 'Upgrade', Upgrade: 'h2c' } });
      const head = await client.head();
      expect([head.status, head.header('upgrade')]).toEqual([101, 'h2c']);
      client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
      expect((await client.bytes(9))[3]).toBe(4);
      client.destroy();
    });

    test('of websockets needs a websocket', async () => {
      const id = await create({ Cmd: ['cat'], OpenStdin: true });
      const client = await sending('GET', `/containers/${id}/attach/ws?stream=1`);
      expect((await client.toEnd()).toString()).toMatch(
        /^HTTP\/1\.1 400 Bad Request\r\n(.|\r\n)*not websocket protocol$/,
      );
    });
  });

  describe('an upload', () => {
    test('of a tar may come in chunks, and the connection is kept', async () => {
      const id = await create({});
      const tar = makeTar({ 'file.txt': 'content\n' });
      const client = await RawClient.connect(socket);
      client.send(
        `PUT /v${newest}/containers/${id}/archive?path=/tmp HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n`,
      );
      for (let at = 0; at < tar.length; at += 700) {
        const piece = tar.subarray(at, at + 700);
        client
          .send(`${piece.length.toString(16)}\r\n`)
          .send(piece)
          .send('\r\n');
      }
      client.send('0\r\n\r\n');
      expect((await client.answer()).status).toBe(200);
      client.send(requestBytes('GET', '/_ping'));
      expect((await client.answer()).text).toBe('OK');
      client.destroy();
    });

    test('that is refused is answered before it has come whole, once it is longer than is read for nothing', async () => {
      const id = await create({});
      const client = await RawClient.connect(socket);
      client.send(
        `PUT /v${newest}/containers/${id}/archive?path=/absent HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n`,
      );
      const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000), Buffer.from('\r\n')]);
      for (let sent = 0; sent <= 256 * 1024; sent += 0x10000) client.send(chunk);
      const answer = await client.answer();
      expectMessage(answer, 404, /Could not find the file \/absent in container/);
      expect(answer.header('connection')).toBe('close');
      client.destroy();
    });
  });

  describe('a connection', () => {
    test('is kept from call to call, also behind a refusal and an empty answer', async () => {
      const client = await RawClient.connect(socket);
      const id = await create({});
      for (const [method, path, status] of [
        ['GET', '/_ping', 200],
        ['GET', `/v${newest}/containers/absent/json`, 404],
        ['POST', `/v${newest}/containers/${id}/rename?name=${TAG}-kept`, 204],
        ['HEAD', '/_ping', 200],
        ['GET', `/v${newest}/nonsense`, 404],
        ['POST', `/v${newest}/containers/${id}/stop`, 304],
        ['GET', '/_ping', 200],
      ] as const) {
        client.send(requestBytes(method, path));
        expect((await client.answer(method)).status).toBe(status);
      }
      expect(client.ended).toBe(false);
      client.destroy();
    });

    test('answers in the order of the questions', async () => {
      const client = await RawClient.connect(socket);
      client.send(
        Buffer.concat([
          requestBytes('GET', '/_ping'),
          requestBytes('GET', `/v${newest}/nonsense`),
          requestBytes('GET', '/_ping'),
        ]),
      );
      const answers = [await client.answer(), await client.answer(), await client.answer()];
      expect(answers.map(({ status }) => status)).toEqual([200, 404, 200]);
      client.destroy();
    });

    test('ends where the client asks for it', async () => {
      const client = await RawClient.connect(socket);
      client.send(requestBytes('GET', '/_ping', { headers: { Connection: 'close' } }));
      expect((await client.toEnd()).toString()).toMatch(/OK$/);
    });
  });
});
