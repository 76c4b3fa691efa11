// The configurations of those that are measured beside Berthgate.

/** What may be switched on one by one, in the order in which the rules are asked. */
const SECTIONS = [
  'auth',
  'build',
  'commit',
  'configs',
  'containers',
  'distribution',
  'events',
  'exec',
  'grpc',
  'images',
  'info',
  'networks',
  'nodes',
  '_ping',
  'plugins',
  'secrets',
  'services',
  'session',
  'swarm',
  'system',
  'tasks',
  'version',
  'volumes',
];

/** The environment of a socket proxy that lets through what the benchmarks ask. */
export const SWITCHES = {
  POST: '1',
  ...Object.fromEntries(SECTIONS.map((section) => [switchOf(section), '1'])),
};

function switchOf(section) {
  return section.replace('_', '').toUpperCase();
}

/**
 * The shape of the well-known socket proxies: HTTP mode, a connection to the engine for each call, a log line for each
 * call, and a regular expression for each section of the API that the environment switches on.
 */
export function haproxyUsual({ socket, unix, port }) {
  const rules = SECTIONS.map(
    (section) =>
      `  http-request allow if { path,url_dec -m reg -i ^(/v[\\d\\.]+)?/${section} } { env(${switchOf(section)}) -m bool }`,
  );
  return `global
  log stdout format raw daemon info
  maxconn 4000

defaults
  mode http
  log global
  option httplog
  option dontlognull
  option http-server-close
  option redispatch
  retries 3
  timeout http-request 10s
  timeout queue 1m
  timeout connect 10s
  timeout client 10m
  timeout server 10m
  timeout http-keep-alive 10s
  maxconn 3000

frontend clients
  bind unix@${unix}
  bind 127.0.0.1:${port}
  http-request deny unless METH_GET || { env(POST) -m bool }
${rules.join('\n')}
  http-request deny
  default_backend engine

backend engine
  server dockerd unix@${socket}
`;
}

/** What somebody gets out of it who knows it well: connections are kept, one thread, no log, no rules. */
export function haproxyTuned({ socket, unix, port }) {
  return `global
  maxconn 4000
  nbthread 1
  tune.bufsize 65536

defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 10s
  timeout client 10m
  timeout server 10m
  maxconn 3000

frontend clients
  bind unix@${unix}
  bind 127.0.0.1:${port}
  default_backend engine

backend engine
  server dockerd unix@${socket}
`;
}

export function nginxTuned({ socket, unix, port, folder }) {
  // The engine's socket is open to who runs the benchmark.
  const user = process.getuid() === 0 ? 'user root;' : '';
  return `daemon off;
${user}
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 4096; }
http {
  access_log ${folder}/nginx-access.log;
  client_body_temp_path ${folder}/nginx-body;
  proxy_temp_path ${folder}/nginx-proxy;
  fastcgi_temp_path ${folder}/nginx-fastcgi;
  uwsgi_temp_path ${folder}/nginx-uwsgi;
  scgi_temp_path ${folder}/nginx-scgi;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  upstream engine {
    server unix:${socket};
    keepalive 64;
    keepalive_requests 1000000000;
  }
  server {
    listen unix:${unix};
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header Host docker;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_read_timeout 1h;
    }
  }
}
`;
}
