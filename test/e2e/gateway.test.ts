// Engines that pull from the gateway and push to it, straight, with the capability of a call: real registries behind it.

import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Grant } from '../../src/cache/registry/index.ts';
import { formatReference } from '../../src/docker/image-reference.ts';
import {
  compareVersions,
  describeEachEngine,
  docker,
  hasRegistry,
  newestEngine,
  run,
  type TestEngine,
} from '../engines/index.ts';
import { alice, type Rig, startRig } from '../unit/gateway/rig.ts';
import { startUpstreams, type Upstreams } from './upstream-registries.ts';

let upstreams: Upstreams;

beforeAll(async () => {
  if (hasRegistry()) upstreams = await startUpstreams();
});
afterAll(() => upstreams?.stop());

const HOSTS = ['basic.example.org', 'tls.example.org:5000', 'token.example.org'] as const;

function startGateway(): Promise<Rig> {
  const { basic, tls, token, realm, folder } = upstreams;
  const [basicHost, tlsHost, tokenHost] = HOSTS;
  return startRig(
    [
      { host: basicHost, url: basic.url },
      { host: tlsHost, url: tls.url, ca: join(folder, 'ca.pem') },
      { host: tokenHost, url: token.url },
    ],
    // The realm listens at another port than its registry, which is what the administrator has named.
    { outbound: { allowPrivate: realm.url === '' ? [] : [{ family: 'ipv4', address: '127.0.0.1', prefix: 32 }] } },
  );
}

interface Done {
  readonly status: number;
  readonly text: string;
  /** Of the stream's last words. */
  readonly error: string;
}

/** As Berthgate says it to the engine. */
function order(engine: TestEngine, path: string, auth: unknown): Promise<Done> {
  const url = new URL(engine.host);
  const where = url.protocol === 'unix:' ? { socketPath: url.pathname } : { host: url.hostname, port: url.port };
  // With its padding: what the engine cannot decode counts as nothing.
  const said = Buffer.from(JSON.stringify(auth)).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
  const headers = { 'X-Registry-Auth': said };
  return new Promise((resolve, reject) => {
    const call = request(
      { ...where, method: 'POST', path: `/v1.41${path}`, headers, signal: AbortSignal.timeout(120_000) },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (some: string) => {
          text += some;
        });
        answer.on('error', reject);
        answer.on('end', () => {
          const error = /"(?:error|message)":("(?:[^"\\]|\\.)*")/.exec(text)?.[1] ?? '""';
          resolve({ status: answer.statusCode ?? 0, text, error: JSON.parse(error) as string });
        });
      },
    );
    call.on('error', reject);
    call.end();
  });
}

const push = (engine: TestEngine, name: string, tag: string, grant: Grant): Promise<Done> =>
  order(engine, `/images/${name}/push?tag=${tag}`, grant.registryAuth);
const pull = (engine: TestEngine, name: string, tag: string, auth: unknown): Promise<Done> =>
  order(engine, `/images/create?fromImage=${encodeURIComponent(name)}&tag=${encodeURIComponent(tag)}`, auth);

describe.skipIf(!hasRegistry())('the registry gateway', () => {
  describeEachEngine('with an engine', (engine) => {
    test.for(HOSTS)('an image is pushed to %s and pulled again, by tag and by digest', async (host) => {
      const rig = await startGateway();
      const repository = { registry: host, path: `team/app-${engine.name}` };
      const { domain, path } = rig.gateway.names.toEngine('alice', {
        domain: host,
        path: repository.path,
        tag: null,
        digest: null,
      });
      const name = `${domain}/${path}`;
      // A layer of its own, larger than what anybody sends in one piece.
      const dockerfile = 'FROM busybox\nRUN head -c 6000000 /dev/urandom >/large\n';
      await docker(engine, ['build', '-q', '--no-cache', '-t', `${name}:1`, '-'], {
        input: dockerfile,
        env: { DOCKER_BUILDKIT: '0' },
      });
      const forget = async (...tags: string[]): Promise<void> =>
        void (await docker(engine, ['rmi', ...tags.map((tag) => name + tag)]));
      const may = { namespace: 'alice', push: [repository], credentials: () => alice };
      const pushing = rig.grant(may);
      const done = await push(engine, name, '1', pushing);
      const digest = /digest: (sha256:\w+)/.exec(done.text)?.[1] as string;
      expect(done).toMatchObject({ status: 200, error: '', text: expect.stringContaining('digest: sha256:') });
      pushing.end();
      await forget(':1');
      const pulling = rig.grant({ namespace: 'alice', push: [], pull: [repository], credentials: () => alice });
      for (const reference of ['1', digest]) {
        expect(await pull(engine, name, reference, pulling.registryAuth)).toMatchObject({ status: 200, error: '' });
      }
      expect(await docker(engine, ['run', '--rm', `${name}@${digest}`, 'stat', '-c', '%s', '/large'])).toBe('6000000');
      // What the engine has is no right to it: whoever has no credentials of the registry's is told so by the registry.
      await forget(':1');
      const stranger = rig.grant({ namespace: 'alice', push: [], pull: 'every', credentials: () => null });
      const wrong = rig.grant({
        namespace: 'alice',
        push: [],
        pull: 'every',
        credentials: () => ({ kind: 'password', username: 'alice', password: 'no' }),
      });
      for (const auth of [stranger.registryAuth, wrong.registryAuth, pushing.registryAuth, {}]) {
        const denied = await pull(engine, name, '1', auth);
        expect(`${denied.status} ${denied.text}`).toMatch(/denied|unauthorized|no right|401|incorrect username/);
      }
      expect((await push(engine, name, '1', pulling)).error).not.toBe('');
      expect(rig.gateway.tally.bytesIn).toBeGreaterThan(6_000_000);
      expect(rig.gateway.tally.bytesOut).toBeGreaterThan(6_000_000);
      expect(rig.faults).toEqual([]);
    });

    test('an index of several platforms is pulled for the one that the engine has', async () => {
      const rig = await startGateway();
      const [host] = HOSTS;
      const repository = { registry: host, path: `team/index-${engine.name}` };
      const { domain, path } = rig.gateway.names.toEngine('alice', {
        domain: host,
        path: repository.path,
        tag: null,
        digest: null,
      });
      const grant = rig.grant({ push: [repository], credentials: () => alice });
      await docker(engine, ['tag', 'busybox', `${domain}/${path}:one`]);
      const pushed = await push(engine, `${domain}/${path}`, 'one', grant);
      const [, digest, size] = /digest: (sha256:\w+) size: (\d+)/.exec(pushed.text) ?? [];
      await docker(engine, ['rmi', `${domain}/${path}:one`]);
      const mediaType = (await rig.ask('HEAD', `/v2/${path}/manifests/one`, { grant, headers: { accept: TYPES } }))
        .headers['content-type'];
      const architecture = await docker(engine, ['version', '-f', '{{.Server.Arch}}']);
      const manifests = [architecture, 's390x'].map((one) => ({
        mediaType,
        digest,
        size: Number(size),
        platform: { os: 'linux', architecture: one },
      }));
      const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests });
      const put = await rig.ask('PUT', `/v2/${path}/manifests/all`, {
        grant,
        body: index,
        headers: { 'content-type': INDEX },
      });
      expect(put.status).toBe(201);
      expect(await pull(engine, `${domain}/${path}`, 'all', grant.registryAuth)).toMatchObject({
        status: 200,
        error: '',
      });
      expect(await docker(engine, ['run', '--rm', `${domain}/${path}:all`, 'echo', 'ran'])).toBe('ran');
      await docker(engine, ['rmi', `${domain}/${path}:all`]);
    });
  });

  describeEachEngine(
    'with BuildKit',
    (engine) => {
      test('a build finds an image by the capability in its name, and nobody does when the build is over', async () => {
        const rig = await startGateway();
        const repository = { registry: HOSTS[2], path: `team/base-${engine.name}` };
        const reference = { domain: repository.registry, path: repository.path, tag: '1', digest: null };
        const name = formatReference(rig.gateway.names.toEngine('alice', reference));
        await docker(engine, ['tag', 'busybox', name]);
        const pushing = rig.grant({ push: [repository], credentials: () => alice });
        const [repositoryName = ''] = name.split(/:1$/);
        expect((await push(engine, repositoryName, '1', pushing)).error).toBe('');
        await docker(engine, ['rmi', name]);
        const build = rig.grant({ push: [], pull: 'every', credentials: () => alice });
        const from = formatReference(rig.gateway.names.toBuild(build.capability, reference));
        const tag = `built-${rig.port}`;
        const once = (): Promise<string> =>
          docker(engine, ['build', '-q', '--no-cache', '--pull', '-t', tag, '-'], {
            input: `FROM ${from}\nRUN echo built >/word\n`,
            env: { DOCKER_BUILDKIT: '1' },
          });
        await once();
        expect(await docker(engine, ['run', '--rm', tag, 'cat', '/word'])).toBe('built');
        const stranger = rig.grant({ push: [], pull: 'every' });
        await expect(
          docker(engine, ['build', '--no-cache', '--pull', '-'], {
            input: `FROM ${from.replace(build.capability, stranger.capability)}\n`,
            env: { DOCKER_BUILDKIT: '1' },
          }),
        ).rejects.toThrow(/403|denied/i);
        build.end();
        await expect(once()).rejects.toThrow(/403|denied/i);
        await docker(engine, ['rmi', tag]);
      });
    },
    ({ apiVersion }) => compareVersions(apiVersion, '1.45') >= 0,
  );

  describe('attacks', () => {
    const engine = newestEngine();

    test.skipIf(engine === undefined)(
      'a container in the network of the host, and another user of it, get nothing without a capability',
      async () => {
        const rig = await startGateway();
        const target = newestEngine() as TestEngine;
        const [host] = HOSTS;
        const repository = { registry: host, path: 'team/secret' };
        const { path } = rig.gateway.names.toEngine('alice', {
          domain: host,
          path: repository.path,
          tag: null,
          digest: null,
        });
        const grant = rig.grant({ push: [repository], credentials: () => alice });
        expect(
          (
            await rig.ask('PUT', `/v2/${path}/manifests/1`, {
              grant,
              body: MANIFEST,
              headers: { 'content-type': INDEX },
            })
          ).status,
        ).toBe(201);
        const url = `http://127.0.0.1:${rig.port}/v2/${path}/manifests/1`;
        const wget = (...header: string[]): string[] => [
          'wget',
          '-q',
          '-O',
          '-',
          ...header.map((one) => `--header=${one}`),
          url,
        ];
        const inside = async (...header: string[]): Promise<string> => {
          const args = ['run', '--rm', '--network', 'host', 'busybox', ...wget(`Accept: ${INDEX}`, ...header)];
          return docker(target, args).catch((fault: Error) => fault.message);
        };
        const other = async (...header: string[]): Promise<string> => {
          const asNobody = [
            '--reuid',
            '65534',
            '--regid',
            '65534',
            '--clear-groups',
            'busybox',
            ...wget(`Accept: ${INDEX}`, ...header),
          ];
          const { stdout, stderr } = await run('setpriv', asNobody);
          return stdout || stderr;
        };
        for (const stranger of [inside, other]) {
          expect(await stranger()).toContain('401');
          expect(await stranger('Authorization: Bearer 0000000000000000000000000000000000000000')).toContain('401');
          // The control: the same request with the capability.
          expect(await stranger(`Authorization: Bearer ${grant.capability}`)).toBe(MANIFEST);
        }
        grant.end();
        for (const stranger of [inside, other])
          expect(await stranger(`Authorization: Bearer ${grant.capability}`)).toContain('401');
      },
    );

    test('no secret is in what the registries were told, but for the one that it is meant for', async () => {
      const { realm, token } = upstreams;
      expect(realm.asked.every(({ authorization }) => !authorization.includes('Bearer'))).toBe(true);
      expect(realm.asked.some(({ authorization }) => authorization !== '')).toBe(engine !== undefined);
      expect(token.log()).not.toContain('secret');
      expect(await readFile(join(upstreams.folder, 'ca.pem'), 'utf8')).toContain('CERTIFICATE');
    });
  });
});

const INDEX = 'application/vnd.docker.distribution.manifest.list.v2+json';
const MANIFEST = `{"schemaVersion":2,"mediaType":"${INDEX}","manifests":[]}`;
const TYPES = 'application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json';
