import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { commands } from '../../../src/cli/commands.ts';
import { run } from '../../../src/cli/program.ts';

async function explain(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const code = await run(['explain', ...args], commands, {
    env: process.env,
    uid: 0,
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
  });
  return { code, ...said };
}

/** A listener under `conservative`; its engine is not there, so everything that a call refers to is absent. */
function conservative(listener = 'namespace: null', more = ''): string {
  const folder = mkdtempSync(join(tmpdir(), 'bg-explain-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'berthgate.yaml');
  writeFileSync(
    file,
    `state: ${folder}/state
engines: [{ name: local, url: "unix://${folder}/no-engine.sock" }]
listeners:
  - { name: people, url: "unix://${folder}/b.sock", auth: [anonymous], ${listener}, policies: [conservative] }
${more}`,
  );
  return file;
}

const create = 'POST /v1.41/containers/create'.split(' ') as [string, string];

test('a call is told with what it names, what nobody knows of it, and what would be sent', async () => {
  const data = JSON.stringify({ Image: 'busybox', HostConfig: { Binds: ['data:/d'], Memory: 0, Newest: 1 } });
  const { code, out } = await explain('POST', '/containers/create?name=web&color=red', '--data', data);
  expect(code).toBe(0);
  expect(out).toContain('ContainerCreate  POST /containers/create');
  expect(out).toContain('query.name = "web": gives a name to a container by name');
  expect(out).toContain('HostConfig.Binds[0] = "data": names a volume by name');
  expect(out).toContain('HostConfig.Newest = 1');
  expect(out).toContain('query keys that are not sent: color');
  expect(out).toMatch(/the engine gets:\n {2}POST \/v1\.\d+\/containers\/create\?name=web HTTP\/1\.1\n/);
  expect(out).not.toContain('HostConfig.Memory');
});

test('a call that can be read in two ways is refused with its place', async () => {
  const { code, out } = await explain(...create, '--data', '{"HostConfig":{"privileged":true}}');
  expect(code).toBe(1);
  expect(out).toContain('HostConfig.privileged');
});

test('what depends on the disk of an engine is told so, also where nobody sees how full that is', async () => {
  const config = conservative('namespace: null', 'gc: {high: 80%}\n');
  const made = await explain('--config', config, ...create, '--data', '{"Image":"busybox"}');
  expect(made.code).toBe(0);
  expect(made.out).toContain("while more than 80 % of the engine's disk are used, it is refused (507 disk-full); how");
  expect((await explain('--config', config, 'GET', '/info')).out).not.toContain('disk');
});

test('what is not in the table does not exist', async () => {
  const { code, out } = await explain('GET', '/debug/vars');
  expect(code).toBe(1);
  expect(out).toContain('404 page-not-found');
});

test('the policies of a listener judge the call, and say by which rule', async () => {
  const config = conservative();
  const data = '{"Image":"busybox","HostConfig":{"Privileged":true}}';
  const refused = await explain('--config', config, ...create, '--data', data);
  expect(refused.code).toBe(1);
  expect(refused.out).toContain('refused by policy conservative');
  expect(refused.out).toContain('HostConfig.Privileged must be false');
  expect(refused.err).toContain('what the call refers to is taken as absent');

  const bounded = '{"Image":"busybox","HostConfig":{"RestartPolicy":{"Name":"always"}}}';
  const passed = await explain('--config', config, '--json', ...create, '--data', bounded);
  expect(passed.code).toBe(0);
  const told = JSON.parse(passed.out);
  expect(told.decisions.map(({ policy }: { policy: string }) => policy)).toContain('conservative');
  expect(told.sent.body.HostConfig.RestartPolicy.Name).toBe('on-failure');
  expect(told.refusal).toBe(null);
});

test('a call is explained at the API version that is asked for', async () => {
  expect((await explain('GET', '/info', '--api', '1.43')).out).toContain('GET /v1.43/info HTTP/1.1');
  expect((await explain('GET', '/v1.50/info', '--api', '1.43')).out).toContain('is too new');
  expect((await explain('GET', '/info', '--api', '2')).code).toBe(1);
});

test('wrong usage is 2', async () => {
  expect((await explain()).code).toBe(2);
  expect((await explain('GET')).code).toBe(2);
});

test('a namespace is told with what is done for the call, and with what the engine gets of it', async () => {
  const config = conservative('namespace: "{user}", ports: { address: gateway, range: 20000-20099 }');
  const body = {
    Image: 'busybox',
    HostConfig: { Binds: ['data:/d'], PortBindings: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '' }] } },
  };
  const said = ['POST', '/containers/create?name=web', '--data', JSON.stringify(body)];
  const { code, out } = await explain('--config', config, '--user', 'alice', '--json', ...said);
  expect(code).toBe(0);
  const told = JSON.parse(out);
  expect(told.namespace).toBe('alice');
  expect(told.ordered.map(({ body: { Name } }: { body: { Name: string } }) => Name)).toEqual([
    'alice.bridge',
    'alice.data',
  ]);
  expect(told.sent.line).toContain('name=alice.web');
  expect(told.sent.body.HostConfig.Binds).toEqual(['alice.data:/d']);
  const { Gateway } = told.ordered[0].body.IPAM.Config[0];
  expect(told.sent.body.HostConfig.PortBindings).toEqual({ '80/tcp': [{ HostIp: Gateway, HostPort: '20000-20099' }] });
});

test('what a namespace does in place of the engine is told, and so is what it has not', async () => {
  const config = conservative('namespace: "ci-{label.project}", trustLabels: true');
  const at = (...call: readonly string[]) => explain('--config', config, '--user', 'runner', ...call);
  const made = await at('POST', '/networks/create', '--data', '{"Name": "build", "Labels": {"project": "7"}}');
  expect(made.code).toBe(0);
  expect(made.out).toMatch(/namespace ci-7-[0-9a-f]{16}\n/);
  expect(made.out).toMatch(/Berthgate itself has the engine do:\n {2}POST \/v1\.\d+\/networks\/create HTTP/);
  const unlabelled = await at('POST', '/volumes/create', '--data', '{"Name": "cache"}');
  expect(unlabelled.code).toBe(1);
  expect(unlabelled.out).toContain('the create has no {label.project}');
  const absent = await at('GET', '/containers/job/json');
  expect(absent.code).toBe(1);
  expect(absent.out).toContain('No such container: job');
});
