// RED-TEAM 38 to 42 by BuildKit: what a build can ask of the engine beyond its own files, with the engine itself as the control.
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CommandResult, dockerCli } from '../engines/index.ts';
import { describeGuarded, type Guarded } from './guarded.ts';

const folder = mkdtempSync(join(tmpdir(), 'berthgate-buildkit-'));
/** What only the engine's own network reaches. */
const inside = http.createServer((_, answer) => answer.end('from the inside'));
let port = 0;

beforeAll(async () => {
  await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve));
  port = (inside.address() as AddressInfo).port;
});
afterAll(() => {
  inside.close();
  rmSync(folder, { recursive: true });
});

interface Attack {
  readonly dockerfile: () => string;
  readonly args?: readonly string[];
  /** What the engine says directly, where it does not simply build. */
  readonly directly?: RegExp;
  readonly refusal: RegExp;
}

const attacks: Readonly<Record<string, Attack>> = {
  '38: a step with the network of the host': {
    dockerfile: () => 'FROM busybox\nRUN --network=host ip addr\n',
    args: ['--allow', 'network.host'],
    refusal: /Entitlements\[0\] must not be "network\.host"/,
  },
  '38: all steps with the network of the host': {
    dockerfile: () => 'FROM busybox\nRUN ip addr\n',
    args: ['--network', 'host'],
    refusal: /force-network-mode must not be "host"|Entitlements/,
  },
  '38: a step without confinement': {
    dockerfile: () => 'FROM busybox\nRUN true\n',
    args: ['--allow', 'security.insecure'],
    directly: /security\.insecure is not allowed/,
    refusal: /Entitlements\[0\] must not be "security\.insecure"/,
  },
  '38: another place in the tree of cgroups': {
    dockerfile: () => 'FROM busybox\nRUN true\n',
    args: ['--cgroup-parent', 'elsewhere'],
    refusal: /cgroup-parent must not be "elsewhere"/,
  },
  '39: an address that the engine fetches': {
    dockerfile: () => `FROM scratch\nADD http://127.0.0.1:${port}/word /word\n`,
    refusal: /denied by policy/,
  },
  '39: the same by another name of the machine': {
    dockerfile: () => `FROM scratch\nADD http://[::ffff:127.0.0.1]:${port}/word /word\n`,
    refusal: /denied by policy/,
  },
  '39: a repository that the engine clones': {
    dockerfile: () => `FROM scratch\nADD git://127.0.0.1:${port}/x.git /word\n`,
    directly: /failed to|exit/,
    refusal: /denied by policy/,
  },
  '39: a context at an address': {
    dockerfile: () => 'FROM scratch\n',
    args: ['--build-context', 'other=http://127.0.0.1/x'],
    refusal: /"context:other"\] must not be/,
  },
  '40: an image of a registry that only the host reaches': {
    dockerfile: () => `FROM 127.0.0.1:${port}/x\n`,
    directly: /127\.0\.0\.1/,
    refusal: /denied by policy/,
  },
  '40: a copy from such an image': {
    dockerfile: () => `FROM busybox\nCOPY --from=127.0.0.1:${port}/x /a /a\n`,
    directly: /127\.0\.0\.1/,
    refusal: /denied by policy/,
  },
  '41: a frontend of somebody else, by an argument': {
    dockerfile: () => 'FROM scratch\n',
    args: ['--build-arg', `BUILDKIT_SYNTAX=127.0.0.1:${port}/frontend`],
    directly: /127\.0\.0\.1/,
    refusal: /must not be "127\.0\.0\.1/,
  },
  "42: the cache mounts of somebody else's builds": {
    dockerfile: () => 'FROM busybox\nRUN true\n',
    args: ['--build-arg', 'BUILDKIT_CACHE_MOUNT_NS=somebody'],
    refusal: /BUILDKIT_CACHE_MOUNT_NS.* must not be "somebody"/,
  },
  '42: a proxy that is not in the key of the cache': {
    dockerfile: () => 'FROM busybox\nRUN true\n',
    args: ['--build-arg', 'HTTP_PROXY=http://192.0.2.1'],
    refusal: /HTTP_PROXY.* must not be/,
  },
  'a cache that is kept at an address': {
    dockerfile: () => 'FROM busybox\nRUN true\n',
    args: ['--cache-from', `type=gha,url=http://127.0.0.1:${port}/,token=x`],
    refusal: /must not be "gha"/,
  },
};

const build = (socket: string, dockerfile: string, args: readonly string[] = []): Promise<CommandResult> =>
  buildAlone(socket, dockerfile, ['--no-cache', '--output', 'type=cacheonly', ...args]);

const buildAlone = (socket: string, dockerfile: string, args: readonly string[]): Promise<CommandResult> => {
  const own = mkdtempSync(join(folder, 'context-'));
  writeFileSync(join(own, 'Dockerfile'), dockerfile);
  const all = ['buildx', 'build', '--progress', 'plain', ...args, own];
  return dockerCli(`unix://${socket}`, all, { timeoutMs: 120_000 });
};

/** One method: `STATUS MESSAGE`. */
async function askGrpc(socket: string, path: string, message = Buffer.alloc(0)): Promise<string> {
  const connection = net.connect(socket);
  connection.write('POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
  let head = Buffer.alloc(0);
  // An engine prints it in pieces.
  while (!head.includes('\r\n\r\n')) head = Buffer.concat([head, ((await once(connection, 'data')) as [Buffer])[0]]);
  expect(head.toString()).toMatch(/^HTTP\/1\.1 101 /);
  // What came with the head has been read already, so HTTP/2 reads from a stream of its own.
  const stream = new Duplex({
    read() {},
    write: (piece, _encoding, done) => void connection.write(piece, done),
    final: (done) => void connection.end(done),
    destroy: (fault, done) => done(connection.destroy() && fault),
  });
  stream.push(head.subarray(head.indexOf('\r\n\r\n') + 4));
  connection.on('data', (piece) => stream.push(piece)).on('end', () => stream.push(null));
  const session = http2.connect('http://docker', { createConnection: () => stream });
  try {
    const call = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    call.end(Buffer.concat([prefix, message]));
    call.resume();
    let told: http2.IncomingHttpHeaders = {};
    const take = (fields: http2.IncomingHttpHeaders): void => {
      told = { ...told, ...fields };
    };
    call.on('response', take).on('trailers', take);
    await once(call, 'close');
    return `${told['grpc-status']} ${decodeURIComponent(String(told['grpc-message'] ?? ''))}`;
  } finally {
    session.destroy();
  }
}

const holdsToPolicies = ({ version }: { version: string }): boolean => Number(version.split('.')[0]) >= 24;

describeGuarded(
  'BuildKit under conservative',
  ['conservative'],
  (guarded: Guarded) => {
    test.each(Object.entries(attacks))('%s', async (_name, { dockerfile, args = [], directly, refusal }) => {
      const control = await build(guarded.direct, dockerfile(), args);
      if (directly === undefined) expect(control.code, control.stderr).toBe(0);
      else expect(control.stderr).toMatch(directly);
      expect(control.stderr).not.toMatch(refusal);
      const through = await build(guarded.through, dockerfile(), args);
      expect(through.stderr).toMatch(refusal);
      expect(through.code).not.toBe(0);
    });

    test('41: a frontend that a Dockerfile names is not run: the engine reads it itself', async () => {
      const dockerfile = `# syntax=127.0.0.1:${port}/frontend\nFROM scratch\nCOPY Dockerfile /\n`;
      const control = await build(guarded.direct, dockerfile);
      expect(control.stderr).toMatch(/resolve image config for docker-image:\/\/127\.0\.0\.1/);
      const through = await build(guarded.through, dockerfile);
      expect(through.stderr).not.toContain('127.0.0.1:');
      expect(through.code).toBe(0);
    });

    test('40: an image is not pushed to a registry that only the host reaches', async () => {
      const dockerfile = 'FROM scratch\nCOPY Dockerfile /\n';
      const output = ['--output', 'type=image,name=127.0.0.1:1/x,push=true'];
      const control = await buildAlone(guarded.direct, dockerfile, output);
      expect(control.stderr).toMatch(/127\.0\.0\.1:1.*connection refused/);
      const through = await buildAlone(guarded.through, dockerfile, output);
      expect([through.code, through.stderr]).toEqual([1, expect.stringContaining('must not push 127.0.0.1:1/x')]);
      await dockerCli(`unix://${guarded.direct}`, ['rmi', '127.0.0.1:1/x']);
    });

    test("everybody's build cache is not emptied", async () => {
      const { code, stderr } = await dockerCli(`unix://${guarded.through}`, ['builder', 'prune', '--force']);
      expect([code, stderr]).toEqual([1, expect.stringContaining('BuildkitPrune is not served here')]);
    });

    test('contents of the engine are read only where it has told of them', async () => {
      const read = '/containerd.services.content.v1.Content/Info';
      const message = Buffer.from(`\n\x47sha256:${'0'.repeat(64)}`, 'latin1');
      expect(await askGrpc(guarded.direct, read, message)).toMatch(/^5 .*not found/);
      expect(await askGrpc(guarded.through, read, message)).toMatch(/^7 .*content sha256:0+: not found/);
    });

    test.each([
      ['blobs of the engine by their digest', '/containerd.services.content.v1.Content/List'],
      ['processes in the steps of a build', '/moby.buildkit.v1.frontend.LLBBridge/NewContainer'],
    ])('no method reaches %s', async (_name, path) => {
      // The engine knows the method: what it says is about the call.
      expect(await askGrpc(guarded.direct, path)).not.toMatch(/^12 |unknown (service|method)/);
      expect(await askGrpc(guarded.through, path)).toMatch(/^12 berthgate: .* is not a method that is served here/);
    });
  },
  ({ version }) => holdsToPolicies({ version }),
);

describeGuarded(
  'BuildKit on an engine that holds to no source policy',
  ['conservative'],
  (guarded: Guarded) => {
    test('is refused with the way out', async () => {
      const control = await build(guarded.direct, 'FROM busybox\nRUN true\n');
      expect(control.stderr).not.toMatch(/berthgate/);
      const { code, stderr } = await build(guarded.through, 'FROM busybox\nRUN true\n');
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/berthgate: .*set DOCKER_BUILDKIT=0/);
    });
  },
  ({ version }) => !holdsToPolicies({ version }),
);

describeGuarded(
  'images that may be built from',
  [{ use: 'images', build: { allow: ['busybox', 'r.example.org/**'], deny: ['busybox:secret'] } }],
  (guarded: Guarded) => {
    test.each([
      ['an image that is listed', 'FROM busybox\nRUN true\n', true],
      ['a copy from one that is not', 'FROM busybox\nCOPY --from=alpine:3 /etc /x\n', false],
      ['one that is not', 'FROM alpine:3\n', false],
      ['one that is listed, and denied', 'FROM busybox:secret\n', false],
      ['a mount of one that is not', 'FROM busybox\nRUN --mount=from=alpine:3,target=/x true\n', false],
    ])('%s', async (_name, dockerfile, passes) => {
      const { code, stderr } = await build(guarded.through, dockerfile);
      if (passes) expect(code, stderr).toBe(0);
      else expect(stderr).toMatch(/denied by policy/);
    });
  },
  ({ version }) => holdsToPolicies({ version }),
);
