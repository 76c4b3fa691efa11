// The public conformance suite for HTTP caches (npm: http-cache-tests) against the HTTP cache as a reverse proxy.
// Prints what is not passed, and the counts. HTTP_CACHE_TESTS names a checkout of the suite's repository with its dependencies;
// else the suite is installed from npm into a folder of its own, which is an older state of it.
//   npm run conformance:http-cache [-- OUT.json]
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpCache, HttpCacheTally, HttpFront, Origins, SiteRules } from '../../dist/cache/http/index.js';
import { FolderStore } from '../../dist/cache/store/index.js';
import { WayOut } from '../../dist/wire/way-out.js';

const SUITE = 'http-cache-tests@0.4.5';
const HOST = '127.0.0.1';

const scratch = mkdtempSync(join(tmpdir(), 'berthgate-conformance-'));
const suite = process.env.HTTP_CACHE_TESTS ?? installed();
const engine = existsSync(join(suite, 'test-engine')) ? 'test-engine' : '.';

const originPort = await freePort();
const settings = {
  npm_config_protocol: 'http',
  npm_config_port: String(originPort),
  npm_config_pidfile: join(scratch, 'pid'),
  npm_config_id: '',
  npm_package_config_id: '',
};
const origin = spawn(process.execPath, [join(engine, 'server', 'server.mjs')], {
  cwd: suite,
  env: { ...process.env, ...settings },
  stdio: 'ignore',
});
const store = await FolderStore.open({ folder: join(scratch, 'store'), maxBytes: 2 ** 30 });
const wayOut = new WayOut({ proxy: null, noProxy: [], ca: [], allowPrivate: [] });
const origins = new Origins([{ host: HOST, origin: new URL(`http://${HOST}:${originPort}`) }], wayOut);
// The suite tells its server by headers of its own which answer is wanted.
const rules = new SiteRules([{ host: HOST, path: '/**', forward: ['*'] }]);
const cache = new HttpCache({
  store: () => store,
  origins: () => origins,
  tally: new HttpCacheTally(),
  onServed: () => {},
  onFault: () => {},
});
const front = new HttpFront({ cache, origins: () => origins, rules: () => rules, onRefused: () => {} });
const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
  front.accept(socket, { scheme: 'http', serverName: null, client: HOST }, null),
);
await new Promise((resolve) => server.listen(0, HOST, resolve));
try {
  await answering(originPort);
  const base = `http://${HOST}:${server.address().port}`;
  const results = await run({ ...settings, npm_config_base: base });
  await report(results);
  if (process.argv[2] !== undefined) writeFileSync(process.argv[2], JSON.stringify(results, null, 2));
} finally {
  origin.kill();
  server.close();
  front.close();
  await cache.close();
  await store.close();
  await wayOut.close();
  rmSync(scratch, { recursive: true, force: true });
}

function installed() {
  const args = ['install', '--prefix', scratch, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', SUITE];
  if (spawnSync('npm', args, { stdio: ['ignore', 'ignore', 'inherit'] }).status !== 0) process.exit(2);
  return join(scratch, 'node_modules', 'http-cache-tests');
}

function run(env) {
  return new Promise((resolve, reject) => {
    const client = spawn(process.execPath, ['--no-warnings', join(engine, 'cli.mjs')], {
      cwd: suite,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    client.stdout.on('data', (piece) => {
      text += piece;
    });
    client.on('close', () => {
      try {
        resolve(JSON.parse(text));
      } catch (fault) {
        reject(fault);
      }
    });
  });
}

async function report(results) {
  const { default: groups } = await import(join(suite, 'tests', 'index.mjs'));
  const counts = {};
  for (const { tests } of groups) {
    for (const { id, kind = 'required', browser_only: forBrowsers } of tests) {
      if (forBrowsers) continue;
      counts[kind] ??= { passed: 0, of: 0 };
      counts[kind].of++;
      if (results[id] === true) counts[kind].passed++;
      else if (kind !== 'check') console.log(`${kind}: ${id}: ${results[id]}`);
    }
  }
  for (const [kind, { passed, of }] of Object.entries(counts)) console.log(`${kind}: ${passed} of ${of}`);
}

async function freePort() {
  const probe = net.createServer();
  await new Promise((resolve) => probe.listen(0, HOST, resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function answering(port) {
  for (let i = 0; i < 100; i++) {
    try {
      await fetch(`http://${HOST}:${port}/`);
      return;
    } catch {
      await sleep(100);
    }
  }
  throw new Error('the server of the suite does not answer');
}
