// What a registry and its realm on loopback show, made anew for each use.
import { run } from '../engines/index.ts';

/** Into the folder: `ca.pem`, which has signed `server.pem` (`server.key`) for 127.0.0.1; `realm.pem` (`realm.key`) for tokens. */
export async function makeCertificates(folder: string): Promise<void> {
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
}
