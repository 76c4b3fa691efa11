// Three registries as people have them: a password over HTTP, a password over HTTPS with a CA of its own, tokens of a realm.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, run, startRegistry, type TestRegistry } from '../engines/index.ts';
import { startRealm, type TestRealm } from './registry-realm.ts';

/** Everybody who is let in is `alice`, with the password `secret`. */
export interface Upstreams {
  readonly basic: TestRegistry;
  readonly tls: TestRegistry;
  readonly token: TestRegistry;
  readonly realm: TestRealm;
  /** With `ca.pem`, which has signed what `tls` shows. */
  readonly folder: string;
  stop(): Promise<void>;
}

export async function startUpstreams(): Promise<Upstreams> {
  const folder = await mkdtemp(join(tmpdir(), 'berthgate-upstreams-'));
  const { stdout: htpasswd } = await run('htpasswd', ['-nbB', 'alice', 'secret']);
  const script = `
    set -e
    new() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "$@"; }
    new -x509 -subj '/CN=test CA' -keyout ca.key -out ca.pem
    printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth\\n' >server.ext
    new -subj /CN=registry -keyout server.key -out server.csr
    openssl x509 -req -days 2 -CA ca.pem -CAkey ca.key -CAcreateserial -extfile server.ext -in server.csr -out server.pem
    new -x509 -subj '/CN=realm' -keyout realm.key -out realm.pem`;
  const made = await run('/bin/sh', ['-c', script], { cwd: folder });
  if (made.code !== 0) throw new Error(made.stderr);
  const file = (name: string): string => join(folder, name);
  const realm = await startRealm(file('realm.pem'), file('realm.key'));
  const [basic, tls, token] = await Promise.all([
    startRegistry({ htpasswd, port: await freePort() }),
    startRegistry({
      htpasswd,
      port: await freePort(),
      tls: { certificate: file('server.pem'), key: file('server.key') },
    }),
    startRegistry({ port: await freePort(), token: { realm: realm.url, certificate: file('realm.pem') } }),
  ]);
  return {
    basic,
    tls,
    token,
    realm,
    folder,
    async stop() {
      realm.close();
      await Promise.all([basic.stop(), tls.stop(), token.stop()]);
      await rm(folder, { recursive: true });
    },
  };
}
