/** What every store must do; each implementation runs all of it. */

import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';
import { expect, test } from 'vitest';
import { type Body, FillBroken, type Store, WrongBody } from '../../../src/cache/store.ts';

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export async function readBody(body: Body, start = 0, end: number | null = null): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of body.pieces({ start, end })) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

export async function fillWith(store: Store, key: string, bytes: Uint8Array, variant = '', meta: unknown = null) {
  const fill = store.begin();
  for (let at = 0; at < bytes.length; at += 100_000) await fill.write(bytes.subarray(at, at + 100_000));
  return fill.commit([{ key, variant, meta }]);
}

export async function readKey(store: Store, key: string): Promise<Buffer | null> {
  const [record] = await store.get(key);
  const body = record === undefined ? null : await store.open(record.digest);
  if (body === null) return null;
  try {
    return await readBody(body);
  } finally {
    body.close();
  }
}

/** All that comes out at the other end of a socket, until it is ended. */
async function throughSocket(send: (socket: net.Socket) => Promise<unknown>): Promise<Buffer> {
  const server = net.createServer((socket) => {
    send(socket).then(
      () => socket.end(),
      () => socket.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const pieces: Buffer[] = [];
  for await (const piece of net.connect(port, '127.0.0.1')) pieces.push(piece);
  server.close();
  return Buffer.concat(pieces);
}

const sizes = [0, 1, 1000, 64 * 1024, 64 * 1024 + 1, 300_000, 3_000_000];

/** `open` gives an empty store of at least 100 MB; the caller closes it. */
export function storeContract(open: () => Promise<Store>): void {
  for (const size of sizes) {
    test(`a body of ${size} bytes comes back whole, in ranges, and through a socket`, async () => {
      const store = await open();
      const bytes = randomBytes(size);
      const kept = await fillWith(store, 'http:a', bytes, '', { status: 200 });
      expect(kept).toEqual({ kept: true, digest: digestOf(bytes), size });
      const [record] = await store.get('http:a');
      expect(record).toMatchObject({
        key: 'http:a',
        variant: '',
        meta: { status: 200 },
        digest: digestOf(bytes),
        size,
      });
      const body = (await store.open(digestOf(bytes))) as Body;
      expect([body.size, body.digest]).toEqual([size, digestOf(bytes)]);
      expect(digestOf(await readBody(body))).toBe(digestOf(bytes));
      const [start, end] = [Math.floor(size / 3), Math.floor(size / 2)];
      expect((await readBody(body, start, end)).equals(bytes.subarray(start, end))).toBe(true);
      expect((await readBody(body, start)).equals(bytes.subarray(start))).toBe(true);
      expect((await throughSocket((socket) => body.sendTo(socket))).equals(bytes)).toBe(true);
      const part = await throughSocket((socket) => body.sendTo(socket, { start, end }));
      expect(part.equals(bytes.subarray(start, end))).toBe(true);
      body.close();
    });
  }

  test('what is not there is not there', async () => {
    const store = await open();
    expect(await store.get('http:a')).toEqual([]);
    expect(await store.open(digestOf(Buffer.from('a')))).toBeNull();
    expect(await store.open('../../etc/passwd')).toBeNull();
    expect(await store.delete('http:a')).toBe(false);
    expect(await store.put({ key: 'http:a', variant: '', meta: null }, digestOf(Buffer.from('a')))).toBe(false);
  });

  test('variants of a key stand beside each other, the newest first, and each is replaced and deleted alone', async () => {
    const store = await open();
    await fillWith(store, 'http:a', Buffer.from('english'), 'en', 1);
    await fillWith(store, 'http:a', Buffer.from('deutsch'), 'de', 2);
    await fillWith(store, 'http:a', Buffer.from('ENGLISH'), 'en', 3);
    expect((await store.get('http:a')).map(({ variant, meta }) => [variant, meta])).toEqual([
      ['en', 3],
      ['de', 2],
    ]);
    expect(await store.open(digestOf(Buffer.from('english')))).toBeNull();
    expect(await store.delete('http:a', 'fr')).toBe(false);
    expect(await store.delete('http:a', 'en')).toBe(true);
    expect((await store.get('http:a')).map(({ variant }) => variant)).toEqual(['de']);
    expect(await store.delete('http:a')).toBe(true);
    expect(await store.get('http:a')).toEqual([]);
    expect(store.stats().bytes).toBe(0);
  });

  test('a body that two records name is counted once, and goes with the last of them', async () => {
    const store = await open();
    const bytes = randomBytes(500_000);
    await fillWith(store, 'http:a', bytes);
    await fillWith(store, 'http:b', bytes);
    expect(await store.put({ key: 'blob:c', variant: '', meta: null }, digestOf(bytes))).toBe(true);
    const stats = store.stats();
    expect(stats).toMatchObject({ bodies: 1, records: 3, kinds: { http: { records: 2 }, blob: { records: 1 } } });
    expect(stats.bytes).toBeLessThan(510_000);
    await store.delete('http:a');
    await store.delete('blob:c');
    expect(digestOf((await readKey(store, 'http:b')) as Buffer)).toBe(digestOf(bytes));
    await store.delete('http:b');
    expect(await store.open(digestOf(bytes))).toBeNull();
  });

  test('an open body stays readable when its record is deleted', async () => {
    const store = await open();
    const bytes = randomBytes(3_000_000);
    await fillWith(store, 'http:a', bytes);
    const body = (await store.open(digestOf(bytes))) as Body;
    await store.delete('http:a');
    expect((await readBody(body)).equals(bytes)).toBe(true);
    body.close();
  });

  test('those who follow a fill get what is written while it is written, each from its own place', async () => {
    const store = await open();
    const bytes = randomBytes(400_000);
    const fill = store.begin();
    await fill.write(bytes.subarray(0, 1000));
    const follower = fill.follow() as Body;
    const reader = follower.pieces()[Symbol.asyncIterator]();
    expect((await reader.next()).value.equals(bytes.subarray(0, 1000))).toBe(true);
    const later = fill.follow() as Body;
    const rest = readBody(later, 200_000, 300_000);
    const sent = throughSocket((socket) => later.sendTo(socket));
    for (let at = 1000; at < bytes.length; at += 33_000) await fill.write(bytes.subarray(at, at + 33_000));
    expect((await rest).equals(bytes.subarray(200_000, 300_000))).toBe(true);
    await fill.commit([{ key: 'http:a', variant: '', meta: null }]);
    expect((await sent).equals(bytes)).toBe(true);
    expect([later.size, later.digest]).toEqual([400_000, digestOf(bytes)]);
    await reader.return?.();
    follower.close();
    later.close();
  });

  test('a fill that is aborted leaves nothing, and those who follow it are told', async () => {
    const store = await open();
    for (const size of [1000, 200_000]) {
      const fill = store.begin();
      await fill.write(randomBytes(size));
      const follower = fill.follow() as Body;
      const reading = readBody(follower);
      reading.catch(() => {});
      await fill.abort('the origin broke off');
      await expect(reading).rejects.toThrow(FillBroken);
      follower.close();
    }
    expect(store.stats()).toMatchObject({ bytes: 0, bodies: 0, records: 0, fills: 0 });
  });

  // The large one is hashed by another thread.
  test.each([300_000, 5_000_000])(
    'what must be proved, of %i bytes, is not told whole before, and is not kept when it is something else',
    async (size) => {
      const store = await open();
      const [good, bad] = [randomBytes(size), randomBytes(size)];
      for (const [bytes, right] of [
        [good, true],
        [bad, false],
      ] as const) {
        const fill = store.begin({ digest: digestOf(good), size: good.length });
        const follower = fill.follow() as Body;
        let got = 0;
        const reading = (async () => {
          for await (const piece of follower.pieces()) got += piece.length;
        })();
        reading.catch(() => {});
        await fill.write(bytes);
        await expect.poll(() => got).toBe(size - 1);
        const committed = fill.commit([{ key: `blob:${right}`, variant: '', meta: null }]);
        if (right) {
          await committed;
          await reading;
          expect(got).toBe(size);
        } else {
          await expect(committed).rejects.toThrow(WrongBody);
          await expect(reading).rejects.toThrow(WrongBody);
          expect(got).toBe(size - 1);
        }
        follower.close();
      }
      expect(await store.open(digestOf(bad))).toBeNull();
      expect(await store.get('blob:false')).toEqual([]);
    },
  );

  test('a body that is shorter or longer than announced is not kept', async () => {
    const store = await open();
    for (const size of [9, 11]) {
      const fill = store.begin({ size });
      await fill.write(randomBytes(10));
      await expect(fill.commit([{ key: 'http:a', variant: '', meta: null }])).rejects.toThrow(WrongBody);
    }
    expect(await store.get('http:a')).toEqual([]);
  });

  test('a list has every record, by the beginning of its key', async () => {
    const store = await open();
    for (const key of ['http:a', 'http:b', 'manifest:a']) await fillWith(store, key, Buffer.from(key), '', { key });
    const listed = async (prefix?: string) => {
      const keys: string[] = [];
      for await (const { key, lastUse } of store.list(prefix)) {
        expect(lastUse).toBeGreaterThan(Date.now() - 60_000);
        keys.push(key);
      }
      return keys.sort();
    };
    expect(await listed()).toEqual(['http:a', 'http:b', 'manifest:a']);
    expect(await listed('http:')).toEqual(['http:a', 'http:b']);
  });

  test('a socket that goes away ends the sending, and harms nobody else', async () => {
    const store = await open();
    const fill = store.begin();
    await fill.write(randomBytes(200_000));
    const follower = fill.follow() as Body;
    let fault: unknown;
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      follower.sendTo(socket).catch((caught) => {
        fault = caught;
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
    client.once('data', () => client.destroy());
    await expect.poll(() => fault).toBeInstanceOf(Error);
    server.close();
    follower.close();
    await fill.write(randomBytes(200_000));
    expect((await fill.commit([])).kept).toBe(true);
  });
}
