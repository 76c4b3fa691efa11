// Streams as clients speak them that are not the docker command: hijacks without an upgrade, websockets, half-closes.
import { once } from 'node:events';
import type net from 'node:net';
import { buffer } from 'node:stream/consumers';
import tls from 'node:tls';
import { expect, test } from 'vitest';
import WebSocket from 'ws';
import { describeThrough, type Way } from './through.ts';

async function created(way: Way, name: string, script: string, options: readonly string[] = ['-i']): Promise<string> {
  const own = way.own(name);
  await way.docker(['create', ...options, '--name', own, 'busybox', 'sh', '-c', script]);
  return own;
}

function write(socket: net.Socket, method: string, path: string, headers: readonly string[], body = ''): void {
  socket.write([`${method} ${path} HTTP/1.1`, 'Host: docker', ...headers, '', body].join('\r\n'));
}

async function opened(way: Way): Promise<net.Socket> {
  const socket = way.connect();
  await once(socket, socket instanceof tls.TLSSocket ? 'secureConnect' : 'connect');
  return socket;
}

/** The head, and what came behind it until the end. */
async function answerOf(socket: net.Socket): Promise<{ readonly status: string; readonly body: Buffer }> {
  const all = await buffer(socket);
  const end = all.indexOf('\r\n\r\n');
  return { status: all.subarray(0, all.indexOf('\r\n')).toString(), body: all.subarray(end + 4) };
}

const all = 'stream=1&stdin=1&stdout=1&stderr=1';

describeThrough('raw streams', (ways) => {
  for (const [kind, headers] of [
    ['with an upgrade', ['Connection: Upgrade', 'Upgrade: tcp']],
    ['without an upgrade', []],
    ['with an upgrade that Connection does not name', ['Upgrade: tcp']],
  ] as const) {
    test(`an attach ${kind} is a stream both ways, each of which ends by itself`, async () => {
      const came = await ways.same(
        async (way) => {
          const name = await created(way, 'attach', 'cat; echo ended; exit 3');
          const socket = await opened(way);
          write(socket, 'POST', `/v1.41/containers/${name}/attach?${all}`, [...headers, 'Content-Length: 0']);
          const answer = answerOf(socket);
          await way.docker(['start', name]);
          socket.end('some input');
          const { status, body } = await answer;
          await way.docker(['wait', name]);
          await way.docker(['rm', name]);
          return { status, body: frames(body) };
        },
        { tcp: true },
      );
      expect(came).toEqual({
        status: expect.stringMatching(headers.length > 0 ? /^HTTP\/1.1 101 / : /^HTTP\/1.1 200 /),
        body: ['1 some inputended\n'],
      });
    });
  }

  // Engines lose what comes together with a head; for the engine behind us it comes later.
  test('an exec takes input that comes together with its request', async () => {
    for (const way of [ways.overUnix, ways.overTls, ways.overTcp]) {
      const name = await created(way, 'exec', 'sleep 600', ['--init']);
      await way.docker(['start', name]);
      for (const headers of [['Connection: Upgrade', 'Upgrade: tcp'], []]) {
        const container = way.dockerode().getContainer(name);
        const exec = await container.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true });
        const socket = await opened(way);
        const answer = answerOf(socket);
        const body = '{"Detach":false,"Tty":false}';
        const more = [...headers, 'Content-Type: application/json', `Content-Length: ${body.length}`];
        write(socket, 'POST', `/v1.41/exec/${exec.id}/start`, more, `${body}came along`);
        socket.end();
        const came = await answer;
        expect(came.status).toMatch(headers.length > 0 ? /101/ : /200/);
        expect(frames(came.body)).toEqual(['1 came along']);
      }
      await way.docker(['rm', '-f', name]);
    }
  });

  test('the end of input passes over TLS while output goes on', async () => {
    const came = await ways.same(async (way) => {
      const name = await created(way, 'half', 'cat >/dev/null; for i in 1 2 3; do sleep 0.3; echo $i; done');
      const socket = await opened(way);
      write(socket, 'POST', `/v1.41/containers/${name}/attach?${all}`, ['Connection: Upgrade', 'Upgrade: tcp']);
      const answer = answerOf(socket);
      await way.docker(['start', name]);
      socket.end('x');
      const { body } = await answer;
      await way.docker(['rm', '-f', name]);
      return frames(body).join('');
    });
    expect(came.replaceAll('1 ', '')).toBe('1\n2\n3\n');
  });

  test('a client that goes away leaves the container, and the engine hears of it', async () => {
    await ways.same(async (way) => {
      const name = await created(way, 'gone', 'cat; sleep 600', ['-i', '--init']);
      const socket = await opened(way);
      write(socket, 'POST', `/v1.41/containers/${name}/attach?${all}`, ['Connection: Upgrade', 'Upgrade: tcp']);
      await once(socket, 'data');
      await way.docker(['start', name]);
      socket.destroy();
      await way.docker(['inspect', '--format', '{{.State.Running}}', name]);
      await way.docker(['rm', '-f', name]);
    });
  });

  test('a websocket is attached to a container', async () => {
    const came = await ways.same(
      async (way) => {
        const name = await created(way, 'websocket', 'read line; echo "<$line>"; exit 0', ['-i', '-t']);
        const socket = openWebSocket(way, `/v1.41/containers/${name}/attach/ws?${all}`);
        let heard = '';
        const said = new Promise<void>((resolve) => {
          socket.on('message', (data: Buffer) => {
            heard += data.toString();
            if (heard.includes('<typed>')) resolve();
          });
        });
        await once(socket, 'open');
        const closed = once(socket, 'close');
        await way.docker(['start', name]);
        socket.send('typed\n');
        await said;
        await closed;
        await way.docker(['wait', name]);
        await way.docker(['rm', name]);
        return heard.replaceAll('typed\r\n<', '<');
      },
      { tcp: true },
    );
    expect(came).toContain('<typed>');
  });

  test('a websocket is refused as the engine refuses it', async () => {
    await ways.same(async (way) => {
      const socket = openWebSocket(way, `/v1.41/containers/${way.own('none')}/attach/ws?${all}`);
      socket.on('error', () => {});
      const [, answer] = await once(socket, 'unexpected-response');
      const body = await buffer(answer);
      socket.terminate();
      return { status: answer.statusCode, body: body.toString() };
    });
  });

  test('requests in one go are answered in order', async () => {
    const came = await ways.same(async (way) => {
      const socket = await opened(way);
      write(socket, 'GET', '/_ping', []);
      write(socket, 'GET', `/v1.41/containers/${way.own('none')}/json`, []);
      write(socket, 'HEAD', '/_ping', []);
      write(socket, 'GET', '/v1.41/images/busybox/json', ['Connection: close']);
      const answer = (await buffer(socket)).toString();
      return answer.match(/HTTP\/1\.1 \d+/g);
    });
    expect(came).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200', 'HTTP/1.1 200']);
  });
});

/** `KIND TEXT` of each frame; frames of one kind in a row are one. */
function frames(bytes: Buffer): readonly string[] {
  const found: string[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at + 4);
    const text = bytes.subarray(at + 8, at + 8 + length).toString();
    const kind = `${bytes[at]} `;
    const before = found.at(-1);
    if (before?.startsWith(kind)) found[found.length - 1] = before + text;
    else found.push(kind + text);
    at += 8 + length;
  }
  return found;
}

function openWebSocket(way: Way, path: string): WebSocket {
  if (way.host.startsWith('unix://')) return new WebSocket(`ws+unix://${way.host.slice('unix://'.length)}:${path}`);
  return new WebSocket(`ws://docker${path}`, { createConnection: () => way.connect() as never });
}
