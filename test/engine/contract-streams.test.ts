// The same for what goes on for long: attached input and output, streams, uploads.
import { describe, expect, test } from 'vitest';
import { describeContract, expectMessage, TAG, UPGRADE } from './contract-subjects.ts';
import { RawClient, requestBytes, splitFrames } from './raw-client.ts';
import { makeTar } from './tar.ts';

describeContract('the streams of an engine', (subject) => {
  describe('one who attaches', () => {
    const interactive = { Cmd: ['cat'], OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true };
    const streams = 'stream=1&stdin=1&stdout=1&stderr=1';

    test.each([
      ['with Upgrade', UPGRADE],
      ['with Upgrade alone', { Upgrade: 'tcp' }],
      ['the old way', {}],
    ])('%s gets both ways, and a half-close ends only the input', async (_, headers) => {
      const id = await subject.create(interactive);
      const client = await subject.sending('POST', `/containers/${id}/attach?${streams}`, { headers });
      const head = await client.head();
      const upgraded = 'Upgrade' in headers;
      expect([head.status, head.reason]).toEqual(upgraded ? [101, 'UPGRADED'] : [200, 'OK']);
      expect(head.header('content-type')).toBe(upgraded ? subject.multiplexed : 'application/vnd.docker.raw-stream');
      expect(head.header('upgrade')).toBe(upgraded ? 'tcp' : undefined);
      expect(head.header('content-length')).toBeUndefined();
      expect((await subject.call('POST', `/containers/${id}/start`)).status).toBe(204);
      client.send('one\n');
      expect((await client.bytes(12)).toString('latin1')).toBe('\x01\0\0\0\0\0\0\x04one\n');
      client.send('two\n').end();
      expect(splitFrames(await client.toEnd())).toEqual([[1, 'two\n']]);
      expect((await subject.call('POST', `/containers/${id}/wait`)).json().StatusCode).toBe(0);
    });

    test('to a terminal gets raw bytes', async () => {
      const id = await subject.create({ Cmd: ['sh', '-c', 'echo out; echo err >&2'], Tty: true });
      const client = await subject.sending('POST', `/containers/${id}/attach?${streams}`, { headers: UPGRADE });
      expect((await client.head()).header('content-type')).toBe('application/vnd.docker.raw-stream');
      await subject.call('POST', `/containers/${id}/start`);
      expect((await client.toEnd()).toString()).toBe('out\r\nerr\r\n');
    });

    test('gets the two outputs apart', async () => {
      const id = await subject.create({ Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 3'] });
      const client = await subject.sending('POST', `/containers/${id}/attach?${streams}`, { headers: UPGRADE });
      await client.head();
      await subject.call('POST', `/containers/${id}/start`);
      const frames = splitFrames(await client.toEnd());
      expect([...frames].sort()).toEqual([
        [1, 'out\n'],
        [2, 'err\n'],
      ]);
      expect((await subject.call('POST', `/containers/${id}/wait`)).json().StatusCode).toBe(3);
    });
  });

  describe('an exec', () => {
    test.each([
      ['with Upgrade', UPGRADE],
      ['the old way', {}],
    ])('started %s gets both ways, and its input ends with a half-close', async (_, headers) => {
      const id = await subject.started({ Cmd: ['sleep', '1000'] });
      const command = ['sh', '-c', 'cat; exit 5'];
      const exec = { Cmd: command, AttachStdin: true, AttachStdout: true, AttachStderr: true };
      const prepared = await subject.call('POST', `/containers/${id}/exec`, { body: exec });
      expect(prepared.status).toBe(201);
      const { Id } = prepared.json<{ Id: string }>();
      expect(Id).toMatch(/^[0-9a-f]{64}$/);
      const client = await subject.sending('POST', `/exec/${Id}/start`, {
        headers,
        body: { Detach: false, Tty: false },
      });
      const head = await client.head();
      expect(head.status).toBe('Upgrade' in headers ? 101 : 200);
      expect(head.header('api-version')).toBe('Upgrade' in headers ? subject.newest : head.header('api-version'));
      client.send('input\n').end();
      expect(splitFrames(await client.toEnd())).toEqual([[1, 'input\n']]);
      // The engine ends the stream a moment before it notes the exit.
      await expect
        .poll(async () => (await subject.call('GET', `/exec/${Id}/json`)).json())
        .toMatchObject({
          ID: Id,
          ContainerID: id,
          Running: false,
          ExitCode: 5,
        });
      const again = await subject.sending('POST', `/exec/${Id}/start`, { headers: UPGRADE, body: {} });
      expect((await again.toEnd()).toString('latin1')).toMatch(/has already run/);
      await subject.call('DELETE', `/containers/${id}?force=1`);
    });
  });

  describe('a stream', () => {
    test('of a wait begins at once, and ends with the container', async () => {
      const id = await subject.create({ Cmd: ['cat'], OpenStdin: true });
      const client = await subject.sending('POST', `/containers/${id}/wait?condition=next-exit`);
      const head = await client.head();
      expect(head.status).toBe(200);
      expect(head.header('transfer-encoding')).toBe('chunked');
      expect(client.unread.length).toBe(0);
      await subject.call('POST', `/containers/${id}/start`);
      await subject.call('POST', `/containers/${id}/kill`);
      expect(JSON.parse((await client.body(head)).toString()).StatusCode).toBe(137);
      client.destroy();
    });

    test('of events is one JSON document a line, each at once', async () => {
      const client = await subject.sending('GET', `/events?filters=${encodeURIComponent('{"type":{"volume":true}}')}`);
      const head = await client.head();
      expect(head.header('content-type')).toBe('application/json');
      expect(head.header('transfer-encoding')).toBe('chunked');
      const name = `${TAG}-events`;
      const { status } = await subject.call('POST', '/volumes/create', { body: { Name: name } });
      expect(status).toBe(201);
      let line = '';
      do line = (await client.chunk())?.toString() ?? '';
      while (!line.includes(name));
      expect(line.endsWith('}\n')).toBe(true);
      expect(JSON.parse(line)).toMatchObject({ Type: 'volume', Action: 'create', Actor: { ID: name }, scope: 'local' });
      await subject.call('DELETE', `/volumes/${name}`);
      client.destroy();
    });

    test('ends when the client ends its half', async () => {
      const client = await subject.sending('GET', '/events');
      await client.head();
      client.end();
      await client.toEnd();
      expect(client.fault).toBeNull();
    });

    test('of logs is in frames, follows, and ends with the container', async () => {
      const id = await subject.started({ Cmd: ['sh', '-c', 'echo out; cat; echo err >&2'], OpenStdin: true });
      const client = await subject.sending('GET', `/containers/${id}/logs?stdout=1&stderr=1&follow=1`);
      const head = await client.head();
      expect(head.header('content-type')).toBe(subject.minor >= 42 ? subject.multiplexed : undefined);
      expect((await client.chunk())?.toString('latin1')).toContain('out\n');
      await subject.call('POST', `/containers/${id}/kill`);
      await client.body(head);
      const whole = await subject.call('GET', `/containers/${id}/logs?stdout=1&stderr=0`);
      expect(splitFrames(whole.body)).toEqual([[1, 'out\n']]);
      expectMessage(await subject.call('GET', `/containers/${id}/logs`), 400, /must choose at least one stream/);
      client.destroy();
    });

    test.each([
      ['POST', '/session', 400, /"no upgrade proto in request"/],
      ['POST', '/grpc', 500, /"no upgrade proto in request"/],
    ])('of gRPC is refused without an upgrade: %s %s', async (method, path, status, words) => {
      expectMessage(await subject.call(method, path), status, words);
    });

    test('of gRPC begins with a 101, and with the settings of HTTP/2', async () => {
      const client = await subject.sending('POST', '/grpc', { headers: { Connection: 'Upgrade', Upgrade: 'h2c' } });
      const head = await client.head();
      expect([head.status, head.header('upgrade')]).toEqual([101, 'h2c']);
      client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
      expect((await client.bytes(9))[3]).toBe(4);
      client.destroy();
    });

    test('of websockets needs a websocket', async () => {
      const id = await subject.create({ Cmd: ['cat'], OpenStdin: true });
      const client = await subject.sending('GET', `/containers/${id}/attach/ws?stream=1`);
      expect((await client.toEnd()).toString()).toMatch(
        /^HTTP\/1\.1 400 Bad Request\r\n(.|\r\n)*not websocket protocol$/,
      );
    });
  });

  describe('an upload', () => {
    test('of a tar may come in chunks, and the connection is kept', async () => {
      const id = await subject.create({});
      const tar = makeTar({ 'file.txt': 'content\n' });
      const client = await RawClient.connect(subject.socket);
      client.send(
        `PUT /v${subject.newest}/containers/${id}/archive?path=/tmp HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n`,
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
      const id = await subject.create({});
      const client = await RawClient.connect(subject.socket);
      client.send(
        `PUT /v${subject.newest}/containers/${id}/archive?path=/absent HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n`,
      );
      const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000), Buffer.from('\r\n')]);
      for (let sent = 0; sent <= 256 * 1024; sent += 0x10000) client.send(chunk);
      const answer = await client.answer();
      expectMessage(answer, 404, /Could not find the file \/absent in container/);
      expect(answer.header('connection')).toBe('close');
      client.destroy();
    });
  });
});
