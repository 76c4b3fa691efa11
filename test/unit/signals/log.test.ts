import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openLog } from '../../../src/operate/signals/log.ts';

test('what is logged after the end is left out, and ending twice is ending once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bg-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const to = join(folder, 'log');
  const opened = openLog({ level: 'info', format: 'json', to });
  opened.log.info('before');
  const closed = opened.close();
  opened.write('{"msg":"a call that was cut"}\n');
  opened.log.fatal('a fault');
  await Promise.all([closed, opened.close()]);
  opened.log.fatal('later');
  await opened.close();
  const said = readFileSync(to, 'utf8').trim().split('\n');
  expect(said.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['before']);
});
