/** A CA of the moment and what it signs, made by openssl. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}

export class Authority {
  readonly folder: string;
  readonly ca: string;
  private readonly caKey: string;

  constructor(name = 'test CA') {
    this.folder = mkdtempSync(join(tmpdir(), 'bg-ca-'));
    onTestFinished(() => rmSync(this.folder, { recursive: true, force: true }));
    this.ca = join(this.folder, 'ca.pem');
    this.caKey = join(this.folder, 'ca-key.pem');
    openssl('req', '-x509', ...newKey, '-days', '2', '-subj', `/CN=${name}`, '-keyout', this.caKey, '-out', this.ca);
  }

  /** Signed for localhost and 127.0.0.1; written over what is there under this name. */
  sign(name: string, commonName = name): Pair {
    const pair = { cert: join(this.folder, `${name}.pem`), key: join(this.folder, `${name}-key.pem`) };
    const request = join(this.folder, `${name}.csr`);
    const extensions = join(this.folder, `${name}.ext`);
    writeFileSync(extensions, 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
    openssl('req', ...newKey, '-subj', `/CN=${commonName}`, '-keyout', pair.key, '-out', request);
    openssl(
      ...['x509', '-req', '-in', request, '-CA', this.ca, '-CAkey', this.caKey, '-CAcreateserial', '-days', '2'],
      ...['-extfile', extensions, '-out', pair.cert],
    );
    return pair;
  }
}
