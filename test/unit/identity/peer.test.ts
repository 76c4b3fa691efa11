// RED-TEAM 55: relays and recycled pids.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { chmod, readFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { Accounts } from '../../../src/front/identity/accounts.ts';
import { PeerAuthenticator } from '../../../src/front/identity/peer.ts';
import { loadNativeAccounts } from '../../../src/front/identity/peer-credentials.ts';
import { ask, contextOf, headOf, listenWith, make, refusalOf, started, type Told, temporaryFolder } from './rig.ts';

// Other users can only be had by root, as which the whole suite runs.
const root = process.geteuid?.() === 0;

const client = `
const http = require('node:http');
http.get({ socketPath: process.argv[1] }, (answer) => {
  let body = '';
  answer.on('data', (chunk) => { body += chunk; });
  answer.on('end', () => console.log(JSON.stringify({ pid: process.pid, status: answer.statusCode, body })));
});`;

/** Asks as another user, from a process of its own. */
function askAs(uid: number, path: string): Promise<Told & { pid: number }> {
  return new Promise((resolve, reject) => {
    const ids = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
    const child = spawn('setpriv', [...ids, process.execPath, '-e', client, path], { cwd: '/' });
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0) return reject(new Error(`the client ended with ${code}`));
      const { pid, status, body } = JSON.parse(out) as { pid: number; status: number; body: string };
      const told = JSON.parse(body) as { message?: string };
      const identity = status === 200 ? (told as unknown as Told['identity']) : null;
      resolve({ pid, status, identity, message: told.message ?? '', challenges: [] });
    });
  });
}

async function socketFor(options: object): Promise<string> {
  const folder = await temporaryFolder();
  await chmod(folder, 0o755);
  const path = join(folder, 'docker.sock');
  await listenWith(await started(make('peer', options, contextOf({ transport: 'unix' }))), { path });
  await chmod(path, 0o666);
  return path;
}

test('whoever connects is the user of this process, with its groups, and the pid that is ours', async () => {
  const path = await socketFor({});
  const { identity } = await ask({ socketPath: path });
  expect(identity?.user).toBe(execFileSync('id', ['-un'], { encoding: 'utf8' }).trim());
  const uid = String(process.getuid?.());
  const stat = await readFile('/proc/self/stat', 'latin1');
  const pidStart = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  expect(identity?.claims).toEqual({ uid, gid: String(process.getgid?.()), pid: String(process.pid), pidStart });
  expect(identity?.by).toBe('peer');
});

test.runIf(root)('two users of the machine are told apart', async () => {
  const path = await socketFor({});
  const daemon = await askAs(1, path);
  const games = await askAs(5, path);
  expect(daemon.identity).toMatchObject({ user: 'daemon', groups: ['daemon'], claims: { uid: '1' } });
  expect(daemon.identity?.claims.pid).toBe(String(daemon.pid));
  expect(games.identity).toMatchObject({ user: 'games', claims: { uid: '5' } });
});

test.runIf(root)('groups are those of the name service, not those that the process kept or dropped', async () => {
  const native = await loadNativeAccounts();
  const passwd = await readFile('/etc/passwd', 'utf8');
  for (const line of passwd.trim().split('\n')) {
    const [name, , uid] = line.split(':') as [string, string, string];
    const expected = execFileSync('id', ['-G', name], { encoding: 'utf8' }).trim().split(' ').map(Number);
    const account = await native.accountOf(Number(uid));
    if (account?.name !== name) continue;
    expect((await native.groupIdsOf(account)).toSorted()).toEqual(expected.toSorted());
  }
});

test.runIf(root)('the uid that the kernel shows for those it cannot name is nobody', async () => {
  const { status, message } = await askAs(65_534, await socketFor({}));
  expect([status, message]).toEqual([401, expect.stringContaining('65534')]);
});

test.runIf(root)('a uid without a name is nobody, and no other account is left in the buffer', async () => {
  const { status, message } = await askAs(54_321, await socketFor({}));
  expect([status, message]).toEqual([401, expect.stringContaining('54321 has no name')]);
});

test.runIf(root)('only the users and groups of the lists may come in', async () => {
  const path = await socketFor({ users: ['games'], groups: ['d?emon'] });
  expect((await askAs(5, path)).status).toBe(200);
  expect((await askAs(1, path)).status).toBe(200);
  expect(await askAs(0, path)).toMatchObject({ status: 401, message: expect.stringContaining('root may not use') });
});

test.runIf(root)('a descriptor that is passed on speaks for who opened it', async () => {
  const path = await socketFor({});
  // Connected by root, used by daemon: the shell hands the open socket down.
  const script = `const s=require('net').connect(process.argv[1],()=>{
    require('child_process').spawn('setpriv',['--reuid=1','--regid=1','--clear-groups',process.execPath,'-e',
    "const s=new (require('net').Socket)({fd:3});s.write('GET / HTTP/1.1\\\\r\\\\nHost: x\\\\r\\\\nConnection: close\\\\r\\\\n\\\\r\\\\n');s.pipe(process.stdout)"],
    {stdio:['ignore','inherit','inherit',s]})})`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script, path], { timeout: 10_000 });
  expect(stdout).toContain('"user":"root"');
});

test('over TCP peer cannot be asked for, and a TCP connection to it shows nothing', async () => {
  expect(() => make('peer', {}, contextOf({ transport: 'tls' }))).toThrow(/unix sockets/);
  const port = await listenWith(await started(make('peer', {})), { tcp: true });
  expect(await ask({ port })).toMatchObject({ status: 401, message: expect.stringContaining('required') });
});

test('without koffi Berthgate does not start, and says what to do', async () => {
  const peer = new PeerAuthenticator({}, () => Promise.reject(new Error("Cannot find package 'koffi'")));
  await expect(peer.start()).rejects.toThrow(/SO_PEERCRED: Cannot find package 'koffi'.*optional dependency/);
});

test('a name service that fails is 503, and is asked again at the next call', async () => {
  let calls = 0;
  const accounts = new Accounts({
    accountOf: () =>
      calls++ === 0 ? Promise.reject(new Error('errno 5')) : Promise.resolve({ name: 'a', primaryGid: 1 }),
    groupIdsOf: () => Promise.resolve([1]),
    groupNameOf: () => Promise.resolve('staff'),
  });
  expect(await refusalOf(() => accounts.of(1000))).toMatchObject({ code: 'identity-unavailable', status: 503 });
  expect(await accounts.of(1000)).toMatchObject({ user: 'a', groups: ['staff'] });
  expect(await accounts.of(1000)).toMatchObject({ user: 'a' });
  expect(calls).toBe(2);
});

test('a name service that hangs holds two threads at most, and nobody for longer than five seconds', async () => {
  let running = 0;
  const accounts = new Accounts({
    accountOf: () => {
      running++;
      return new Promise(() => {});
    },
    groupIdsOf: () => Promise.resolve([]),
    groupNameOf: () => Promise.resolve(null),
  });
  const begin = performance.now();
  const refusals = await Promise.all([1, 2, 3, 3, 4].map((uid) => refusalOf(() => accounts.of(uid))));
  expect(refusals.every(({ code }) => code === 'identity-unavailable')).toBe(true);
  expect(performance.now() - begin).toBeLessThan(7000);
  expect(running).toBe(2);
});

test.runIf(root)('a call on a connection that is known asks nobody', async () => {
  const path = await socketFor({});
  const native = await loadNativeAccounts();
  let asked = 0;
  const counting = { ...native, accountOf: (uid: number) => native.accountOf(uid).finally(() => asked++) };
  const [peer] = await started(new PeerAuthenticator({}, () => Promise.resolve(counting)));
  const socket = net.connect(path);
  await new Promise((resolve) => socket.once('connect', resolve));
  const key = { transport: 'unix', address: null } as const;
  peer!.accepted?.(socket, key);
  const first = await peer!.identify(headOf(), key);
  expect(peer!.identify(headOf(), key)).toBe(first);
  expect(asked).toBe(1);
  socket.destroy();
});
