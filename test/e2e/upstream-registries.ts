// Three registries as people have them: a password over HTTP, a password over HTTPS with a CA of its own, tokens of a realm.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, run, startRegistry, type TestRegistry } from '../engines/index.ts';
import { makeCertificates } from './registry-certificates.ts';
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
  await makeCertificates(folder);
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
