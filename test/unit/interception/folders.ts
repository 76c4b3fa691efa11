// Folders of a test file, gone at its end.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const base = mkdtempSync(join(tmpdir(), 'berthgate-ca-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

export function newFolder(): string {
  return mkdtempSync(join(base, 'f'));
}
