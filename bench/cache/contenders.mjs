// Who is measured as a cache: each in front of the same origin, with as much room.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startNginx } from '../harness/nginx.mjs';
import { cpuSeconds, freePort, startProcess, waitUntilOpen } from '../harness/processes.mjs';

const main = fileURLToPath(new URL('./cache-process.mjs', import.meta.url));

export async function berthgateCache(folder, originPort, maxBytes) {
  const [port, tlsPort] = [await freePort(), await freePort()];
  const args = [main, join(folder, 'berthgate-store'), ...[maxBytes, port, tlsPort, originPort].map(String)];
  const process_ = startProcess(process.execPath, args, { log: join(folder, 'berthgate.log') });
  // It makes room by itself.
  return { ...(await opened('berthgate', { port, tlsPort }, process_)), settle: async () => {} };
}

export async function nginxCache(folder, originPort, maxBytes) {
  const [port, tlsPort] = [await freePort(), await freePort()];
  makeCertificate(folder);
  const store = `max_size=${maxBytes} manager_files=100000 manager_threshold=10s manager_sleep=1ms`;
  const process_ = startNginx(folder, { store, servers: servers({ folder, port, tlsPort, originPort }) });
  const one = await opened('nginx', { port, tlsPort }, process_);
  /** A cache manager that has just been started looks at once; the master starts another one where one ends. */
  const settle = async (isSettled) => {
    const until = performance.now() + 3000;
    if (isSettled()) return;
    for (const pid of childrenOf(process_.pid)) {
      if (commandOf(pid).includes('cache manager')) process.kill(pid, 'SIGTERM');
    }
    while (!isSettled() && performance.now() < until) await pause(20);
  };
  return { ...one, settle };
}

/** Of the kind that our CA makes: P-256. */
function makeCertificate(folder) {
  const to = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  execFileSync('openssl', ['req', '-x509', '-days', '2', '-subj', '/CN=localhost', ...key, ...to], { stdio: 'ignore' });
}

function servers({ folder, port, tlsPort, originPort }) {
  return `
  upstream origin { server 127.0.0.1:${originPort}; keepalive 32; }
  server {
    listen 127.0.0.1:${port};
    listen 127.0.0.1:${tlsPort} ssl;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    ssl_certificate ${folder}/cert.pem;
    ssl_certificate_key ${folder}/key.pem;
    ssl_session_cache shared:tls:8m;
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_cache bench;
      proxy_cache_lock on;
      proxy_max_temp_file_size 4096m;
    }
  }`;
}

async function opened(name, ports, process_) {
  for (const port of Object.values(ports)) await waitUntilOpen({ host: '127.0.0.1', port });
  return { name, ...ports, pid: process_.pid, cpu: () => cpuSeconds(process_.pid), stop: () => process_.stop() };
}

function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
