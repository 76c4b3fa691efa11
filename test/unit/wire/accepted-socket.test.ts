import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { adoptAcceptedSocket } from '../../../src/wire/accepted-socket.ts';
import { dial, listen, until } from './talk.ts';

async function accepted(pauseOnConnect: boolean) {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect });
  const port = await listen(server);
  const connected = once(server, 'connection') as Promise<[net.Socket]>;
  const talk = await dial(port);
  const [socket] = await connected;
  return { server, talk, socket };
}

describe('an accepted socket', () => {
  it('is taken over on this version of Node, and reads into the buffers given', async () => {
    const { server, talk, socket } = await accepted(true);
    const buffer = Buffer.alloc(16);
    const reads: string[] = [];
    const adopted = adoptAcceptedSocket(socket, {
      buffer: () => buffer,
      callback: (bytes, into) => {
        expect(into).toBe(buffer);
        reads.push(into.toString('latin1', 0, bytes));
        return true;
      },
    });
    if (adopted === null)
      throw new Error('the handle of an accepted socket cannot be taken over any more: data events are used');
    talk.say('hello');
    await until(() => reads.join('') === 'hello');
    adopted.write('answer');
    await talk.hears('answer');
    expect(adopted.remoteAddress).toBe('127.0.0.1');
    // The server still counts it, and waits for it.
    let closed = false;
    server.close(() => {
      closed = true;
    });
    let ended = false;
    adopted.on('end', () => {
      ended = true;
    });
    talk.end();
    await until(() => ended);
    expect(closed).toBe(false);
    adopted.end();
    await until(() => closed);
  });

  it('is left as it is where its server has begun to read it', async () => {
    const { socket } = await accepted(false);
    expect(adoptAcceptedSocket(socket, { buffer: () => Buffer.alloc(16), callback: () => true })).toBeNull();
    socket.destroy();
  });
});
