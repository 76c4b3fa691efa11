/** CAs, client certificates and revocation lists, made with openssl at test time. */

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Made {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly file: string;
}

export class TestCa {
  readonly folder: string;
  readonly name: string;
  readonly file: string;
  #count = 0;

  constructor(folder: string, name: string, algorithm: 'ec' | 'rsa' = 'ec') {
    this.folder = folder;
    this.name = name;
    this.file = join(folder, `${name}.pem`);
    const key = algorithm === 'ec' ? ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : ['rsa:2048'];
    const subject = ['-subj', `/O=Example/CN=${name}`, '-days', '30'];
    this.#openssl(
      'req',
      '-x509',
      '-newkey',
      ...key,
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      ...subject,
    );
    writeFileSync(join(folder, `${name}.txt`), '');
    writeFileSync(join(folder, `${name}.crlnumber`), '01');
    writeFileSync(
      join(folder, `${name}.cnf`),
      `[ca]\ndefault_ca=d\n[d]\ndatabase=${name}.txt\ncrlnumber=${name}.crlnumber\ndefault_md=sha256\n`,
    );
  }

  /** The subject in openssl's own form; extensions as lines of its configuration. */
  issue(subject: string, extensions: readonly string[] = ['extendedKeyUsage=clientAuth'], days = 10): Made {
    const id = `${this.name}-${++this.#count}`;
    writeFileSync(join(this.folder, `${id}.ext`), `${extensions.join('\n')}\n`);
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-utf8'];
    this.#openssl('req', ...newKey, '-keyout', `${id}.key`, '-out', `${id}.csr`, '-subj', subject);
    const signing = ['-CA', `${this.name}.pem`, '-CAkey', `${this.name}.key`, '-CAcreateserial', '-days', String(days)];
    this.#openssl('x509', '-req', '-in', `${id}.csr`, '-out', `${id}.pem`, ...signing, '-extfile', `${id}.ext`);
    const read = (end: string) => readFileSync(join(this.folder, `${id}.${end}`));
    return { cert: read('pem'), key: read('key'), file: join(this.folder, `${id}.pem`) };
  }

  revoke({ file }: Made): void {
    const signing = ['-keyfile', `${this.name}.key`, '-cert', `${this.name}.pem`];
    this.#openssl('ca', '-config', `${this.name}.cnf`, '-revoke', file, ...signing);
  }

  /** Writes the list in place of the one that is there. */
  writeList(file: string, validFor: readonly string[] = ['-crldays', '7']): void {
    const signing = ['-keyfile', `${this.name}.key`, '-cert', `${this.name}.pem`];
    this.#openssl('ca', '-config', `${this.name}.cnf`, '-gencrl', '-out', file, ...signing, ...validFor);
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.folder, stdio: ['ignore', 'ignore', 'pipe'] });
  }
}
