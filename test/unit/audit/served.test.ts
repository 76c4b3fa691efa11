import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { builtProgram, call, serve, startBerthgate, temporaryFolder, until } from '../cli/built-program.ts';
import { type SmallEngine, startSmallEngine } from '../cli/small-engine.ts';

let upstream: SmallEngine;

beforeAll(async () => {
  builtProgram();
  upstream = await startSmallEngine();
}, 60_000);

afterAll(() => upstream.stop());

const policy = `export default {
  kind: 'policy',
  name: 'no-lists',
  options: ({ word }) => ({ word }),
  create: ({ word }, { refuse }) => ({
    judge(call) {
      if (call.endpoint.id === 'ContainerList') throw refuse('list', word, { place: 'query.all', hint: 'ask for one' });
      return { call, rule: 'other', changes: [] };
    },
  }),
};`;

test('a refusal leads from its message to the audit, over rotation and reload, and is counted', async () => {
  const folder = temporaryFolder();
  const audit = join(folder, 'audit.jsonl');
  const file = join(folder, 'berthgate.yaml');
  const host = `unix://${folder}/docker.sock`;
  const config = (word: string): string => `state: ${folder}/state
engines: [{ name: local, url: "unix://${upstream.path}" }]
listeners:
  - name: people
    url: ${host}
    auth: [anonymous]
    namespace: null
    policies: [{ use: ./no-lists.mjs, word: ${word} }]
log: { audit: audit.jsonl }
help: https://ci.example.org/docker
admin: { metrics: "http://127.0.0.1:0" }
`;
  writeFileSync(join(folder, 'no-lists.mjs'), policy);
  writeFileSync(file, config('mustnot'));
  const running = await serve(file);

  const refused = await call(host, '/containers/json?all=1');
  expect([refused.status, refused.headers['berthgate-refusal']]).toEqual([403, 'refused']);
  const { message } = JSON.parse(refused.body) as { message: string };
  const [, id = ''] =
    /refused by policy no-lists: query\.all mustnot \(ask for one\) \(refusal ([0-9a-f]{8}), see https:\/\/ci\.example\.org\/docker\)$/.exec(
      message,
    ) ?? [];
  expect(id, message).not.toBe('');

  renameSync(audit, `${audit}.1`);
  writeFileSync(file, config('mustneither'));
  running.kill('SIGHUP');
  await running.hears(/configuration read again/);
  expect((await call(host, '/containers/json')).body).toContain('mustneither');

  renameSync(audit, `${audit}.2`);
  writeFileSync(file, 'engines: 1');
  running.kill('SIGHUP');
  await running.hears(/the old one stays/);
  await until(
    () => existsSync(audit),
    () => 'the audit is not opened anew',
  );
  expect((await call(host, '/containers/json')).body).toContain('mustneither');
  running.kill('SIGTERM');
  expect((await running.exit).code).toBe(0);
  expect(readFileSync(audit, 'utf8').split('\n')).toHaveLength(2);

  const shown = startBerthgate(['audit', 'show', '--file', audit, id]);
  expect((await shown.exit).code).toBe(0);
  for (const words of [
    'user:          anonymous',
    'rule:          list',
    'value:         true',
    'remedy:        ask for one',
  ]) {
    expect(shown.out).toContain(words);
  }
});

test('serve does not start where its audit cannot be written, and says so', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'berthgate.yaml');
  writeFileSync(
    file,
    `state: ${folder}/state
engines: [{ name: local, url: "unix://${upstream.path}" }]
listeners: [{ name: people, url: "unix://${folder}/docker.sock", auth: [anonymous], namespace: null, policies: [] }]
log: { audit: not/there.jsonl }
`,
  );
  const running = startBerthgate(['serve', '--config', file]);
  expect((await running.exit).code).toBe(1);
  expect(running.err).toContain('log.audit: ENOENT');
});
