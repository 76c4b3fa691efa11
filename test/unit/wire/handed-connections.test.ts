// Connections that servers of Node's are handed: how many, and for how long nothing may move on one.
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { HandedConnections } from '../../../src/wire/handed-connections.ts';

/** A server that answers `/whole` with 6 MB and `/endless` for ever; who has gone from which. */
async function serve(stalledMs: number) {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const gone: string[] = [];
  const server = http.createServer((request, response) => {
    let left = request.url === '/endless' ? Number.POSITIVE_INFINITY : 100;
    const go = (): void => {
      while (left-- > 0) if (!response.write(chunk)) return;
      response.end();
    };
    response.on('drain', go);
    response.on('close', () => void (response.writableFinished || gone.push(request.url ?? '')));
    go();
  });
  const handed = new HandedConnections(server, 10, stalledMs);
  const listening = net.createServer((socket) => handed.accept(socket)).listen(0, '127.0.0.1');
  await once(listening, 'listening');
  onTestFinished(() => {
    listening.close();
    server.closeAllConnections();
  });
  return { port: (listening.address() as AddressInfo).port, gone };
}

test('who takes nothing of an answer is let go, and who takes it has all of it', async () => {
  const { port, gone } = await serve(500);
  const holding = net.connect(port, '127.0.0.1');
  holding.on('error', () => {});
  onTestFinished(() => void holding.destroy());
  holding.pause();
  holding.write('GET /endless HTTP/1.1\r\nHost: x\r\n\r\n');
  const answer = await fetch(`http://127.0.0.1:${port}/whole`);
  expect((await answer.arrayBuffer()).byteLength).toBe(100 * 64 * 1024);
  await expect.poll(() => gone, { timeout: 20_000 }).toEqual(['/endless']);
});
