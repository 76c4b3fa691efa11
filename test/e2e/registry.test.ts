// Images that come from a registry and go to one.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort, hasRegistry, makeDockerConfig, run, startRegistry, type TestRegistry } from '../engines/index.ts';
import { describeThrough } from './through.ts';

describe.skipIf(!hasRegistry())('with a registry', () => {
  let registry: TestRegistry;
  let closed: TestRegistry;
  beforeAll(async () => {
    registry = await startRegistry();
    const { stdout } = await run('htpasswd', ['-nbB', 'alice', 'secret']);
    closed = await startRegistry({ htpasswd: stdout, port: await freePort() });
  });
  afterAll(() => Promise.all([registry.stop(), closed.stop()]));

  describeThrough('images of a registry', (ways) => {
    test('push and pull move an image there and back, under its digest', async () => {
      await ways.same(
        async (way) => {
          const repository = `${registry.host}/${way.own('moved')}`;
          const dockerfile = `FROM busybox\nRUN echo ${way.own(way.cli.name)} >/word\n`;
          const env = { DOCKER_BUILDKIT: '0' };
          await way.docker(['build', '-q', '-t', `${repository}:1`, '-'], { env, input: dockerfile, silent: true });
          await way.docker(['tag', `${repository}:1`, `${repository}:2`]);
          const pushed = await way.docker(['push', `${repository}:1`], { silent: true });
          await way.docker(['push', '-q', `${repository}:2`]);
          await way.docker(['push', `${repository}:3`], { silent: true });
          await way.docker(['rmi', `${repository}:1`, `${repository}:2`], { silent: true });
          const pulled = await way.docker(['pull', `${repository}:1`], { silent: true });
          await way.docker(['pull', '-q', '-a', repository], { silent: true });
          await way.docker(['pull', `${repository}:3`]);
          await way.docker(['pull', `${registry.host}/no-such-image`]);
          await way.docker(['pull', '127.0.0.1:1/nobody/there'], { silent: true });
          const digest = /digest: (sha256:\w+)/.exec(pushed.stdout)?.[1] as string;
          expect(pulled.stdout).toContain(digest);
          await way.docker(['rmi', `${repository}:1`, `${repository}:2`], { silent: true });
          await way.docker(['run', '--rm', '--quiet', `${repository}@${digest}`, 'true'], { silent: true });
          await way.docker(['run', '--rm', `${repository}@${digest}`, 'cat', '/word'], { silent: true });
          await way.docker(['rmi', `${repository}@${digest}`], { silent: true });
        },
        { clis: 'all', except: [[/sha256:\w+/g, 'DIGEST']] },
      );
    });

    test('login, its refusal, and what is only for those who logged in', async () => {
      await ways.same(
        async (way) => {
          const env = { DOCKER_CONFIG: makeDockerConfig() };
          const image = `${closed.host}/${way.own('private')}`;
          const login = ['login', '-u', 'alice', '--password-stdin', closed.host];
          await way.docker(['tag', 'busybox', image]);
          await way.docker(['push', '-q', image], { env });
          await way.docker(login, { env, input: 'wrong' });
          await way.docker(login, { env, input: 'secret', silent: true });
          await way.docker(['push', '-q', image], { env });
          await way.docker(['rmi', image], { silent: true });
          await way.docker(['pull', '-q', image], { env });
          await way.docker(['rmi', image], { silent: true });
          await way.docker(['logout', closed.host], { env });
          await way.docker(['pull', '-q', image], { env });
        },
        { clis: 'all' },
      );
      expect(ways.berthgate.process.stderr).not.toContain('secret');
    });

    test('a run pulls what is not there', async () => {
      const came = await ways.same(async (way) => {
        const image = `${registry.host}/${way.own('wanted')}`;
        await way.docker(['tag', 'busybox', image]);
        await way.docker(['push', '-q', image]);
        await way.docker(['rmi', image], { silent: true });
        const { code, stdout } = await way.docker(['run', '--rm', image, 'echo', 'pulled'], { silent: true });
        await way.docker(['rmi', image], { silent: true });
        return { code, stdout };
      });
      expect(came).toEqual({ code: 0, stdout: 'pulled\n' });
    });
  });
});
