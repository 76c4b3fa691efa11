// `berthgate serve` as a person runs it, in front of a real engine: nothing decided, nothing renamed.
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { run } from '../engines/index.ts';
import { Watched } from './watched.ts';

/** BERTHGATE_PROGRAM is another build, a packaged one for example. */
const program = process.env.BERTHGATE_PROGRAM ?? fileURLToPath(new URL('../../dist/main.js', import.meta.url));

interface Certificates {
  /** With ca.pem, cert.pem and key.pem of a client, as DOCKER_CERT_PATH wants them. */
  readonly client: string;
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface Berthgate {
  /** As in DOCKER_HOST, each. */
  readonly unix: string;
  readonly tls: string;
  readonly tcp: string;
  readonly certificates: Certificates;
  readonly config: string;
  readonly process: Watched;
  /** The lines of the log so far. */
  log(): readonly LogLine[];
  metrics(): Promise<string>;
  /** Another process takes the sockets of this one, which runs on until its streams have ended. */
  takeOver(): Promise<Berthgate>;
  /** Ends it and says what was wrong with it: streams that stayed open, faults of its own, an exit code other than 0. */
  stop(): Promise<readonly string[]>;
}

interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [key: string]: unknown;
}

/** Serves when this resolves. @param engine as in DOCKER_HOST */
export async function startBerthgate(engine: string): Promise<Berthgate> {
  if (!existsSync(program)) throw new Error(`${program} is not there: npm run build`);
  const folder = await mkdtemp(join(tmpdir(), 'berthgate-e2e-'));
  const certificates = await makeCertificates(folder);
  const config = join(folder, 'berthgate.yaml');
  // YAML takes JSON.
  const open = { auth: ['anonymous'], namespace: null, policies: [] };
  const tls = {
    cert: join(folder, 'server.pem'),
    key: join(folder, 'server.key'),
    clientCa: join(folder, 'client/ca.pem'),
    clientCert: 'require',
  };
  await writeFile(
    config,
    JSON.stringify({
      state: join(folder, 'state'),
      engines: [{ name: 'engine', url: engine }],
      listeners: [
        { name: 'unix', url: `unix://${folder}/docker.sock`, ...open },
        { name: 'tls', url: 'tcp://127.0.0.1:0', tls, ...open },
        { name: 'tcp', url: 'tcp://127.0.0.1:0', ...open },
      ],
      admin: { url: `unix://${folder}/admin.sock` },
      shutdown: { grace: '20s' },
    }),
  );
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  return launch(folder, certificates, [], remove);
}

async function launch(
  folder: string,
  certificates: Certificates,
  more: readonly string[],
  remove: () => Promise<void>,
): Promise<Berthgate> {
  const config = join(folder, 'berthgate.yaml');
  // It must not outlive a test run that is killed.
  const bound = ['--pdeathsig', 'KILL', process.execPath, program, 'serve', '--config', config, ...more];
  const watched = new Watched('setpriv', bound, { env: { PATH: process.env.PATH ?? '' } });
  const [unix, tls, tcp] = await Promise.all(
    ['unix', 'tls', 'tcp'].map(async (name) => {
      const found = await watched.said(new RegExp(`^export DOCKER_HOST=(\\S+).* # ${name}$`, 'm'));
      return found[1] as string;
    }),
  );
  const metrics = (): Promise<string> => ask(join(folder, 'admin.sock'), '/metrics');
  const log = (): readonly LogLine[] => readLog(watched.stderr);
  return {
    unix: unix as string,
    tls: tls as string,
    tcp: tcp as string,
    certificates,
    config,
    process: watched,
    log,
    metrics,
    takeOver: () => launch(folder, certificates, ['--take-over'], remove),
    async stop() {
      const leaked = await awaitNoStreams(metrics);
      watched.signal('SIGTERM');
      const { code, stderr } = await watched.end();
      await remove();
      const faults = log().filter(({ level, refusal }) => level === 'error' || /own-fault/.test(String(refusal ?? '')));
      return [
        ...leaked,
        ...(code === 0 ? [] : [`exit ${code}: ${stderr.slice(-2000)}`]),
        ...faults.map((line) => JSON.stringify(line)),
      ];
    },
  };
}

/** What does not begin with a brace is what Node itself says of a fault that nobody caught. */
function readLog(text: string): readonly LogLine[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    try {
      return JSON.parse(line) as LogLine;
    } catch {
      return { level: 'error', msg: line };
    }
  });
}

/** Clients have ended, but that is heard of a little later: polled, since a gauge tells nobody. */
async function awaitNoStreams(metrics: () => Promise<string>): Promise<readonly string[]> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const open = (await metrics()).match(/^berthgate_(open_streams|connections)\{.*\} [1-9]\d*$/gm) ?? [];
    if (open.length === 0 || Date.now() > deadline) return open;
    await pause(25);
  }
}

function ask(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, signal: AbortSignal.timeout(10_000), agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('error', reject);
      answer.on('end', () => resolve(text));
    });
    call.on('error', reject);
    call.end();
  });
}

/** A CA, a server and a client, as they are made with openssl by whoever follows Docker's manual. */
async function makeCertificates(folder: string): Promise<Certificates> {
  const script = `
    set -e
    mkdir client
    new() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "$@"; }
    new -x509 -subj '/CN=test CA' -keyout ca.key -out client/ca.pem
    sign() { openssl x509 -req -days 2 -CA client/ca.pem -CAkey ca.key -CAcreateserial -extfile "$2" -in "$1" -out "$3"; }
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\nextendedKeyUsage=serverAuth\\n' >server.ext
    printf 'extendedKeyUsage=clientAuth\\n' >client.ext
    new -subj /CN=localhost -keyout server.key -out server.csr
    sign server.csr server.ext server.pem
    new -subj /CN=alice -keyout client/key.pem -out client.csr
    sign client.csr client.ext client/cert.pem`;
  const { code, stderr } = await run('/bin/sh', ['-c', script], { cwd: folder });
  if (code !== 0) throw new Error(`openssl: ${stderr}`);
  const client = join(folder, 'client');
  const [ca, cert, key] = await Promise.all(['ca', 'cert', 'key'].map((name) => readFile(join(client, `${name}.pem`))));
  return { client, ca: ca as Buffer, cert: cert as Buffer, key: key as Buffer };
}
