import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { audit as auditCommand } from '../../../src/cli/audit.ts';
import { run } from '../../../src/cli/program.ts';
import { Audit } from '../../../src/operate/signals/audit.ts';

const log = pino({ level: 'silent' });

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'bg-audit-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('lines are appended, and go into a new file once it was opened anew', async () => {
  const file = join(folder(), 'audit.jsonl');
  writeFileSync(file, '{"v":1,"refusal":"00000000"}\n');
  const audit = new Audit(log);
  onTestFinished(() => audit.close());
  audit.check(file);
  audit.open(file);
  await expect.poll(() => statSync(file).size).toBeGreaterThan(0);
  audit.write({ v: 1, refusal: '11111111' });
  await expect.poll(() => readFileSync(file, 'utf8')).toContain('11111111');
  renameSync(file, `${file}.1`);
  audit.open(file);
  audit.write({ v: 1, refusal: '22222222' });
  await expect.poll(() => readFileSync(file, 'utf8')).toBe('{"v":1,"refusal":"22222222"}\n');
  expect(readFileSync(`${file}.1`, 'utf8')).toBe('{"v":1,"refusal":"00000000"}\n{"v":1,"refusal":"11111111"}\n');
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('what was written is in the file when it is closed', () => {
  const file = join(folder(), 'audit.jsonl');
  const audit = new Audit(log);
  audit.check(file);
  audit.open(file);
  for (let i = 0; i < 1000; i++) audit.write({ v: 1, number: i });
  audit.close();
  expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(1001);
});

test('a file that cannot be written to is told before it is needed', () => {
  const audit = new Audit(log);
  onTestFinished(() => audit.close());
  expect(() => audit.check(join(folder(), 'not', 'there'))).toThrow(/log\.audit: .*no such file/);
});

test('audit show finds a refusal, also in a file that was rotated away', async () => {
  const file = join(folder(), 'audit.jsonl');
  const entry = {
    v: 1,
    time: '2026-01-02T00:00:00.000Z',
    user: 'alice',
    refusal: '7f3a09c1',
    policy: 'conservative',
    rule: 'root',
    field: 'HostConfig.Privileged',
    value: true,
    remedy: 'leave it out',
    message: 'must\u001b[2Jbe false',
  };
  writeFileSync(`${file}.1`, `${JSON.stringify(entry)}\n`);
  writeFileSync(file, '{"v":1,"refusal":"ffffffff"}\n{"cut');
  const said = { out: '', err: '' };
  const terminal = {
    env: {},
    uid: 0,
    out: (text: string): void => {
      said.out += text;
    },
    err: (text: string): void => {
      said.err += text;
    },
  };
  expect(await run(['audit', 'show', '--file', file, '7f3a09c1'], [auditCommand], terminal)).toBe(0);
  for (const words of [
    'alice',
    'rule:          root',
    'field:         HostConfig.Privileged',
    'value:         true',
    'remedy:        leave it out',
  ]) {
    expect(said.out).toContain(words);
  }
  expect(said.out).toContain('must\\u001b[2Jbe false');
  expect(await run(['audit', 'show', '--file', file, 'abcd1234'], [auditCommand], terminal)).toBe(1);
  expect(said.err).toContain('has no entry abcd1234');
});
