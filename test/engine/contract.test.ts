// What the way of a call relies on, held against the fake engine and every real one: where they differ, the fake is wrong.
import { describe, expect, test } from 'vitest';
import { describeContract, expectMessage, TAG, UPGRADE } from './contract-subjects.ts';
import { ask, RawClient, requestBytes } from './raw-client.ts';

describeContract('an engine', (subject) => {
  describe('the ping', () => {
    test.each(['GET', 'HEAD'])('by %s tells the version in its headers', async (method) => {
      const answer = await ask(subject.socket, method, '/_ping');
      expect(answer.status).toBe(200);
      expect(answer.header('api-version')).toBe(subject.newest);
      expect(answer.header('ostype')).toBe('linux');
      expect(answer.header('docker-experimental')).toBe('false');
      expect(answer.header('content-type')).toBe('text/plain; charset=utf-8');
      expect(answer.text).toBe(method === 'GET' ? 'OK' : '');
    });

    test('is answered with a version in its path too', async () => {
      expect((await subject.call('GET', '/_ping')).text).toBe('OK');
    });
  });

  describe('versions', () => {
    test('stand in the answer to /version', async () => {
      const answer = await ask(subject.socket, 'GET', '/version');
      expect(answer.json().ApiVersion).toBe(subject.newest);
      expect(answer.header('api-version')).toBe(subject.newest);
    });

    test('may be left out of the path', async () => {
      expect((await ask(subject.socket, 'GET', '/containers/json')).status).toBe(200);
    });

    test('that are too new are refused by name', async () => {
      expectMessage(
        await ask(subject.socket, 'GET', '/v1.999/info'),
        400,
        new RegExp(
          `"client version 1\\.999 is too new. Maximum supported API version is ${subject.newest.replace('.', '\\.')}"`,
        ),
      );
    });

    test('that are too old are refused by name', async () => {
      const answer = await ask(subject.socket, 'GET', '/v1.10/info');
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
      const answer = await subject.call(method, path);
      if (path === '/containers/json/json') expect(answer.status).toBe(404);
      else expectMessage(answer, 404, /^\{"message":"page not found"\}\n$/);
    });

    test('is asked for its options in vain, and the server itself too', async () => {
      for (const path of ['*', `/v${subject.newest}/info`]) {
        const answer = await ask(subject.socket, 'OPTIONS', path);
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
      expectMessage(await subject.call(method, path), 404, words);
    });

    test('as the image of a new container makes clients pull it', async () => {
      expectMessage(
        await subject.call('POST', '/containers/create', { body: { Image: 'absent' } }),
        404,
        /"No such image: absent:latest"/,
      );
    });

    test('is told to one who attaches as plain text without a length', async () => {
      const client = await subject.sending('POST', '/containers/absent/attach?stream=1&stdout=1', { headers: UPGRADE });
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
          await subject.call('POST', '/containers/create', { headers, body: '{"Image":"busybox"}' }),
          400,
          /Content-Type/,
        );
      }
      expectMessage(
        await subject.call('POST', '/containers/create', { body: '{"Image":"busybox"}' }),
        400,
        /Content-Type/,
      );
    });

    test('that says nothing makes no container', async () => {
      expectMessage(await subject.call('POST', '/containers/create', { body: {} }), 400, /onfig cannot be empty/);
    });

    test('may have parameters in its media type, and come in chunks', async () => {
      const client = await RawClient.connect(subject.socket);
      client.send(
        `POST /v${subject.newest}/volumes/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json; charset=utf-8\r\n` +
          `Transfer-Encoding: chunked\r\n\r\n4\r\n{"Na\r\n${(TAG.length + 7).toString(16)}\r\nme":"${TAG}"}\r\n0\r\n\r\n`,
      );
      const answer = await client.answer();
      expect(answer.status).toBe(201);
      expect(answer.json().Name).toBe(TAG);
      client.destroy();
      expect((await subject.call('DELETE', `/volumes/${TAG}`)).status).toBe(204);
    });

    test('that is announced with Expect is asked for', async () => {
      const client = await subject.sending('POST', '/volumes/create', {
        headers: { Expect: '100-continue', 'Content-Type': 'application/json', 'Content-Length': '2' },
      });
      expect((await client.head()).status).toBe(100);
      client.send('{}');
      const answer = await client.answer();
      expect(answer.status).toBe(201);
      client.destroy();
      await subject.call('DELETE', `/volumes/${answer.json().Name}`);
    });
  });

  describe('a container', () => {
    test('is made, found by name, id and prefix, renamed, and refused a name that is taken', async () => {
      const answer = await subject.call('POST', `/containers/create?name=${TAG}`, {
        body: { Image: 'busybox', Labels: { a: 'b' } },
      });
      const { Id, Warnings } = answer.json<{ Id: string; Warnings: unknown }>();
      subject.remember(Id);
      expect(answer.status).toBe(201);
      expect(Id).toMatch(/^[0-9a-f]{64}$/);
      expect(Warnings).toEqual([]);
      for (const reference of [TAG, Id, Id.slice(0, 20)]) {
        const found = await subject.call('GET', `/containers/${reference}/json`);
        expect(found.json()).toMatchObject({
          Id,
          Name: `/${TAG}`,
          Config: { Labels: { a: 'b' } },
          State: { Status: 'created' },
        });
      }
      expectMessage(
        await subject.call('POST', `/containers/create?name=${TAG}`, { body: { Image: 'busybox' } }),
        409,
        new RegExp(`Conflict. The container name \\\\"/${TAG}\\\\" is already in use by container \\\\"${Id}\\\\"`),
      );
      expect((await subject.call('POST', `/containers/${TAG}/rename?name=${TAG}-2`)).status).toBe(204);
      const listed = (await subject.call('GET', `/containers/json?all=1`)).json<{ Id: string; Names: string[] }[]>();
      expect(listed.find((container) => container.Id === Id)?.Names).toEqual([`/${TAG}-2`]);
    });

    test('is refused a name that is none', async () => {
      expectMessage(
        await subject.call('POST', '/containers/create?name=-x', { body: { Image: 'busybox' } }),
        400,
        /Invalid container name/,
      );
    });

    test('that runs is not started again and not removed, and one that does not is not stopped or killed', async () => {
      const id = await subject.started({ Cmd: ['sleep', '1000'] });
      expect((await subject.call('POST', `/containers/${id}/start`)).status).toBe(304);
      expectMessage(await subject.call('DELETE', `/containers/${id}`), 409, /remove .*running/);
      const kill = await subject.call('POST', `/containers/${id}/kill`);
      expect(kill.status).toBe(204);
      expect(kill.header('content-length')).toBeUndefined();
      expect((await subject.call('POST', `/containers/${id}/wait`)).json().StatusCode).toBe(137);
      expect((await subject.call('POST', `/containers/${id}/stop`)).status).toBe(304);
      expectMessage(await subject.call('POST', `/containers/${id}/kill`), 409, new RegExp(`${id} is not running`));
      expectMessage(
        await subject.call('POST', `/containers/${id}/exec`, { body: { Cmd: ['true'] } }),
        409,
        new RegExp(`${id} is not running`),
      );
      expect((await subject.call('DELETE', `/containers/${id}`)).status).toBe(204);
      expectMessage(await subject.call('DELETE', `/containers/${id}`), 404, /No such container/);
    });
  });

  describe('a connection', () => {
    test('is kept from call to call, also behind a refusal and an empty answer', async () => {
      const client = await RawClient.connect(subject.socket);
      const id = await subject.create({});
      for (const [method, path, status] of [
        ['GET', '/_ping', 200],
        ['GET', `/v${subject.newest}/containers/absent/json`, 404],
        ['POST', `/v${subject.newest}/containers/${id}/rename?name=${TAG}-kept`, 204],
        ['HEAD', '/_ping', 200],
        ['GET', `/v${subject.newest}/nonsense`, 404],
        ['POST', `/v${subject.newest}/containers/${id}/stop`, 304],
        ['GET', '/_ping', 200],
      ] as const) {
        client.send(requestBytes(method, path));
        expect((await client.answer(method)).status).toBe(status);
      }
      expect(client.ended).toBe(false);
      client.destroy();
    });

    test('answers in the order of the questions', async () => {
      const client = await RawClient.connect(subject.socket);
      client.send(
        Buffer.concat([
          requestBytes('GET', '/_ping'),
          requestBytes('GET', `/v${subject.newest}/nonsense`),
          requestBytes('GET', '/_ping'),
        ]),
      );
      const answers = [await client.answer(), await client.answer(), await client.answer()];
      expect(answers.map(({ status }) => status)).toEqual([200, 404, 200]);
      client.destroy();
    });

    test('ends where the client asks for it', async () => {
      const client = await RawClient.connect(subject.socket);
      client.send(requestBytes('GET', '/_ping', { headers: { Connection: 'close' } }));
      expect((await client.toEnd()).toString()).toMatch(/OK$/);
    });
  });
});
