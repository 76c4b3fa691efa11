// Two namespaces and real registries: logins, pushes and pulls, what is whose, and which registries may be used.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareVersions, docker, dockerCli, hasRegistry, makeDockerConfig } from '../engines/index.ts';
import { describeImageUsers, idOf, type Say, tagsOf } from './image-users.ts';
import { startUpstreams, type Upstreams } from './upstream-registries.ts';

const BASIC = 'basic.example.org';
const TLS = 'tls.example.org:5000';
const TOKEN = 'token.example.org';
const HOSTS = [BASIC, TLS, TOKEN] as const;

const EVIL = 'evil.example.org';
const AUTH = Buffer.from(JSON.stringify({ username: 'alice', password: 'secret' })).toString('base64url');
const WRONG = Buffer.from(JSON.stringify({ username: 'alice', password: 'wrong' })).toString('base64url');
const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const INDEX = 'application/vnd.docker.distribution.manifest.list.v2+json';

let upstreams: Upstreams;
/** A registry that sends its clients to a realm of its choice. */
const hostile = { challenge: '', port: 0 };
const evil = createServer((_, response) => {
  response.writeHead(401, { 'WWW-Authenticate': hostile.challenge }).end('{}');
});

beforeAll(async () => {
  if (!hasRegistry()) return;
  await new Promise<void>((resolve) => void evil.listen(0, '127.0.0.1', resolve));
  hostile.port = (evil.address() as AddressInfo).port;
  upstreams = await startUpstreams();
});
afterAll(async () => {
  evil.close();
  evil.closeAllConnections();
  await upstreams?.stop();
});

const site = () => ({
  registry: {
    upstreams: [
      { host: BASIC, url: upstreams.basic.url },
      { host: TLS, url: upstreams.tls.url, ca: join(upstreams.folder, 'ca.pem') },
      { host: TOKEN, url: upstreams.token.url },
      { host: EVIL, url: `http://127.0.0.1:${hostile.port}` },
    ],
    allow: ['*.example.org', '*.example.org:5000'],
  },
  // The realm listens at another port than its registry.
  outbound: { allowPrivate: ['127.0.0.1/32'] },
});

describe.skipIf(!hasRegistry())('registries of namespaces', () => {
  describeImageUsers(
    'on an engine',
    ({ engine, alice, bob, direct, at, run, engineName }) => {
      test.each(HOSTS)('docker login at %s is what that registry says of it', async (host) => {
        const login = (password: string) => {
          const args = ['login', '-u', 'alice', '--password-stdin', host];
          return dockerCli(at('alice'), args, { input: password, env: { DOCKER_CONFIG: makeDockerConfig() } });
        };
        expect(await login('secret')).toMatchObject({ code: 0, stdout: expect.stringContaining('Login Succeeded') });
        const wrong = await login('wrong');
        expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringMatching(/unauthorized|401/i)]);
        const raw = { username: 'alice', password: 'wrong', serveraddress: host };
        expect((await alice('POST', '/auth', { body: raw })).status).toBe(401);
        const good = await alice('POST', '/auth', { body: { ...raw, password: 'secret' } });
        expect([good.status, good.json()]).toEqual([200, { Status: 'Login Succeeded', IdentityToken: '' }]);
        // The control: the engine itself does not know where that is.
        expect((await direct('POST', '/auth', { body: { ...raw, password: 'secret' } })).status).toBe(500);
      });

      const pull = async (say: Say, name: string, tag: string, auth?: string): Promise<string> => {
        const headers: Record<string, string> = auth === undefined ? {} : { 'X-Registry-Auth': auth };
        return (await say('POST', `/images/create?fromImage=${encodeURIComponent(name)}&tag=${tag}`, { headers })).text;
      };
      const builds = (who: 'alice' | 'bob', name: string, content: string, from = 'busybox') =>
        docker(at(who), ['build', '-q', '-t', name, '-'], {
          input: `FROM ${from}\nRUN echo ${content} >/whose\nCMD ["cat", "/whose"]\n`,
          env: { DOCKER_BUILDKIT: '0' },
        });
      const runs = (who: 'alice' | 'bob', name: string) => docker(at(who), ['run', '--rm', name]);

      test.each(HOSTS)(
        'an image is pushed to %s, pulled elsewhere by tag and by digest, and nobody’s without the right to it',
        async (host) => {
          const app = `${host}/team/app-${engine.name}-${run}`;
          await builds('alice', `${app}:1`, `${run}-alices`);
          const id = await idOf(alice, `${app}:1`);
          const pushed = (await alice('POST', `/images/${app}/push?tag=1`, { headers: { 'X-Registry-Auth': AUTH } }))
            .text;
          const [, digest = ''] = /1: digest: (sha256:[0-9a-f]{64})/.exec(pushed) ?? [];
          expect(pushed).not.toMatch(/127\.0\.0\.|im-/);
          // Bob has an image of the same name, of his own.
          await builds('bob', `${app}:1`, `${run}-bobs`);
          expect([await runs('alice', `${app}:1`), await runs('bob', `${app}:1`)]).toEqual([
            `${run}-alices`,
            `${run}-bobs`,
          ]);
          // It lies on the engine, and its digest is no secret to him.
          expect(digest).not.toBe('');
          for (const tag of ['1', digest]) {
            expect(await pull(bob, app, tag)).toMatch(/denied|unauthorized|no basic auth/i);
            expect(await pull(bob, app, tag, WRONG)).toMatch(/denied|unauthorized|no basic auth|incorrect/i);
          }
          expect(await runs('bob', `${app}:1`)).toBe(`${run}-bobs`);
          for (const named of [
            `${app}@${digest}`,
            id,
            engineName('alice', `${host.replace(':', '__')}/team/app-${engine.name}-${run}:1`),
          ]) {
            const made = await bob('POST', '/containers/create', { body: { Image: named } });
            expect([made.status, made.text]).toEqual([404, expect.stringContaining('No such image')]);
            // The registry has no part in what follows.
            if (host !== BASIC) continue;
            for (const use of [`FROM ${named}\n`, `FROM busybox\nCOPY --from=${named} /whose /stolen\n`]) {
              for (const builder of compareVersions(engine.apiVersion, '1.43') >= 0 ? ['0', '1'] : ['0']) {
                const { code } = await dockerCli(at('bob'), ['build', '-q', '-'], {
                  input: use,
                  env: { DOCKER_BUILDKIT: builder },
                });
                expect(code, `${builder} ${use}`).not.toBe(0);
              }
            }
          }
          // The control: with the credentials all of it is his.
          expect(await pull(bob, app, '1', AUTH)).toContain(`for ${app}:1`);
          expect(await runs('bob', `${app}:1`)).toBe(`${run}-alices`);
          await docker(at('bob'), ['rmi', '-f', `${app}:1`]);
          expect(await pull(bob, app, digest, AUTH)).toContain(`for ${app}@${digest}`);
          expect(await runs('bob', `${app}@${digest}`)).toBe(`${run}-alices`);
          const inspected = (await bob('GET', `/images/${app}@${digest}/json`)).json<{
            Id: string;
            RepoDigests: string[];
          }>();
          expect(inspected.RepoDigests).toEqual([`${app}@${digest}`]);
          await docker(at('bob'), ['rmi', `${app}@${digest}`]);
          // What was built and has lost its name is gone with a prune.
          await docker(at('bob'), ['image', 'prune', '-f']);
          expect(await tagsOf(bob)).not.toContain(`${app}:1`);
          expect(await idOf(alice, `${app}:1`)).toBe(id);
        },
      );

      test('a push takes no blob of another’s repository, and does not say where there is one', async () => {
        const mine = `${BASIC}/mine/app-${engine.name}-${run}`;
        await builds('alice', `${mine}:1`, `${run}-shared`);
        await alice('POST', `/images/${mine}/push?tag=1`, { headers: { 'X-Registry-Auth': AUTH } });
        const his = `${BASIC}/his/app-${engine.name}-${run}`;
        await builds('bob', `${his}:1`, `${run}-his`);
        const { text } = await bob('POST', `/images/${his}/push?tag=1`, { headers: { 'X-Registry-Auth': AUTH } });
        expect(text).toContain('digest: sha256:');
        expect(text).not.toMatch(/127\.0\.0\.|im-|mine\/app/);
      });

      test('a name that everybody knows means one’s own image to nobody else', async () => {
        const squatted = `squat-${run}`;
        await builds('alice', squatted, 'hostile');
        for (const builder of compareVersions(engine.apiVersion, '1.43') >= 0 ? ['0', '1'] : ['0']) {
          const input = `FROM ${squatted}\n`;
          const env = { DOCKER_BUILDKIT: builder };
          expect((await dockerCli(at('bob'), ['build', '-q', '-'], { input, env })).code).not.toBe(0);
          // The control: it is an image, and hers.
          await docker(at('alice'), ['build', '-q', '-'], { input, env });
        }
        expect((await bob('POST', '/containers/create', { body: { Image: squatted } })).status).toBe(404);
        // The control: on the engine itself a name is everybody's.
        await direct('POST', `/images/busybox/tag?repo=${squatted}`);
        expect((await direct('GET', `/images/${squatted}/json`)).status).toBe(200);
        expect((await bob('GET', `/images/${squatted}/json`)).status).toBe(404);
        await direct('DELETE', `/images/${squatted}`);
      });

      test('an index of several platforms is pulled for the one that the engine has', async () => {
        const name = `index-${engine.name}-${run}`;
        const app = `${BASIC}/team/${name}`;
        await builds('alice', `${app}:one`, `${run}-one`);
        await alice('POST', `/images/${app}/push?tag=one`, { headers: { 'X-Registry-Auth': AUTH } });
        const at_ = (tag: string) => `${upstreams.basic.url}/v2/team/${name}/manifests/${tag}`;
        const authorization = `Basic ${Buffer.from('alice:secret').toString('base64')}`;
        const one = await fetch(at_('one'), {
          headers: { authorization, accept: `${MANIFEST}, application/vnd.oci.image.manifest.v1+json` },
        });
        const architecture = await docker(engine, ['version', '-f', '{{.Server.Arch}}']);
        const manifests = [architecture, 's390x'].map((each) => ({
          mediaType: one.headers.get('content-type'),
          digest: one.headers.get('docker-content-digest'),
          size: Number(one.headers.get('content-length')),
          platform: { os: 'linux', architecture: each },
        }));
        const put = await fetch(at_('all'), {
          method: 'PUT',
          headers: { authorization, 'content-type': INDEX },
          body: JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests }),
        });
        expect(put.status).toBe(201);
        const pulled = await pull(bob, app, 'all', AUTH);
        expect(pulled).toContain(put.headers.get('docker-content-digest'));
        expect(await runs('bob', `${app}:all`)).toBe(`${run}-one`);
        const asked = await bob('GET', `/distribution/${app}:all/json`, { headers: { 'X-Registry-Auth': AUTH } });
        expect(asked.text).toContain('s390x');
      });

      test('a realm that is not of the registry’s own domain is shown no credentials', async () => {
        const shown: string[] = [];
        const realm = createServer((request, response) => {
          shown.push(request.headers.authorization ?? '');
          response.writeHead(401).end('{}');
        });
        await new Promise<void>((resolve) => void realm.listen(0, 'localhost', resolve));
        const { port } = realm.address() as AddressInfo;
        const challenge = `Bearer realm="http://localhost:${port}/token",service="x"`;
        hostile.challenge = challenge;
        const said = { username: 'alice', password: 'secret', serveraddress: EVIL };
        const auth = Buffer.from(JSON.stringify(said)).toString('base64url');
        // containerd does not say what a registry says.
        expect(await pull(alice, `${EVIL}/x`, '1', auth)).toMatch(
          /denied|unauthorized|not of its own domain|403 Forbidden/i,
        );
        expect((await alice('POST', '/auth', { body: said })).status).toBe(403);
        expect(shown.filter((one) => one !== '')).toEqual([]);
        // The control: an engine shows them to whomever the registry says.
        await pull(direct, `127.0.0.1:${hostile.port}/x`, '1', auth);
        expect(shown.filter((one) => one !== '')).toEqual([expect.stringContaining('Basic')]);
        realm.close();
        realm.closeAllConnections();
      });

      test('a registry that is not allowed is neither pulled from, pushed to, built from, searched nor logged in at', async () => {
        await alice('POST', '/images/busybox/tag?repo=127.0.0.1:1/x&tag=1');
        const answers = await Promise.all([
          alice('POST', '/images/create?fromImage=127.0.0.1:1/x&tag=1'),
          alice('POST', '/images/create?fromImage=debian&tag=12'),
          alice('POST', '/images/127.0.0.1:1/x/push?tag=1', { headers: { 'X-Registry-Auth': 'e30=' } }),
          alice('GET', '/distribution/127.0.0.1:1/x/json'),
          alice('GET', '/images/search?term=127.0.0.1:1/x'),
          alice('GET', '/images/search?term=debian'),
          alice('POST', '/auth', { body: { username: 'a', password: 'b', serveraddress: '127.0.0.1:1' } }),
          alice('POST', '/auth', { body: { username: 'a', password: 'b' } }),
        ]);
        for (const { status, text } of answers)
          expect([status, text]).toEqual([
            403,
            expect.stringMatching(/the registry (127\.0\.0\.1:1|docker\.io) may not be used here/),
          ]);
        const build = await dockerCli(at('alice'), ['build', '-'], {
          input: 'FROM debian:12\n',
          env: { DOCKER_BUILDKIT: '0' },
        });
        expect([build.code, build.stderr]).toEqual([1, expect.stringContaining('docker.io may not be used here')]);
        await docker(at('alice'), ['rmi', '127.0.0.1:1/x:1']);
      });

      // Older engines have no rules for the sources of builds.
      test.runIf(compareVersions(engine.apiVersion, '1.43') >= 0)('nor does BuildKit get anything of it', async () => {
        const refused = [
          ['debian:12', 'the registry docker.io may not be used here'],
          ['127.0.0.1:1/x:1', 'denied by policy'],
        ];
        for (const [image, why] of refused) {
          const build = await dockerCli(at('alice'), ['build', '-'], { input: `FROM ${image}\n` });
          expect([build.code, build.stderr]).toEqual([1, expect.stringContaining(why!)]);
        }
      });
    },
    { site },
  );
});
