// An origin that only the site's proxy can reach, a cache in front of it, and an image whose containers speak TLS.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { docker, run, type TestEngine } from '../engines/index.ts';

export const HOST = 'archive.example.org';
export const PINNED = 'pinned.example.org';
/** In the images: a list of its own that a program may bring along. */
export const PINS = '/pinned.pem';
/** What the origin gives for every path. */
export const BODY = randomBytes(300_000).toString('hex');
export const BODY_HASH = createHash('sha256').update(BODY).digest('hex');

export interface Site {
  /** In a configuration. */
  readonly outbound: Readonly<Record<string, unknown>>;
  /** PEM of the origin's own CA. */
  readonly ca: string;
  /** `https HOST /path` of each that the origin was asked for. */
  readonly asked: readonly string[];
  stop(): void;
}

const listen = (server: net.Server): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port));
  });

export async function startSite(): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), 'berthgate-site-'));
  const script = `set -e
    new() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "$@"; }
    new -x509 -subj '/CN=site CA' -keyout ca.key -out ca.pem
    printf 'subjectAltName=DNS:${HOST},DNS:${PINNED}\\n' >server.ext
    new -subj /CN=origin -keyout server.key -out server.csr
    openssl x509 -req -days 2 -CA ca.pem -CAkey ca.key -CAcreateserial -extfile server.ext -in server.csr -out server.pem`;
  execFileSync('/bin/sh', ['-c', script], { cwd: folder, stdio: 'ignore' });
  const [key, cert, ca] = ['server.key', 'server.pem', 'ca.pem'].map((name) =>
    readFileSync(join(folder, name), 'utf8'),
  );
  const asked: string[] = [];
  const answer =
    (scheme: string): http.RequestListener =>
    (request, response) => {
      asked.push(`${scheme} ${request.headers.host} ${request.url}`);
      response.writeHead(200, { 'Content-Length': BODY.length, 'Cache-Control': 'max-age=600' });
      response.end(BODY);
    };
  const plain = http.createServer(answer('http'));
  const secure = https.createServer({ key: key as string, cert: cert as string }, answer('https'));
  const ports = { 80: await listen(plain), 443: await listen(secure) };
  const proxy = http.createServer((_request, response) => response.writeHead(405).end());
  proxy.on('connect', (request, socket) => {
    const [host, port] = (request.url ?? '').split(':');
    const to = [HOST, PINNED].includes(host ?? '') ? ports[Number(port) as 80 | 443] : undefined;
    socket.on('error', () => {});
    if (to === undefined) return socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
    const onward = net.connect(to, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    onward.on('error', () => socket.destroy());
    socket.pipe(onward).pipe(socket);
  });
  const proxyPort = await listen(proxy);
  return {
    ca: ca as string,
    asked,
    outbound: { proxy: `http://127.0.0.1:${proxyPort}`, ca: join(folder, 'ca.pem') },
    stop() {
      for (const server of [plain, secure, proxy]) {
        server.close();
        server.closeAllConnections();
      }
      rmSync(folder, { recursive: true });
    },
  };
}

/** An address of this machine that nobody else uses; gone at the end. */
export function takeAddress(engine: TestEngine, last: number) {
  return take(`${engine.subnetPrefix}.251.${last}`, 32);
}

export function takeIpv6Address(engine: TestEngine, last: number) {
  return take(`fdbe:${engine.subnetPrefix.replaceAll('.', ':')}::${last}`, 128);
}

async function take(address: string, bits: number): Promise<{ address: string; give: () => Promise<void> }> {
  const change = async (verb: string): Promise<void> => {
    const { code, stderr } = await run('ip', ['addr', verb, `${address}/${bits}`, 'dev', 'lo']);
    if (code !== 0 && !/exists|already assigned/.test(stderr)) throw new Error(stderr);
  };
  await change('add');
  return { address, give: () => change('del') };
}

/** Files of this machine that a container needs to speak TLS: busybox, and openssl with its libraries. */
function copyPrograms(root: string): void {
  const openssl = realpathSync(execFileSync('/bin/sh', ['-c', 'command -v openssl']).toString().trim());
  const linked = execFileSync('/usr/bin/ldd', [openssl]).toString();
  const libraries = [...linked.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path as string);
  for (const file of libraries) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    cpSync(realpathSync(file), join(root, file));
  }
  mkdirSync(join(root, 'bin'), { recursive: true });
  cpSync(openssl, join(root, 'bin/openssl'));
}

export type Layout = 'debian' | 'alpine' | 'fedora' | 'suse' | 'none';

/** Where programs of each look. */
export const bundleOf: Readonly<Record<Layout, string>> = {
  debian: '/etc/ssl/certs/ca-certificates.crt',
  alpine: '/etc/ssl/certs/ca-certificates.crt',
  fedora: '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  suse: '/var/lib/ca-certificates/ca-bundle.pem',
  none: '/etc/ssl/certs/ca-certificates.crt',
};

const folders: Readonly<Record<Layout, readonly string[]>> = {
  debian: ['etc/ssl/certs', 'usr/local/share/ca-certificates'],
  alpine: ['etc/ssl/certs', 'usr/local/share/ca-certificates'],
  fedora: ['etc/pki/ca-trust/extracted/pem', 'etc/pki/ca-trust/source/anchors', 'etc/pki/tls/certs', 'etc/ssl'],
  suse: ['var/lib/ca-certificates/pem', 'etc/pki/trust/anchors', 'etc/ssl'],
  none: [],
};

/** An image that trusts `ca` in the way of a system; its busybox is that of the image `busybox`. */
export async function makeImage(engine: TestEngine, name: string, layout: Layout, ca: string): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'berthgate-image-'));
  try {
    copyPrograms(root);
    for (const folder of folders[layout]) mkdirSync(join(root, folder), { recursive: true });
    if (layout !== 'none') writeFileSync(join(root, bundleOf[layout]), ca);
    writeFileSync(join(root, PINS), ca);
    if (layout === 'alpine') symlinkSync('certs/ca-certificates.crt', join(root, 'etc/ssl/cert.pem'));
    if (layout === 'fedora') {
      symlinkSync('/etc/pki/tls/certs', join(root, 'etc/ssl/certs'));
      symlinkSync(bundleOf.fedora, join(root, 'etc/pki/tls/certs/ca-bundle.crt'));
    }
    if (layout === 'suse') symlinkSync('/var/lib/ca-certificates/pem', join(root, 'etc/ssl/certs'));
    writeFileSync(join(root, 'Dockerfile'), 'FROM busybox\nCOPY . /\n');
    writeFileSync(join(root, '.dockerignore'), 'Dockerfile\n.dockerignore\n');
    await docker(engine, ['build', '-q', '-t', name, root], { env: { DOCKER_BUILDKIT: '0' }, timeoutMs: 120_000 });
  } finally {
    rmSync(root, { recursive: true });
  }
}

/** In a container: the hash of what it gets over TLS, checked against what its system trusts; what OpenSSL says besides. */
export function fetchScript(bundle: string, path: string, host = HOST): string {
  const asked = `printf 'GET ${path} HTTP/1.1\\r\\nHost: ${host}\\r\\nConnection: close\\r\\n\\r\\n'`;
  const trust = `-verify_return_error -verify_hostname ${host} -CAfile ${bundle} -no-CApath -no-CAstore`;
  const client = `openssl s_client -quiet -servername ${host} ${trust} -connect ${host}:443`;
  return `${asked} | ${client} | sed '1,/^\\r$/d' | sha256sum`;
}
