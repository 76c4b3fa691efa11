// RED-TEAM 52, 54 and 55, where they would lead to the namespace of somebody else: source addresses, certificates of the
// same CA, and what the kernel says of who connected.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hashSync } from '@node-rs/bcrypt';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type InProcess, serveInFrontOf } from '../engine/in-process.ts';
import { ask, RawClient, requestBytes } from '../engine/raw-client.ts';
import { describeEachEngine, freePort, type TestEngine } from '../engines/index.ts';
import { type Made, TestCa } from '../unit/identity/certificates.ts';
import { asking, made, removeAll } from './namespaced.ts';

const root = process.getuid?.() === 0;

/** Prints what a client at the unix socket of its first argument sees; a connection that it inherits is used instead. */
const lister = `
  const net = require('node:net');
  const [path, inherited] = process.argv.slice(1);
  const socket = inherited ? new net.Socket({ fd: 3 }) : net.connect(path);
  const go = () => {
    socket.write('GET /containers/json?all=1 HTTP/1.1\\r\\nHost: d\\r\\nX-Forwarded-User: root\\r\\nConnection: close\\r\\n\\r\\n');
    socket.pipe(process.stdout);
  };
  // Whoever opened it has ended when its pipe has.
  if (inherited) process.stdin.on('end', go).resume(); else go();`;

/** Connects, hands the connection to a program of another user, and ends. */
const opener = `
  const [path, lister] = process.argv.slice(1);
  const socket = require('node:net').connect(path, () => {
    const ids = ['--reuid=5', '--regid=5', '--clear-groups'];
    const stdio = ['pipe', 'inherit', 'inherit', socket];
    require('node:child_process').spawn('setpriv', [...ids, process.execPath, '-e', lister, path, 'inherited'], { stdio })
      .on('spawn', () => process.exit(0));
  });`;

const relay = `
  const net = require('node:net');
  const [path, to] = process.argv.slice(1);
  net.createServer((client) => { const s = net.connect(to); client.pipe(s).pipe(client); }).listen(path, () => {
    require('node:fs').chmodSync(path, 0o666);
    console.log('up');
  });`;

function startAs(uid: number, ...args: readonly string[]): ChildProcess {
  const ids = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
  const bound = ['--pdeathsig', 'KILL', ...ids, process.execPath, '-e', ...args];
  return spawn('setpriv', bound, { cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] });
}

async function outputOf(child: ChildProcess): Promise<string> {
  let text = '';
  for await (const piece of child.stdout ?? []) text += piece;
  return text;
}

describeEachEngine(
  'the namespace of a user',
  (engine: TestEngine) => {
    const run = randomBytes(3).toString('hex');
    const namespaceOf = (user: string): string => `nsi-${run}-${user}`;
    const direct = asking(engine.socket);
    const users = ['alice', 'bob', 'root', 'daemon', 'games'];
    let folder = '';

    const serve = async (listener: Readonly<Record<string, unknown>>): Promise<InProcess> => {
      const served = await serveInFrontOf(engine.host, { policies: [], namespace: `nsi-${run}-{user}`, ...listener });
      onTestFinished(() => served.stop());
      return served;
    };
    /** Whose container is in a list. */
    const seenIn = (text: string): readonly string[] => users.filter((user) => text.includes(`"/of-${user}"`));

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'berthgate-identities-'));
      await chmod(folder, 0o755);
      for (const user of users) {
        const Labels = { 'berthgate.namespace': namespaceOf(user) };
        const path = `/containers/create?name=${namespaceOf(user)}.of-${user}`;
        await made(direct('POST', path, { Image: 'busybox', Labels }));
      }
    });
    afterAll(async () => {
      for (const user of users) await removeAll(engine, `berthgate.namespace=${namespaceOf(user)}`);
      await rm(folder, { recursive: true, force: true });
    });

    test('52: is not that of whoever else comes from the same address, or over the same connection', async () => {
      const [htpasswd, port] = [join(folder, 'htpasswd'), await freePort()];
      const lines = ['alice', 'bob'].map((user) => `${user}:${hashSync(`of ${user}`, 4)}`);
      await writeFile(htpasswd, `${lines.join('\n')}\n`, { mode: 0o600 });
      await serve({ url: `tcp://127.0.0.1:${port}`, auth: [{ use: 'basic', htpasswd }] });
      const as = (user: string): Readonly<Record<string, string>> => ({
        Authorization: `Basic ${Buffer.from(`${user}:of ${user}`).toString('base64')}`,
      });
      const client = await RawClient.connect({ host: '127.0.0.1', port });
      const say = (headers: Readonly<Record<string, string>>) =>
        client.send(requestBytes('GET', '/containers/json?all=1', { headers })).answer();
      try {
        // The control: with a password one's own are seen.
        expect(seenIn((await say(as('alice'))).text)).toEqual(['alice']);
        expect((await say({})).status).toBe(401);
        expect(seenIn((await say(as('bob'))).text)).toEqual(['bob']);
        for (const [name, value] of [
          ['X-Forwarded-For', '127.0.0.1'],
          ['Forwarded', 'for=127.0.0.1;by=alice'],
          ['X-Real-IP', '127.0.0.1'],
          ['X-Forwarded-User', 'alice'],
          ['X-Remote-User', 'alice'],
          ['Remote-User', 'alice'],
          ['From', 'alice'],
        ] as const) {
          expect((await say({ [name]: value })).status, name).toBe(401);
          expect(seenIn((await say({ ...as('bob'), [name]: value })).text), name).toEqual(['bob']);
        }
      } finally {
        client.destroy();
      }
      expect((await ask({ host: '127.0.0.1', port }, 'GET', '/containers/json')).status).toBe(401);
    });

    test('54: is that of the one name in a certificate that counts, of the CA that counts', async () => {
      const ca = new TestCa(folder, 'people');
      const server = ca.issue('/CN=localhost', ['subjectAltName=DNS:localhost', 'extendedKeyUsage=serverAuth']);
      const key = join(folder, 'server.key');
      await writeFile(key, server.key, { mode: 0o600 });
      const tls = { cert: server.file, key, clientCa: ca.file, clientCert: 'optional' };
      const port = await freePort();
      await serve({ url: `tcp://127.0.0.1:${port}`, tls, auth: ['client-cert'] });
      const list = (certificate?: Made): Promise<{ readonly status: number; readonly text: string }> =>
        new Promise((resolve, reject) => {
          const shown = certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key };
          const trust = { host: '127.0.0.1', servername: 'localhost', port, ca: readFileSync(ca.file), agent: false };
          const call = https.get({ ...trust, ...shown, path: '/containers/json?all=1' }, (answer) => {
            let text = '';
            answer.setEncoding('utf8');
            answer.on('data', (piece: string) => {
              text += piece;
            });
            answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
          });
          call.on('error', reject);
        });
      const client = 'extendedKeyUsage=clientAuth';
      expect(seenIn((await list(ca.issue('/CN=alice'))).text)).toEqual(['alice']);
      const names = 'subjectAltName=DNS:alice,email:alice,URI:spiffe://alice';
      for (const mine of [
        ca.issue('/CN=bob', [client, names]),
        ca.issue('/OU=alice/CN=bob', [client]),
        ca.issue('/emailAddress=alice/CN=bob', [client]),
      ]) {
        expect(seenIn((await list(mine)).text)).toEqual(['bob']);
      }
      const another = new TestCa(folder, 'another');
      for (const bad of [
        another.issue('/CN=alice'),
        ca.issue('/CN=alice', ['extendedKeyUsage=serverAuth']),
        ca.issue('/CN=alice/CN=bob', [client]),
        undefined,
      ]) {
        expect((await list(bad)).status).toBe(401);
      }
      for (const near of ['/CN=Alice', '/CN=alice.', '/CN=alice\\/..\\/bob', '/CN=alice-', `/CN=alice.of-alice`]) {
        const { status, text } = await list(ca.issue(near));
        expect([near, status, seenIn(text)]).toEqual([near, 200, []]);
      }
    });

    const open = async (): Promise<InProcess> => {
      const served = await serve({ auth: ['peer'] });
      await chmod(dirname(served.socket), 0o755);
      await chmod(served.socket, 0o666);
      return served;
    };

    test.runIf(root)('55: is that of the relay for who comes through one, whatever they say', async () => {
      const { socket } = await open();
      expect(seenIn(await outputOf(startAs(1, lister, socket)))).toEqual(['daemon']);
      const games = await mkdtemp(join(folder, 'games-'));
      execFileSync('chown', ['5', games]);
      await chmod(games, 0o755);
      const path = join(games, 'relay.sock');
      const running = startAs(5, relay, path, socket);
      onTestFinished(() => void running.kill('SIGKILL'));
      await new Promise((resolve) => running.stdout?.once('data', resolve));
      expect(seenIn(await outputOf(startAs(1, lister, path)))).toEqual(['games']);
      expect(seenIn(await outputOf(startAs(0, lister, path)))).toEqual(['games']);
    });

    test.runIf(root)('55: stays that of who opened a connection when that process and its pid are gone', async () => {
      const { socket } = await open();
      const text = await outputOf(
        spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, '-e', opener, socket, lister], {
          cwd: '/',
          stdio: ['ignore', 'pipe', 'inherit'],
        }),
      );
      expect(seenIn(text)).toEqual(['root']);
      // The control: a connection of its own is that user's.
      expect(seenIn(await outputOf(startAs(5, lister, socket)))).toEqual(['games']);
    });
  },
  ({ socket }) => socket !== '',
);
