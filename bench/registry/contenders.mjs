// Who is measured as a mirror: each in front of the same registry, Debian's docker-registry.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startNginx } from '../harness/nginx.mjs';
import { cpuSeconds, freePort, startProcess, waitUntilOpen } from '../harness/processes.mjs';
import { findProgram } from '../harness/programs.mjs';

const main = fileURLToPath(new URL('./mirror-process.mjs', import.meta.url));

/** `inside`: a network namespace that it runs in, and the address that it has there. */
export async function startRegistry(folder, inside = null) {
  const port = await freePort();
  const host = inside?.address ?? '127.0.0.1';
  mkdirSync(folder, { recursive: true });
  const run = inside === null ? [] : ['nsenter', `--net=/run/netns/${inside.name}`];
  const log = join(folder, 'registry.log');
  const process_ = startDocker(folder, `${host}:${port}`, null, run, true);
  await waitUntilOpen({ host, port });
  const asked = () => (readFileSync(log, 'utf8').match(/"GET \/v2\/\S+\/blobs\/\S+ HTTP/g) ?? []).length;
  return { host: `${host}:${port}`, url: `http://${host}:${port}`, asked, stop: () => process_.stop() };
}

export async function berthgateMirror(folder, { host, url }) {
  const port = await freePort();
  const log = join(folder, 'berthgate.log');
  const process_ = startProcess(process.execPath, [main, join(folder, 'berthgate'), String(port), host, url], { log });
  return opened('berthgate', port, `/v2/${host.replace(':', '__')}`, process_);
}

export async function dockerMirror(folder, { url }) {
  const port = await freePort();
  const own = join(folder, 'docker-registry');
  mkdirSync(own);
  return opened('docker-registry', port, '/v2', startDocker(own, `127.0.0.1:${port}`, url, [], false));
}

export async function nginxMirror(folder, { host }) {
  const port = await freePort();
  const servers = `
  server {
    listen 127.0.0.1:${port};
    location /v2/ {
      proxy_pass http://${host};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_cache bench;
      proxy_cache_lock on;
      proxy_cache_lock_timeout 5m;
      proxy_cache_lock_age 5m;
      proxy_cache_valid 200 1d;
      proxy_ignore_headers Cache-Control Expires Vary;
      proxy_max_temp_file_size 4096m;
    }
  }`;
  return opened('nginx', port, '/v2', startNginx(folder, { store: 'max_size=64g', servers }));
}

function startDocker(folder, address, upstream, run, isLogged) {
  const file = join(folder, 'config.json');
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: !isLogged } },
    storage: { filesystem: { rootdirectory: join(folder, 'data') }, maintenance: null },
    http: { addr: address, secret: 'bench' },
    ...(upstream === null ? {} : { proxy: { remoteurl: upstream } }),
  };
  // Its configuration is YAML, and JSON is YAML.
  writeFileSync(file, JSON.stringify(config));
  const [program, ...args] = [...run, findProgram('docker-registry'), 'serve', file];
  return startProcess(program, args, { log: join(folder, 'registry.log'), env: { OTEL_TRACES_EXPORTER: 'none' } });
}

async function opened(name, port, prefix, process_) {
  await waitUntilOpen({ host: '127.0.0.1', port });
  return { name, port, prefix, cpu: () => cpuSeconds(process_.pid), stop: () => process_.stop() };
}
