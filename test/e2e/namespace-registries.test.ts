// Two namespaces and real registries: logins, and which registries may be used.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareVersions, docker, dockerCli, hasRegistry, makeDockerConfig } from '../engines/index.ts';
import { describeImageUsers } from './image-users.ts';
import { startUpstreams, type Upstreams } from './upstream-registries.ts';

const BASIC = 'basic.example.org';
const TLS = 'tls.example.org:5000';
const TOKEN = 'token.example.org';
const HOSTS = [BASIC, TLS, TOKEN] as const;

let upstreams: Upstreams;

beforeAll(async () => {
  if (hasRegistry()) upstreams = await startUpstreams();
});
afterAll(() => upstreams?.stop());

const site = () => ({
  registry: {
    upstreams: [
      { host: BASIC, url: upstreams.basic.url },
      { host: TLS, url: upstreams.tls.url, ca: join(upstreams.folder, 'ca.pem') },
      { host: TOKEN, url: upstreams.token.url },
    ],
    allow: ['*.example.org', '*.example.org:5000'],
  },
  // The realm listens at another port than its registry.
  outbound: { allowPrivate: ['127.0.0.1/32'] },
});

describe.skipIf(!hasRegistry())('registries of namespaces', () => {
  describeImageUsers(
    'on an engine',
    ({ engine, alice, direct, at }) => {
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
        for (const image of ['debian:12', '127.0.0.1:1/x:1']) {
          const build = await dockerCli(at('alice'), ['build', '-'], { input: `FROM ${image}\n` });
          expect([build.code, build.stderr]).toEqual([1, expect.stringMatching(/403 Forbidden|denied|not allowed/)]);
        }
      });
    },
    { site },
  );
});
