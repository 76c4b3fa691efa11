import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { reasons } from '../../../src/ground/refusal.ts';
import { describedMetrics } from '../../../src/operate/signals/index.ts';
import { berthgate } from './in-process.ts';

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'bg-cli-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

test('wrong usage is 2, help and version are 0', async () => {
  expect((await berthgate()).code).toBe(2);
  expect((await berthgate('sreve')).code).toBe(2);
  expect(await berthgate('sreve', '--help')).toMatchObject({
    code: 2,
    err: expect.stringContaining("unknown command 'sreve'"),
  });
  expect(await berthgate('explain', 'GET')).toMatchObject({ code: 2, err: expect.stringContaining('METHOD PATH') });
  expect((await berthgate('serve', '--nonsense')).code).toBe(2);
  expect((await berthgate('check')).code).toBe(2);
  expect((await berthgate('check', '--config')).code).toBe(2);
  expect((await berthgate('check', 'a', 'b', '--config', 'x')).code).toBe(2);
  expect(await berthgate('--version')).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  expect((await berthgate('--help')).code).toBe(0);
});

test('every command has a help with an example and its exit codes', async () => {
  const { out } = await berthgate('--help');
  const names = [...out.matchAll(/^ {2}([a-z]+)[ |]/gm)]
    .map(([, name]) => name as string)
    .filter((name) => name !== 'help');
  expect(names.length).toBeGreaterThanOrEqual(4);
  for (const name of new Set(names.filter((one) => one !== 'berthgate'))) {
    const help = await berthgate(name, '--help');
    expect(help.code, name).toBe(0);
    expect(help.out, name).toContain('Example');
    expect(help.out, name).toContain(`berthgate ${name}`);
    expect(help.out, name).toContain('Exit codes');
  }
});

test('check says every fault with its place, or that the file is valid', async () => {
  const file = join(folder(), 'c.yaml');
  writeFileSync(
    file,
    'engines: [{ name: local, url: "unix:///x" }]\nlisteners: [{ name: people, ulr: "unix:///y" }]\n',
  );
  const faulty = await berthgate('check', '--config', file);
  expect(faulty.code).toBe(1);
  expect(faulty.err).toContain(`${file}:2:`);
  writeFileSync(
    file,
    'engines: [{ name: a, url: "unix:///x" }, { name: b, url: "unix:///z" }]\nlisteners: [{ name: people, url: "unix:///y" }]\nadmin: {url: "tcp://0.0.0.0:1", tls: {cert: c, key: k}, auth: [anonymous]}\n',
  );
  const valid = await berthgate('check', '--config', file);
  expect(valid).toMatchObject({ code: 0, err: '' });
  expect(valid.out).toContain(`${file}: valid`);
  expect(valid.out).toMatch(/c\.yaml:3:\d+: admin\.url.*no effect yet/);
  expect(valid.out).toContain('refuses to start');
  expect((await berthgate('check', '--config', join(folder(), 'absent.yaml'))).code).toBe(1);
});

test('init writes what serve starts with, and overwrites nothing', async () => {
  const printed = await berthgate('init');
  expect(printed.code).toBe(0);
  const file = join(folder(), 'berthgate.yaml');
  expect((await berthgate('init', '--write', file)).code).toBe(0);
  expect(readFileSync(file, 'utf8')).toBe(printed.out);
  expect(await berthgate('check', '--config', file)).toEqual({ code: 0, out: `${file}: valid\n`, err: '' });
  expect((await berthgate('init', '--write', file)).code).toBe(1);
});

test('serve without a file and without a place for its socket says so', async () => {
  const { code, err } = await berthgate('serve');
  expect(code).toBe(1);
  expect(err).toMatch(/XDG_RUNTIME_DIR is not set.*--config/);
});

test('the reference has a page for the configuration, every refusal and every metric', async () => {
  const target = join(folder(), 'reference');
  const { code } = await berthgate('reference', '--write', target);
  expect(code).toBe(0);
  expect(readdirSync(target).length).toBeGreaterThanOrEqual(5);
  const refusals = readFileSync(join(target, 'refusals.md'), 'utf8');
  for (const reason of Object.keys(reasons)) expect(refusals).toContain(`\`${reason}\``);
  const metrics = readFileSync(join(target, 'metrics.md'), 'utf8');
  for (const { name } of describedMetrics) expect(metrics).toContain(`\`${name}\``);
  expect(existsSync(join(target, 'configuration.md'))).toBe(true);
  expect(JSON.parse(readFileSync(join(target, 'configuration.schema.json'), 'utf8'))).toHaveProperty('properties');
});
