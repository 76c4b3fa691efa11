// What the guides show is what works: their modules and configurations are taken out of the pages and used.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readConfiguration } from '../../../src/cli/configuration.ts';
import { judgeBy, refusalBy } from '../policies/judging.ts';
import { pluginFile, policyFrom } from './plugin-file.ts';

const docs = resolve(import.meta.dirname, '../../../docs');
const terminal = { env: {}, uid: 0, out: () => {}, err: () => {} };

function blocksOf(page: string, language: string): readonly string[] {
  const text = readFileSync(join(docs, page), 'utf8');
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, word, block]) =>
    word === language ? [block!] : [],
  );
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bg-docs-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('docs/plugins.md', () => {
  const [module = ''] = blocksOf('plugins.md', 'js');
  const [config = ''] = blocksOf('plugins.md', 'yaml');

  test('shows a policy that works', async () => {
    const policy = await policyFrom(pluginFile(module));
    const create = (name: string) => ({ path: `/containers/create?name=${name}`, body: { Image: 'busybox' } });
    await judgeBy(policy, create('alice-web'));
    expect(await refusalBy(policy, create('web'))).toMatchObject({
      rule: 'foreign-name',
      hint: 'docker run --name alice-web …',
    });
  });

  test('shows a configuration that is valid, and the fault of a wrong one', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'berthgate.yaml');
    writeFileSync(join(folder, 'named-after-user.mjs'), module);
    writeFileSync(file, config);
    const loaded = await readConfiguration(file, terminal);
    expect(loaded.config.listeners[0]?.policies[0]?.use).toBe(join(folder, 'named-after-user.mjs'));
    writeFileSync(file, config.replace('separator', 'seperator'));
    await expect(readConfiguration(file, terminal)).rejects.toThrow(
      `${file}:8:16: listeners[0].policies[0]: there is no option seperator`,
    );
  });
});

describe('the guides of policies', () => {
  test.for(['limits.md', 'inject.md', 'images-policy.md'])('docs/%s shows options that are valid', async (page) => {
    const blocks = blocksOf(page, 'yaml');
    expect(blocks.length).toBeGreaterThan(0);
    for (const block of blocks) {
      const file = join(temporaryFolder(), 'berthgate.yaml');
      const listener = `  - name: people\n    url: unix:///tmp/berthgate-docs.sock\n    namespace: null\n`;
      const indented = block.replace(/^(?=.)/gm, '    ');
      writeFileSync(
        file,
        `engines: [{ name: local, url: "unix:///var/run/docker.sock" }]\nlisteners:\n${listener}${indented}`,
      );
      expect((await readConfiguration(file, terminal)).config.listeners[0]?.policies).toHaveLength(1);
    }
  });
});
