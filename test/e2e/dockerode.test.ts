// dockerode: the library that JavaScript programs speak to Docker with.
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { afterAll, describe, expect, test } from 'vitest';
import { hasRegistry, run, startRegistry } from '../engines/index.ts';
import { describeThrough } from './through.ts';

const folder = mkdtempSync(join(tmpdir(), 'berthgate-dockerode-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function tarOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const own = mkdtempSync(join(folder, 'tar-'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(own, name), content);
  return (await run('tar', ['-C', own, '-c', '.'])).bytes;
}

/** What came on a stream of frames, by its two kinds. */
async function demultiplexed(docker: Docker, stream: NodeJS.ReadableStream): Promise<readonly [string, string]> {
  const [out, err] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, out, err);
  const ended = once(stream, 'end');
  const read = Promise.all([text(out), text(err)]);
  await ended;
  out.end();
  err.end();
  return read;
}

/** The last word of a stream of progress, and its fault if it told one. */
function followed(docker: Docker, stream: NodeJS.ReadableStream): Promise<readonly unknown[]> {
  return new Promise((resolve) => {
    docker.modem.followProgress(stream, (error: Error | null, output: unknown[]) => {
      resolve(error === null ? output : [...output, error.message]);
    });
  });
}

describeThrough('dockerode', (ways) => {
  test('run gives output and status', async () => {
    const came = await ways.same(
      async (way) => {
        const out = new PassThrough();
        const line = ['sh', '-c', 'echo out; exit 3'];
        const [data, container] = await way
          .dockerode()
          .run('busybox', line, out, { name: way.own('run'), Tty: false, HostConfig: { AutoRemove: false } });
        await container.remove();
        out.end();
        return { data, out: (await buffer(out)).subarray(8).toString() };
      },
      { tcp: true },
    );
    expect(came).toMatchObject({ data: { StatusCode: 3 }, out: 'out\n' });
  });

  test('a container that is attached before its start gets input and its end, and gives both kinds of output', async () => {
    const came = await ways.same(async (way) => {
      const docker = way.dockerode();
      const container = await docker.createContainer({
        name: way.own('attach'),
        Image: 'busybox',
        Cmd: ['sh', '-c', 'cat; echo err >&2; exit 5'],
        OpenStdin: true,
        StdinOnce: true,
        AttachStdin: true,
      });
      const all = { stream: true, stdin: true, stdout: true, stderr: true };
      const stream = await container.attach({ ...all, hijack: true });
      const read = demultiplexed(docker, stream);
      await container.start();
      stream.write('a line\n');
      stream.end('the last\n');
      const result = await container.wait();
      const output = await read;
      await container.remove();
      return { result, output };
    });
    expect(came).toMatchObject({ result: { StatusCode: 5 }, output: ['a line\nthe last\n', 'err\n'] });
  });

  test('an exec takes input, with the upgrade and without', async () => {
    await ways.same(async (way) => {
      const docker = way.dockerode();
      const container = await docker.createContainer({
        name: way.own('exec'),
        Image: 'busybox',
        Cmd: ['sleep', '600'],
        HostConfig: { Init: true },
      });
      await container.start();
      const came: unknown[] = [];
      const exec = await container.exec({
        Cmd: ['tr', 'a-z', 'A-Z'],
        AttachStdin: true,
        AttachStdout: true,
        AttachStderr: true,
      });
      const stream = await exec.start({ hijack: true, stdin: true });
      stream.end('typed\n');
      came.push(await demultiplexed(docker, stream));
      came.push((await exec.inspect()).ExitCode);
      const silent = await container.exec({ Cmd: ['sh', '-c', 'echo out; exit 4'], AttachStdout: true });
      came.push(await demultiplexed(docker, await silent.start({})));
      came.push((await silent.inspect()).ExitCode);
      const terminal = await container.exec({ Cmd: ['sh', '-c', 'tty'], AttachStdout: true, Tty: true });
      came.push(await text((await terminal.start({ Tty: true })) as Readable));
      await container.remove({ force: true });
      return came;
    });
  });

  test('logs are followed to their end, and events as they happen', async () => {
    const came = await ways.same(async (way) => {
      const docker = way.dockerode();
      const name = way.own('logs');
      const events = await docker.getEvents({
        filters: { container: [name], event: ['create', 'start', 'die', 'destroy'] },
      });
      let told = '';
      events.on('data', (chunk: Buffer) => {
        told += chunk;
      });
      const container = await docker.createContainer({
        name,
        Image: 'busybox',
        Cmd: ['sh', '-c', 'for i in 1 2 3; do echo $i; sleep 0.2; done'],
      });
      await container.start();
      const logs = await demultiplexed(docker, await container.logs({ follow: true, stdout: true, stderr: true }));
      await container.wait();
      await container.remove();
      while (!told.includes('destroy')) await once(events, 'data');
      (events as Readable).destroy();
      const actions = told
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).Action);
      return { logs, actions };
    });
    expect(came).toEqual({ logs: ['1\n2\n3\n', ''], actions: ['create', 'start', 'die', 'destroy'] });
  });

  test('archives go in and come out, also where nobody said how large they are', async () => {
    const tar = await tarOf({ one: 'the first', two: 'the second' });
    const came = await ways.same(async (way) => {
      const docker = way.dockerode();
      const container = await docker.createContainer({ name: way.own('archive'), Image: 'busybox' });
      await container.putArchive(tar, { path: '/tmp' });
      const streamed = new PassThrough();
      streamed.end(tar);
      await container.putArchive(streamed, { path: '/home' });
      const listed: string[] = [];
      for (const path of ['/tmp/one', '/home/two']) {
        const out = await buffer((await container.getArchive({ path })) as Readable);
        listed.push((await run('tar', ['-xO'], { input: out })).stdout);
      }
      const head = await container.infoArchive({ path: '/tmp/one' });
      listed.push(await text(head as unknown as Readable));
      const missing = await container.getArchive({ path: '/none' }).catch((fault: Error) => fault.message);
      await container.remove();
      return { listed, missing };
    });
    expect(came.listed.slice(0, 2)).toEqual(['the first', 'the second']);
  });

  test('an image is built, listed, tagged, inspected, saved, loaded and removed', async () => {
    await ways.same(async (way) => {
      const docker = way.dockerode();
      const name = way.own('built');
      const tar = await tarOf({
        Dockerfile: `FROM busybox\nENV A=${way.own('a')}\nRUN echo built\nCMD cat /word\nCOPY word /\n`,
        word: 'said',
      });
      const stream = new PassThrough();
      stream.end(tar);
      const built = await followed(docker, await docker.buildImage(stream, { t: name, nocache: true }));
      const image = docker.getImage(name);
      await image.tag({ repo: name, tag: 'other' });
      const { Config } = await image.inspect();
      const saved = await buffer((await docker.getImage(`${name}:other`).get()) as Readable);
      await docker.getImage(`${name}:other`).remove();
      const loaded = await followed(docker, await docker.loadImage(await streamOf(saved)));
      const listed = await docker.listImages({ filters: { reference: [name] } });
      const broken = new PassThrough();
      broken.end(await tarOf({ Dockerfile: 'FROM busybox\nRUN exit 7\n' }));
      const failed = (await followed(docker, await docker.buildImage(broken, { t: `${name}-broken` }))).at(-1);
      await image.remove({ force: true });
      await docker.getImage(`${name}:other`).remove({ force: true });
      return [
        built.filter((line) => 'stream' in (line as object)).length,
        Config.Cmd,
        loaded,
        listed.map(({ RepoTags }) => RepoTags?.sort()),
        failed,
      ];
    });
  });

  test('networks, volumes and faults are those of the engine', async () => {
    await ways.same(async (way) => {
      const docker = way.dockerode();
      const config = [{ Subnet: way.subnet(6) }];
      const network = await docker.createNetwork({ Name: way.own('net'), IPAM: { Config: config } });
      const container = await docker.createContainer({ name: way.own('net'), Image: 'busybox' });
      await network.connect({ Container: container.id, EndpointConfig: { Aliases: ['alias'] } });
      await network.disconnect({ Container: container.id });
      const { Driver, Labels } = await network.inspect();
      await network.remove();
      await docker.createVolume({ Name: way.own('vol'), Labels: { a: 'b' } });
      const volume = await docker.getVolume(way.own('vol')).inspect();
      const told: unknown[] = [Driver, Labels, volume.Labels, (await docker.ping()).toString()];
      await docker.getVolume(way.own('vol')).remove();
      await container.remove();
      const faults: readonly (() => Promise<unknown>)[] = [
        () => docker.getContainer(way.own('none')).inspect(),
        () => docker.getContainer(way.own('none')).start(),
        () => docker.createContainer({ Image: 'no-such-image' }),
        () => docker.createContainer({ Image: 'busybox', name: '/bad name' }),
        () => docker.createContainer({ Image: 'busybox', HostConfig: { Memory: 1 } }),
        () => docker.getImage('no-such-image').inspect(),
        () => docker.getNetwork('none-such').inspect(),
        () => docker.getExec('none').inspect(),
        () => docker.checkAuth({ username: 'a', password: 'b', serveraddress: '127.0.0.1:1' }),
      ];
      for (const fault of faults) {
        told.push(await fault().catch(({ statusCode, json }) => ({ statusCode, json })));
      }
      return told;
    });
  });

  test('a hundred calls at once are each answered with what was asked', async () => {
    const came = await ways.same(async (way) => {
      const docker = way.dockerode();
      const names = [1, 2, 3].map((i) => way.own(`many-${i}`));
      const made = await Promise.all(names.map((name) => docker.createContainer({ name, Image: 'busybox' })));
      const asked = Array.from({ length: 100 }, (_, i) => names[i % names.length] as string);
      const answers = await Promise.all(asked.map(async (name) => (await docker.getContainer(name).inspect()).Name));
      await Promise.all(made.map((container) => container.remove()));
      return answers.every((name, i) => name === `/${asked[i]}`);
    });
    expect(came).toBe(true);
  });

  describe.skipIf(!hasRegistry())('with a registry', () => {
    test('pull tells its progress and its faults', async () => {
      const registry = await startRegistry();
      await ways.same(async (way) => {
        const docker = way.dockerode();
        const repo = `${registry.host}/${way.own('pulled')}`;
        await docker.getImage('busybox').tag({ repo, tag: '1' });
        const image = docker.getImage(`${repo}:1`);
        const pushed = await followed(
          docker,
          await image.push({ authconfig: { username: '', password: '' } as never }),
        );
        await image.remove();
        const pulled = await followed(docker, await docker.pull(`${repo}:1`));
        const { Os } = await image.inspect();
        await image.remove();
        const missing = await docker.pull(`${repo}:2`).catch(({ statusCode, json }) => ({ statusCode, json }));
        const inspected = await docker
          .getImage(`${repo}:1`)
          .distribution()
          .catch(({ statusCode }) => statusCode);
        return [pushed.length > 2, pulled.length > 2, Os, missing, typeof inspected];
      });
      await registry.stop();
    });
  });
});

async function streamOf(bytes: Buffer): Promise<PassThrough> {
  const stream = new PassThrough();
  stream.end(bytes);
  return stream;
}
