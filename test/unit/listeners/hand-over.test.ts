import { lstatSync, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findIncumbent, offerHandOver, takeOver } from '../../../src/front/listeners/hand-over.ts';
import { type DescriptorPassing, loadDescriptorPassing } from '../../../src/front/listeners/pass-descriptors.ts';

const passing = (await loadDescriptorPassing()) as DescriptorPassing;

interface Offer {
  readonly path: string;
  readonly port: number;
  readonly taken: () => number;
  readonly faults: Error[];
}

async function offer(how: DescriptorPassing | null = passing): Promise<Offer> {
  const folder = mkdtempSync(join(tmpdir(), 'bg-hand-'));
  const path = join(folder, 'handover.sock');
  const server = net.createServer((socket) => socket.end('old'));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  let taken = 0;
  const faults: Error[] = [];
  const stop = await offerHandOver({
    path,
    version: '1.2.3',
    passing: how,
    sockets: () => new Map([['tcp://a', [server]]]),
    onTaken: () => {
      taken++;
      server.close();
    },
    onFault: (fault) => faults.push(fault),
  });
  onTestFinished(() => {
    stop();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { path, port: (server.address() as net.AddressInfo).port, taken: () => taken, faults };
}

function greeting(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', reject);
    socket.on('data', (bytes) => resolve(String(bytes)));
  });
}

test('who serves is found, and nobody is where nobody serves', async () => {
  const { path } = await offer();
  expect(await findIncumbent(path)).toEqual({ pid: process.pid, version: '1.2.3' });
  expect(lstatSync(path).mode & 0o777).toBe(0o600);
  expect(await findIncumbent(`${path}.absent`)).toBeNull();
  expect(await takeOver(`${path}.absent`, passing)).toBeNull();
});

test('a socket that was taken over goes on when the one who opened it closes it', async () => {
  const { path, port, taken } = await offer();
  const sockets = await takeOver(path, passing);
  const [fd] = sockets!.byKey.get('tcp://a')!.splice(0);
  const server = net.createServer((socket) => socket.end('new'));
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => void server.listen({ fd } as net.ListenOptions, resolve));
  expect(taken()).toBe(0);
  await sockets!.served();
  expect(taken()).toBe(1);
  expect(await greeting(port)).toBe('new');
});

test('who gives up leaves all as it was', async () => {
  const { path, port, taken } = await offer();
  const sockets = await takeOver(path, passing);
  await sockets!.giveUp();
  expect(sockets!.byKey.size).toBe(0);
  expect(await greeting(port)).toBe('old');
  expect(taken()).toBe(0);
  expect(await findIncumbent(path)).not.toBeNull();
});

test('a process that cannot pass sockets says so', async () => {
  const { path, port } = await offer(null);
  await expect(takeOver(path, passing)).rejects.toThrow(/koffi/);
  expect(await greeting(port)).toBe('old');
});

test('nobody takes what was not handed over, and what is no question ends the conversation', async () => {
  const { path, port, taken, faults } = await offer();
  for (const said of ['{"taken":true}\n', 'rubbish\n', 'null\n', 'x'.repeat(10_000)]) {
    await new Promise<void>((resolve) => {
      const socket = net.connect({ path });
      socket.on('error', () => {});
      socket.on('close', () => resolve());
      socket.write(said);
      socket.end();
      socket.resume();
    });
  }
  expect(taken()).toBe(0);
  expect(faults.length).toBeGreaterThan(0);
  expect(await greeting(port)).toBe('old');
});
