// RED-TEAM 71: the file of a socket: its mode, links and files in its place.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { bindUnix } from '../../../src/front/listeners/unix-socket.ts';

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'bg-unix-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

async function bind(path: string, access = { mode: 0o600 }): Promise<{ server: net.Server; remove: () => void }> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.end('hello');
  });
  onTestFinished(() => void server.close());
  return { server, remove: await bindUnix(server, path, access) };
}

function greeting(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path });
    socket.on('error', reject);
    socket.on('data', (bytes) => resolve(String(bytes)));
  });
}

test('a socket has its mode whatever the umask is, and folders that are missing are made 0755', async () => {
  const path = join(folder(), 'a', 'b', 's.sock');
  const before = process.umask(0o077);
  onTestFinished(() => void process.umask(before));
  await bind(path, { mode: 0o666 });
  expect(lstatSync(path).mode & 0o777).toBe(0o666);
  expect(statSync(join(path, '..')).mode & 0o777).toBe(0o755);
  expect(statSync(join(path, '../..')).mode & 0o777).toBe(0o755);
  expect(await greeting(path)).toBe('hello');
  expect(readdirSync(join(path, '..'))).toEqual(['s.sock']);
});

test.runIf(process.geteuid?.() === 0)(
  'a socket belongs to whom the configuration says, by name or number',
  async () => {
    const path = join(folder(), 's.sock');
    await bind(path, { mode: 0o660, owner: 'nobody', group: 12345 } as never);
    const { uid, gid } = lstatSync(path);
    expect([uid, gid]).toEqual([65534, 12345]);
    await expect(bind(join(folder(), 's'), { mode: 0o600, owner: 'no-such-user-here' } as never)).rejects.toThrow(
      /no user/,
    );
  },
);

test('what a dead process left is replaced', async () => {
  const path = join(folder(), 's.sock');
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  expect(lstatSync(path).isSocket()).toBe(true);
  await bind(path);
  expect(await greeting(path)).toBe('hello');
});

test('a socket that somebody listens on is refused, and goes on', async () => {
  const path = join(folder(), 's.sock');
  await bind(path);
  await expect(bind(path)).rejects.toThrow(/another process listens there/);
  expect(await greeting(path)).toBe('hello');
});

test('a file, and a symbolic link, are neither replaced nor followed', async () => {
  const where = folder();
  const file = join(where, 'file');
  writeFileSync(file, 'mine');
  await expect(bind(file)).rejects.toThrow(/no socket/);
  const link = join(where, 'link');
  symlinkSync(join(where, 'target'), link);
  await expect(bind(link)).rejects.toThrow(/symbolic link/);
  expect(readlinkSync(link)).toBe(join(where, 'target'));
  expect(existsSync(join(where, 'target'))).toBe(false);
  expect(readdirSync(where).sort()).toEqual(['file', 'link']);
});

test('only our own socket is removed at the end', async () => {
  const path = join(folder(), 's.sock');
  const first = await bind(path);
  first.server.close();
  const second = await bind(path);
  first.remove();
  expect(await greeting(path)).toBe('hello');
  second.remove();
  expect(existsSync(path)).toBe(false);
});

test('a path that is too long is refused, not cut', async () => {
  const where = folder();
  await expect(bind(join(where, 'x'.repeat(120)))).rejects.toThrow();
  expect(readdirSync(where)).toEqual([]);
});

test('a folder that cannot be written says so', async () => {
  const where = folder();
  chmodSync(where, 0o500);
  if (process.geteuid?.() !== 0) await expect(bind(join(where, 's.sock'))).rejects.toThrow(/EACCES/);
  writeFileSync(join(where, 'file'), '');
  await expect(bind(join(where, 'file', 's.sock'))).rejects.toThrow(/ENOTDIR|EEXIST/);
});
