// nginx as a cache, as what is measured has it in common: one worker, as ours is one process, and no log.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProcess } from './processes.mjs';
import { findProgram } from './programs.mjs';

/** `store`: what `proxy_cache_path` is told beside the zone, `bench`; `servers`: what stands behind that. */
export function startNginx(folder, { store, servers }) {
  for (const name of ['nginx-store', 'nginx-temp']) mkdirSync(join(folder, name));
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration(folder, store, servers));
  const log = join(folder, 'nginx.log');
  return startProcess(findProgram('nginx'), ['-c', file, '-p', folder, '-e', log], { log });
}

/** `tcp_nopush` would cost it three quarters of its rate on loopback. */
function configuration(folder, store, servers) {
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
  proxy_cache_path ${folder}/nginx-store levels=1:2 keys_zone=bench:64m inactive=1d use_temp_path=off ${store};
${servers}
}
`;
}
