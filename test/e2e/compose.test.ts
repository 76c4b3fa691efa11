// Projects of several containers, with docker compose v2.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { describeThrough, type Way } from './through.ts';

const folder = mkdtempSync(join(tmpdir(), 'berthgate-compose-'));
afterAll(() => rmSync(folder, { recursive: true }));

function project(way: Way, what: string, subnet: number, services: string): readonly string[] {
  const own = join(folder, way.own(`${way.engine.name}-${what}`));
  mkdirSync(join(own, 'image'), { recursive: true });
  const network = `networks:\n  default:\n    ipam:\n      config: [{subnet: ${way.subnet(subnet)}}]\n`;
  writeFileSync(join(own, 'compose.yaml'), `services:\n${services}${network}volumes:\n  data: {}\n`);
  writeFileSync(join(own, 'image/Dockerfile'), 'FROM busybox\nRUN echo built >/word\n');
  return ['compose', '--ansi', 'never', '--project-name', way.own(what), '--project-directory', own];
}

const pair = `
  web:
    build: image
    init: true
    command: sh -c 'cp /word /data/word; echo web is up; httpd -f -p 80 -h /data'
    volumes: [data:/data]
    healthcheck: {test: wget -qO- http://127.0.0.1/word, interval: 1s, retries: 30}
  client:
    image: busybox
    init: true
    command: sh -c 'echo "got $$(wget -qO- http://web/word)"; sleep 600'
    depends_on: {web: {condition: service_healthy}}
`;

describeThrough('compose', (ways) => {
  test('a project with a build, a health check and a volume comes up, is watched and goes down', async () => {
    await ways.same(async (way) => {
      const compose = project(way, 'pair', 3, pair);
      const up = await way.docker([...compose, 'up', '-d', '--wait'], { silent: true, timeoutMs: 120_000 });
      expect(up.code, up.stderr).toBe(0);
      const following = way.watch([...compose, 'logs', '-f', '--no-color']);
      await following.said(/got built/);
      following.signal('SIGINT');
      await following.end();
      await way.docker([...compose, 'ps', '-a', '--format', '{{.Service}} {{.State}} {{.Health}}']);
      await way.docker([...compose, 'logs', '--no-log-prefix', 'client']);
      await way.docker([...compose, 'exec', '-T', 'client', 'wget', '-qO-', 'http://web/word']);
      await way.docker([...compose, 'run', '--rm', '-T', '--no-deps', 'client', 'sh', '-c', 'cat; exit 5'], {
        input: 'x',
        silent: true,
      });
      await way.docker([...compose, 'up', '-d', '--scale', 'client=2'], { silent: true });
      await way.docker([...compose, 'ps', '-q', 'client']);
      await way.docker([...compose, 'top'], { silent: true });
      await way.docker([...compose, 'restart', '-t', '0', 'client'], { silent: true });
      await way.docker([...compose, 'cp', 'web:/word', '-'], { silent: true });
      await way.docker([...compose, 'images', '-q'], { silent: true });
      await way.docker([...compose, 'stop', '-t', '1'], { silent: true });
      await way.docker([...compose, 'down', '-v', '--rmi', 'local', '-t', '0'], { silent: true });
      await way.docker(['ps', '-aq', '--filter', `label=com.docker.compose.project=${way.own('pair')}`]);
      await way.docker(['volume', 'ls', '-q', '--filter', `label=com.docker.compose.project=${way.own('pair')}`]);
    });
  });

  test('a project in the foreground tells its logs and ends with the code of a service', async () => {
    const came = await ways.same(async (way) => {
      const services = `
  one: {image: busybox, command: sh -c 'echo from one; sleep 600', init: true}
  two: {image: busybox, command: sh -c 'echo from two; sleep 1; exit 14', init: true}
`;
      const compose = project(way, 'front', 4, services);
      const args = [...compose, 'up', '--no-color', '--abort-on-container-exit', '--exit-code-from', 'two', '-t', '0'];
      const { code, stdout } = await way.docker(args, { silent: true, timeoutMs: 120_000 });
      await way.docker([...compose, 'down', '-v', '-t', '0'], { silent: true });
      return [code, stdout.includes('from one'), stdout.includes('from two')];
    });
    expect(came).toEqual([14, true, true]);
  });

  test('an interrupt stops a project that is in the foreground', async () => {
    await ways.same(async (way) => {
      const services = `
  one: {image: busybox, command: sh -c 'trap "echo stopping; exit 0" TERM; echo up; while :; do sleep 0.1; done'}
`;
      const compose = project(way, 'interrupt', 5, services);
      const running = way.watch([...compose, 'up', '--no-color']);
      await running.said(/one-1.*up/);
      running.signal('SIGINT');
      const { code, stdout } = await running.end();
      await way.docker([...compose, 'ps', '-a', '--format', '{{.Service}} {{.State}} {{.ExitCode}}']);
      await way.docker([...compose, 'down', '-v', '-t', '0'], { silent: true });
      return [code, stdout.includes('stopping')];
    });
  });
});
