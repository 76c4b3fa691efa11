// What ordinary work needs passes `conservative`: a compose project as people write them, and every endpoint it serves.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { table } from '../../src/docker/table.ts';
import { describeGuarded } from '../attacks/guarded.ts';
import { ask } from '../engine/raw-client.ts';
import { freePort } from '../engines/index.ts';

const project = (port: number): string => `
services:
  db:
    image: busybox
    command: ["sh", "-c", "trap 'exit 0' TERM; echo ready > /data/ready; while :; do sleep 1; done"]
    restart: always
    volumes: [data:/data]
    networks: [back]
    healthcheck: {test: ["CMD", "test", "-f", "/data/ready"], interval: 1s, retries: 20}
    ulimits: {nofile: {soft: 512, hard: 1024}, core: 0}
  cache:
    image: busybox
    command: ["httpd", "-f", "-p", "6379", "-h", "/etc"]
    init: true
    restart: unless-stopped
    tmpfs: ["/scratch:size=8m,noexec"]
    networks: {back: {aliases: [redis]}}
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    read_only: true
  app:
    image: busybox
    command: ["sh", "-c", "until wget -qO- http://web/word && wget -qO- http://redis:6379/hostname; do sleep 0.2; done; echo all found; sleep 600"]
    init: true
    environment: {MODE: test}
    networks: [front, back]
    depends_on: {db: {condition: service_healthy}, cache: {condition: service_started}, web: {condition: service_healthy}}
    extra_hosts: ["elsewhere:192.0.2.1"]
    dns_search: [example.org]
    mem_limit: 64m
    cpus: 0.5
    pids_limit: 50
    shm_size: 16m
    stop_grace_period: 1s
  web:
    image: busybox
    command: ["sh", "-c", "echo from the web > /www/word; exec httpd -f -h /www"]
    init: true
    volumes: [www:/www, /var/anonymous]
    ports: ["${port}:80", "80"]
    networks: [front]
    healthcheck: {test: ["CMD-SHELL", "wget -qO- http://127.0.0.1/word"], interval: 1s, retries: 20}
    labels: {org.example.role: web}
    logging: {driver: json-file, options: {max-size: 1m}}
  worker:
    image: busybox
    command: ["sh", "-c", "cat /data/ready && exit 0"]
    restart: on-failure:3
    user: "1000:1000"
    working_dir: /tmp
    volumes: [{type: volume, source: data, target: /data, read_only: true, volume: {nocopy: true}}]
    depends_on: {db: {condition: service_healthy}}
    networks: [back]
    deploy: {resources: {limits: {memory: 32m}}}
networks:
  front: {}
  back: {internal: true, attachable: true, driver_opts: {com.docker.network.driver.mtu: "1400"}}
volumes:
  data: {labels: {org.example.keep: "no"}}
  www: {}
`;

describeGuarded('conservative', ['conservative'], (guarded) => {
  const { docker, own, version, engine } = guarded;
  const done = async (args: readonly string[], input?: string): Promise<string> => {
    const { code, stdout, stderr } = await docker(args, {
      timeoutMs: 120_000,
      ...(input === undefined ? {} : { input }),
    });
    expect(code, `docker ${args.join(' ')}\n${stdout}${stderr}`).toBe(0);
    return stdout.trim();
  };

  test('runs a compose project of five services, with health, restarts, volumes, two networks and ports', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'berthgate-compose-'));
    const port = await freePort();
    await writeFile(join(folder, 'compose.yaml'), project(port));
    const compose = (...args: readonly string[]): Promise<string> =>
      done(['compose', '--project-name', own('shop'), '--project-directory', folder, ...args]);
    try {
      await compose('up', '--detach', '--quiet-pull', '--wait', 'db', 'cache', 'web', 'app');
      await compose('up', '--detach', 'worker');
      expect(await (await fetch(`http://127.0.0.1:${port}/word`)).text()).toBe('from the web\n');
      // The worker ends by itself, soon.
      await expect
        .poll(async () => (await compose('ps', '--format', '{{.Service}} {{.Health}}')).split('\n').sort(), {
          timeout: 60_000,
          interval: 500,
        })
        .toEqual(['app ', 'cache ', 'db healthy', 'web healthy']);
      // It has no health check: when it has found the others is told by its log alone.
      await expect
        .poll(() => compose('logs', '--no-log-prefix', 'app'), { timeout: 60_000, interval: 500 })
        .toContain('all found');
      expect(await compose('exec', '--no-TTY', 'db', 'cat', '/data/ready')).toBe('ready');
      expect(await compose('port', 'web', '80')).toMatch(/^127\.0\.0\.1:\d+$/);
      // Nothing has changed, so nothing is made anew.
      const before = await compose('ps', '--quiet');
      await compose('up', '--detach', '--wait', 'db', 'cache', 'web', 'app');
      expect(await compose('ps', '--quiet')).toBe(before);
      await compose('restart', '--timeout', '1', 'cache');
      await compose('up', '--detach', '--force-recreate', '--timeout', '1', 'web');
    } finally {
      await compose('down', '--volumes', '--timeout', '1');
      await rm(folder, { recursive: true, force: true });
    }
    expect(await done(['ps', '--all', '--quiet', '--filter', `name=${own('shop')}`])).toBe('');
    expect(await done(['volume', 'ls', '--quiet', '--filter', `name=${own('shop')}`])).toBe('');
  });

  /** Without a command of the docker client, or not to be done on an engine that others use. */
  const withoutCommand: Readonly<
    Record<string, readonly [method: string, path: string, body?: Readonly<Record<string, unknown>>]>
  > = {
    SystemOptions: ['OPTIONS', '/'],
    SystemPing: ['GET', '/_ping'],
    ImageGet: ['GET', '/images/nobody/get'],
    NetworkListSlash: ['GET', '/networks/'],
    BuildCancel: ['POST', '/build/cancel?id=nobody'],
    SystemAuth: ['POST', '/auth', { username: 'nobody', password: 'x' }],
    DistributionInspect: ['GET', '/distribution/busybox/json'],
    ImageSearch: ['GET', '/images/search?term=busybox'],
    ImagePush: ['POST', '/images/nobody.example.org/x/push?tag=1'],
    ImagePrune: ['POST', `/images/prune?filters=${encodeURIComponent('{"label":["org.example.nobody"]}')}`],
    ContainerPrune: ['POST', `/containers/prune?filters=${encodeURIComponent('{"label":["org.example.nobody"]}')}`],
    NetworkPrune: ['POST', `/networks/prune?filters=${encodeURIComponent('{"label":["org.example.nobody"]}')}`],
    VolumePrune: ['POST', `/volumes/prune?filters=${encodeURIComponent('{"label":["org.example.nobody"]}')}`],
  };

  test('serves every endpoint that it lets pass to real clients', async () => {
    const [box, net, volume, image] = [own('box'), own('net'), own('vol'), own('image')];
    const folder = await mkdtemp(join(tmpdir(), 'berthgate-serves-'));
    await writeFile(join(folder, 'Dockerfile'), 'FROM busybox\nLABEL a=b\nRUN echo built > /word\n');
    const commands: readonly (readonly string[])[] = [
      ['version'],
      ['info'],
      ['system', 'df'],
      ['network', 'create', '--label', 'a=b', net],
      ['network', 'ls'],
      ['network', 'inspect', net],
      ['volume', 'create', volume],
      ['volume', 'ls'],
      ['volume', 'inspect', volume],
      ['create', '--name', `${box}-0`, 'busybox', 'true'],
      ['rename', `${box}-0`, `${box}-1`],
      [
        'run',
        '--detach',
        '--init',
        '--interactive',
        '--name',
        box,
        '--network',
        net,
        '-v',
        `${volume}:/data`,
        '-p',
        '80',
        '--restart',
        'always',
        'busybox',
        'sh',
      ],
      ['network', 'disconnect', net, box],
      ['network', 'connect', '--alias', 'again', net, box],
      ['exec', box, 'touch', '/data/file'],
      ['cp', `${box}:/data/file`, join(folder, 'file')],
      ['cp', join(folder, 'file'), `${box}:/tmp`],
      ['run', '--rm', 'busybox', 'true'],
      ['ps'],
      ['inspect', box],
      ['logs', box],
      ['stats', '--no-stream', box],
      ['diff', box],
      ['export', '--output', join(folder, 'files.tar'), box],
      ['update', '--memory', '64m', '--memory-swap', '64m', box],
      ['pause', box],
      ['unpause', box],
      ['restart', '--time', '0', box],
      ['commit', '--change', 'ENV A=b', box, image],
      ['tag', image, `${image}:other`],
      ['images'],
      ['history', image],
      ['image', 'inspect', image],
      ['save', '--output', join(folder, 'image.tar'), image],
      ['save', '--output', join(folder, 'images.tar'), image, `${image}:other`],
      ['load', '--input', join(folder, 'image.tar')],
      ['rmi', image, `${image}:other`],
      ['import', join(folder, 'files.tar'), image],
      ['rmi', image],
      ['build', '--quiet', '--tag', image, folder],
      ['rmi', image],
      ['events', '--since', '1m', '--until', '0s', '--filter', `container=${box}`],
      ['kill', box],
      ['start', box],
      ['stop', '--time', '0', box],
      ['wait', box],
      ['rm', '--force', '--volumes', box, `${box}-1`],
      ['network', 'rm', net],
      ['volume', 'rm', volume],
    ];
    for (const command of commands) {
      const { code, stdout, stderr } = await docker(command, { timeoutMs: 120_000, env: { DOCKER_BUILDKIT: '0' } });
      expect(code, `docker ${command.join(' ')}\n${stdout}${stderr}`).toBe(0);
    }
    await rm(folder, { recursive: true, force: true });
    const refused: string[] = [];
    for (const [id, [method, path, body]] of Object.entries(withoutCommand)) {
      const target = id === 'SystemOptions' ? '*' : version + path;
      const headers = { 'X-Registry-Auth': 'e30=' };
      const answer = await ask(guarded.through, method, target, body === undefined ? { headers } : { headers, body });
      // What the engine itself answers is its own affair: there is no registry on the network of the tests.
      if (answer.header('berthgate-refusal') !== undefined) refused.push(`${id}: ${answer.text}`);
    }
    expect(refused).toEqual([]);
    const shown = await guarded.makeGuarded({ Cmd: ['sleep', '600'], Tty: true, OpenStdin: true }, true);
    const exec = await guarded.guarded('POST', `${version}/containers/${shown}/exec`, {
      Cmd: ['sleep', '9'],
      Tty: true,
    });
    const { Id } = exec.json<{ Id: string }>();
    await guarded.guarded('POST', `${version}/exec/${Id}/start`, { Detach: true, Tty: true });
    await guarded.guarded('POST', `${version}/exec/${Id}/resize?h=10&w=10`);
    await guarded.guarded('POST', `${version}/containers/${shown}/resize?h=10&w=10`);
    const top = await guarded.guarded('GET', `${version}/containers/${shown}/top`);
    expect(top.header('berthgate-refusal')).toBeUndefined();

    const served = new Set([...guarded.served(), ...Object.keys(withoutCommand), 'ContainerTop']);
    const minor = Number(engine.apiVersion.split('.')[1]);
    const missing = table.filter(({ id, risk, since, marks = [] }) => {
      const judged = !['cluster', 'tunnel', 'never'].includes(risk) && !marks.some(({ mark }) => mark === 'privilege');
      return judged && Number(since.split('.')[1]) <= minor && !served.has(id);
    });
    // These have clients of their own: test/e2e/containers-and-input.test.ts, and buildkit.test.ts.
    expect(missing.map(({ id }) => id).sort()).toEqual(['ContainerAttachWebsocket', 'Grpc', 'Session']);
  });
});
