// What a job does with package mirrors, as it does it on any machine: none of it knows of a cache.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PACKAGE = 'jq';

const JAVA = `
import java.net.*; import java.nio.file.*; import javax.net.ssl.*;
public class Fetch {
  public static void main(String[] args) throws Exception {
    HttpsURLConnection it = (HttpsURLConnection) new URL(args[0]).openConnection();
    System.out.println(it.getResponseCode() + " " + it.getInputStream().readAllBytes().length);
  }
}
`;

/** By name, a command of \`sh\`. */
export const works = {
  apt: `apt-get update && apt-get install -y --no-install-recommends ${PACKAGE} && ${PACKAGE} --version`,
  npm: 'cp -r /job/npm /tmp/npm && cd /tmp/npm && npm ci && ls node_modules | grep -c .',
  'npm of another Node': 'PATH=/opt/makers:$PATH; cp -r /job/npm /tmp/npm && cd /tmp/npm && npm ci && node --version',
  curl: 'curl -sS --fail-with-body "$FILE" -o /tmp/file || { cat /tmp/file; exit 1; }; sha256sum /tmp/file',
  python: `python3 -c 'import hashlib, sys, urllib.request as u; print(hashlib.sha256(u.urlopen(sys.argv[1]).read()).hexdigest())' "$FILE"`,
  java: 'java /job/Fetch.java "$FILE"',
};

/** What they need, in a folder that is mounted at /job. */
export function writeJob(folder, { npm }) {
  writeFileSync(join(folder, 'Fetch.java'), JAVA);
  writeFileSync(join(folder, 'npm', '.npmrc'), `registry=${npm}\naudit=false\nfund=false\n`);
}
