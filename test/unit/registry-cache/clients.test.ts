// Clients that go in the middle of a blob, and such as ask for more than they take.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Mirror, MirrorTally } from '../../../src/cache/registry/index.ts';
import { FolderStore } from '../../../src/cache/store/index.ts';
import { APP, makeImage, push, registry, startRig } from './rig.ts';

test('a body that is being sent is let go when its client goes, whatever was on its way then', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'berthgate-clients-'));
  const store = await FolderStore.open({ folder, maxBytes: 2 ** 30 });
  const fill = store.begin();
  await fill.write(randomBytes(20_000_000));
  const { digest } = await fill.commit([{ key: 'blob:x', variant: '', meta: {} }]);
  let [begun, ended] = [0, 0];
  const server = http.createServer(async (_, response) => {
    const body = await store.open(digest);
    begun++;
    await body?.sendTo(response).catch(() => {});
    body?.close();
    ended++;
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const { port } = server.address() as AddressInfo;
  for (let times = 1; times <= 5; times++) {
    const client = net.connect(port, '127.0.0.1');
    client.on('error', () => {});
    client.write('GET / HTTP/1.1\r\nHost: store\r\n\r\n');
    await new Promise((resolve) => client.once('data', resolve));
    client.pause();
    client.destroy();
    await expect.poll(() => ended, { timeout: 20_000 }).toBe(times);
  }
  expect(begun).toBe(5);
});

test('who asks for more before there is an answer is not served: nobody could tell when such a one has gone', async () => {
  const fake = await registry();
  const image = makeImage(20_000_000);
  await push(fake, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }]);
  const head = `GET ${APP}/blobs/${image.layerDigest} HTTP/1.1\r\nHost: mirror\r\n`;
  const last = `${head}Connection: close\r\n\r\n`;
  const got = async (text: string): Promise<number> => {
    const client = net.connect(rig.port, '127.0.0.1', () => client.write(text));
    let bytes = 0;
    client.on('data', (piece) => {
      bytes += piece.length;
    });
    client.on('error', () => {});
    await new Promise((resolve) => client.once('close', resolve));
    return bytes;
  };
  expect(await got(`${head}\r\n${last}`)).toBeLessThan(image.layer.length);
  // The control: one request of them is served.
  expect(await got(last)).toBeGreaterThan(image.layer.length);
});

test('who says half a request and no more is closed after a while, and everybody when the mirror ends', async () => {
  const upstream = () => {
    throw new Error('nobody asks');
  };
  const mirror = new Mirror({ upstream, tally: new MirrorTally(() => {}), login: null, onFault: () => {} });
  const server = net.createServer((socket) => mirror.accept(socket));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    mirror.close();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const closed = (text: string) =>
    new Promise<string>((resolve) => {
      let said = '';
      const client = net.connect(port, '127.0.0.1', () => client.write(text));
      client.on('data', (piece) => {
        said += piece;
      });
      client.on('error', () => {});
      client.once('close', () => resolve(said));
      onTestFinished(() => void client.destroy());
    });
  expect(await closed('GET /v2/ HTTP/1.1\r\nHo')).toContain('408');
  const waiting = closed('GET /v2/ HTTP/1.1\r\nHost: mirror\r\n\r\n');
  await expect.poll(() => new Promise((resolve) => server.getConnections((_, count) => resolve(count)))).toBe(1);
  mirror.close();
  await waiting;
});
