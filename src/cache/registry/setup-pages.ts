/** What a host needs to pull through here, to be fetched by it: `/ca.crt` and `/setup/…`. */

export interface SetupFacts {
  /** PEM. */
  readonly roots: string;
  /** As the client has reached us: `10.0.0.5:3128`. */
  readonly proxy: string;
  /** Null where there is no mirror. */
  readonly mirrorPort: number | null;
}

export interface SetupPage {
  readonly type: string;
  readonly body: string;
}

const HOST = /^(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/** Null for a page that there is not. */
export function setupPage(path: string, { roots, proxy, mirrorPort }: SetupFacts): SetupPage | null {
  // It goes into files of root.
  if (!HOST.test(proxy)) return null;
  const at = `http://${proxy}`;
  const mirror = mirrorPort === null ? null : `http://${proxy.replace(/:\d+$/, '')}:${mirrorPort}`;
  switch (path) {
    case '/ca.crt':
      return { type: 'application/x-pem-file', body: roots };
    case '/setup/systemd':
      return text(systemd(at));
    case '/setup/daemon.json':
      return { type: 'application/json', body: `${JSON.stringify(daemonSettings(at, mirror), null, 2)}\n` };
    case '/setup/containerd':
      return text(mirror === null ? systemd(at).replaceAll('docker', 'containerd') : hostsToml(mirror));
    case '/setup/buildkit':
      return text(mirror === null ? systemd(at).replaceAll('docker', 'buildkit') : buildkitd(mirror));
    default:
      return null;
  }
}

function text(body: string): SetupPage {
  return { type: 'text/plain; charset=utf-8', body };
}

function systemd(at: string): string {
  return `# curl -fsS ${at}/setup/systemd -o /etc/systemd/system/docker.service.d/berthgate.conf --create-dirs
# curl -fsS ${at}/ca.crt -o /etc/berthgate-ca/ca.crt --create-dirs
# systemctl daemon-reload && systemctl restart docker
# Fetch ca.crt again, and restart, before it ends: it says when (openssl x509 -enddate -noout -in ca.crt).
[Service]
Environment=HTTPS_PROXY=${at}
Environment=NO_PROXY=localhost,127.0.0.0/8,::1
Environment=SSL_CERT_DIR=/etc/ssl/certs:/etc/pki/tls/certs:/etc/berthgate-ca
`;
}

function daemonSettings(at: string, mirror: string | null): object {
  if (mirror !== null) return { 'registry-mirrors': [mirror] };
  return { proxies: { 'https-proxy': at, 'no-proxy': 'localhost,127.0.0.0/8,::1' } };
}

function hostsToml(mirror: string): string {
  return `# /etc/containerd/certs.d/_default/hosts.toml, where config_path of containerd's registry settings is /etc/containerd/certs.d
[host."${mirror}"]
  capabilities = ["pull", "resolve"]
`;
}

function buildkitd(mirror: string): string {
  const host = mirror.slice('http://'.length);
  return `# /etc/buildkit/buildkitd.toml; a line as the first one for each registry
[registry."docker.io"]
  mirrors = ["${host}"]
[registry."${host}"]
  http = true
`;
}
