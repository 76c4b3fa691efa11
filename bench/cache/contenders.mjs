// Who is measured as a cache: each in front of the same origin, with as much room.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpuSeconds, freePort, startProcess, waitUntilOpen } from '../harness/processes.mjs';
import { findProgram } from '../harness/programs.mjs';

const main = fileURLToPath(new URL('./cache-process.mjs', import.meta.url));

export async function berthgateCache(folder, originPort, maxBytes) {
  const port = await freePort();
  const args = [main, join(folder, 'berthgate-store'), String(maxBytes), String(port), String(originPort)];
  return opened('berthgate', port, startProcess(process.execPath, args, { log: join(folder, 'berthgate.log') }));
}

/** One worker, as ours is one process; no log. `tcp_nopush` would cost it three quarters of its rate on loopback. */
export async function nginxCache(folder, originPort, maxBytes) {
  const port = await freePort();
  for (const name of ['nginx-store', 'nginx-temp']) mkdirSync(join(folder, name));
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration({ folder, port, originPort, maxBytes }));
  const log = join(folder, 'nginx.log');
  return opened('nginx', port, startProcess(findProgram('nginx'), ['-c', file, '-p', folder, '-e', log], { log }));
}

function configuration({ folder, port, originPort, maxBytes }) {
  const user = process.getuid?.() === 0 ? 'user root;\n' : '';
  return `${user}daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nodelay on;
  open_file_cache max=2000 inactive=60s;
  keepalive_requests 1000000;
  client_body_temp_path ${folder}/nginx-temp;
  proxy_cache_path ${folder}/nginx-store levels=1:2 keys_zone=bench:64m max_size=${maxBytes} inactive=1d use_temp_path=off;
  upstream origin { server 127.0.0.1:${originPort}; keepalive 32; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_cache bench;
      proxy_cache_lock on;
      proxy_max_temp_file_size 4096m;
    }
  }
}
`;
}

async function opened(name, port, process_) {
  await waitUntilOpen({ host: '127.0.0.1', port });
  return { name, port, cpu: () => cpuSeconds(process_.pid), stop: () => process_.stop() };
}
