// Uploads of every kind, to find one that does not end: over unix, TCP and TLS, with and without a namespace, of given length
// and chunked, with trailers, `Expect: 100-continue`, pauses, a FIN behind the body, clients that leave, and engines that
// answer early. What counts is that each ends, and as it should; no speed is measured.
//
//   node bench/uploads.mjs [--uploads 500] [--at-once 4] [--seed 1] [--mib 8] [--deadline 120] [--json FILE]
//                          [--engines own,early,unix:///run/docker.sock]
//
// `own` is the engine of bench/native, `early` one that answers in the middle of a body and reads on, stops or closes;
// any other is a real one, which gets images by load, archives into a container, contexts of builds, and
// the same broken. Needs: npm run build, gcc, openssl.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readOptions } from './harness/options.mjs';
import { freePort, startProcess, waitUntilOpen } from './harness/processes.mjs';
import { needPrograms } from './harness/programs.mjs';
import { Report } from './harness/report.mjs';
import { socketOf, startFastEngine } from './harness/stage.mjs';
import { seeded } from './jobs/random.mjs';
import { startEarlyEngine } from './uploads/early-engine.mjs';
import { realWork } from './uploads/real-work.mjs';
import { upload } from './uploads/upload.mjs';

const options = readOptions(import.meta.url, {
  uploads: { type: 'string' },
  'at-once': { type: 'string', default: '4' },
  seed: { type: 'string', default: '1' },
  mib: { type: 'string', default: '8' },
  deadline: { type: 'string', default: '120' },
  engines: { type: 'string', default: 'own,early' },
});
needPrograms('gcc', 'openssl');
const uploads = Number(options.uploads ?? (options.quick ? 50 : 500));
const most = Number(options.mib) * 2 ** 20;
const deadlineMs = Number(options.deadline) * 1000;
const random = seeded(Number(options.seed));
const report = new Report('uploads');
makeCertificate();
for (const name of options.engines.split(',')) await tryEngine(name);
report.finish(options.json);
process.exit(0);

async function tryEngine(name) {
  const engine =
    name === 'own'
      ? await startFastEngine(options.folder)
      : name === 'early'
        ? await startEarlyEngine(join(options.folder, 'early.sock'), random)
        : { socket: socketOf(name), stop: async () => {} };
  const isReal = name !== 'own' && name !== 'early';
  const served = await serve(engine.socket, isReal);
  const work = isReal ? await realWork(served.unix, random, most) : imageLoads(name);
  const counts = new Map();
  try {
    await Promise.all(Array.from({ length: Number(options['at-once']) }, () => one(served.listeners, work, counts)));
    await served.settled();
  } finally {
    await work.clean();
    await served.stop();
    await engine.stop();
  }
  tell(name, counts);
}

async function one(listeners, work, counts) {
  for (;;) {
    const done = [...counts.values()].reduce((all, { ended, wrong, hung }) => all + ended + wrong + hung, 0);
    if (done >= uploads) return;
    const listener = pick(listeners);
    const what = await work.next(listener.kind);
    const way = {
      framing: pick(['length', 'chunked', 'chunked', 'extensions', 'trailers']),
      expects: random() < 0.25,
      pauses: random() < 0.25,
      halfClose: random() < 0.1,
      leaves: random() < 0.1,
      readsLate: random() < 0.1,
      piece: pick([100, 4096, 32_768, 65_536, 1_048_576]),
      again: random() < 0.5,
    };
    const { outcome, told } = await upload(listener, what, way, { random, deadlineMs });
    const title = `${what.kind}, ${listener.name}`;
    const count = counts.get(title) ?? { ended: 0, wrong: 0, hung: 0 };
    counts.set(title, count);
    count[outcome]++;
    if (outcome !== 'ended')
      console.error(`${outcome}: ${title}: ${told}: ${JSON.stringify(way)}, ${what.body.length} bytes`);
  }
}

function tell(name, counts) {
  const columns = ['ended', 'wrong', 'hung'].map((key) => ({ key, title: key, digits: 0 }));
  const sum = { ended: 0, wrong: 0, hung: 0 };
  for (const count of counts.values()) for (const key of Object.keys(sum)) sum[key] += count[key];
  const rows = [...counts].sort().map(([title, figures]) => ({ name: title, figures }));
  report.table(`uploads to ${name}`, columns, [...rows, { name: 'all', figures: sum }]);
  report.aim(`${name}: uploads that do not end as they should`, sum.wrong + sum.hung, { atMost: 0 });
}

/** What both engines of ours take; the early one answers as it likes. */
function imageLoads(name) {
  return {
    next: async () => ({
      kind: 'load',
      method: 'POST',
      path: '/v1.41/images/load?quiet=1',
      body: Buffer.alloc(Math.floor(random() * most), 'x'),
      mayBeCut: name === 'early',
      isRight: (status) => status === '200' || name === 'early',
    }),
    clean: async () => {},
  };
}

/** Berthgate as it is, and with a namespace where the engine is a real one, each over three transports. */
async function serve(socket, isReal) {
  const { folder } = options;
  const [ports, adminPort] = [await Promise.all(Array.from({ length: 4 }, freePort)), await freePort()];
  const tls = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem'), clientCert: 'none' };
  const kinds = { plain: {}, namespace: { namespace: 'uploads', policies: ['conservative'] } };
  const listeners = [];
  for (const kind of isReal ? ['plain', 'namespace'] : ['plain']) {
    const of = (transport, more) => ({
      name: `${kind}-${transport}`,
      namespace: null,
      policies: [],
      ...kinds[kind],
      ...more,
    });
    const [tcpPort, tlsPort] = [ports.pop(), ports.pop()];
    const unix = join(folder, `${kind}.sock`);
    listeners.push(
      { kind, at: { path: unix }, config: of('unix', { url: `unix://${unix}`, auth: ['peer'] }) },
      { kind, at: { port: tcpPort }, config: of('tcp', { url: `tcp://127.0.0.1:${tcpPort}`, auth: ['anonymous'] }) },
      {
        kind,
        at: { port: tlsPort, tls: true },
        config: of('tls', { url: `tcp://127.0.0.1:${tlsPort}`, auth: ['anonymous'], tls }),
      },
    );
  }
  const config = {
    state: join(folder, 'state'),
    engines: [{ name: 'bench', url: `unix://${socket}`, gateway: `127.0.0.1:${await freePort()}` }],
    firewall: { apply: false },
    listeners: listeners.map(({ config }) => config),
    admin: { metrics: `http://127.0.0.1:${adminPort}` },
  };
  const file = join(folder, 'berthgate.json');
  writeFileSync(file, JSON.stringify(config));
  const process_ = startProcess(process.execPath, [options.berthgate, 'serve', '--config', file], {
    log: join(folder, 'berthgate.log'),
  });
  for (const { at } of listeners)
    await waitUntilOpen(at.path === undefined ? { host: '127.0.0.1', port: at.port } : at);
  return {
    listeners: listeners.map(({ kind, at, config: { name } }) => ({ kind, name, at })),
    unix: Object.fromEntries(listeners.filter(({ at }) => at.path).map(({ kind, at }) => [kind, at.path])),
    settled: () => connectionsEnd(adminPort),
    stop: () => process_.stop(),
  };
}

/** Nothing of the clients, who have all gone, is left. */
async function connectionsEnd(adminPort) {
  const until = Date.now() + 30_000;
  for (;;) {
    const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
    const open = [...text.matchAll(/^berthgate_connections\{.*\} (\d+)$/gm)].reduce((all, [, n]) => all + Number(n), 0);
    if (open === 0) return;
    if (Date.now() > until) throw new Error(`${open} connections of clients that have gone are still there`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function makeCertificate() {
  const to = ['-keyout', join(options.folder, 'key.pem'), '-out', join(options.folder, 'cert.pem')];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  execFileSync('openssl', ['req', '-x509', '-days', '2', '-subj', '/CN=localhost', ...key, ...to], { stdio: 'ignore' });
}

function pick(list) {
  return list[Math.floor(random() * list.length)];
}
