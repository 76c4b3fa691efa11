// Tars and what is made of them: cp, export and import, commit, diff, save and load, images.
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, expect, test } from 'vitest';
import { run } from '../engines/index.ts';
import { describeThrough, type Way } from './through.ts';

const folder = mkdtempSync(join(tmpdir(), 'berthgate-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function sumOf(file: string): Promise<string> {
  const sum = createHash('md5');
  await pipeline(createReadStream(file), sum);
  return sum.digest('hex');
}

function* pieces(megabytes: number): Generator<Buffer> {
  const piece = randomBytes(1024 * 1024);
  for (let i = 0; i < megabytes; i++) {
    piece.writeUInt32BE(i, 0);
    yield Buffer.from(piece);
  }
}

/** Each way has its own folder on the host, under a path of the same length. */
async function ownFolder(way: Way): Promise<string> {
  const own = join(folder, way.own(way.engine.name));
  await mkdir(own, { recursive: true });
  return own;
}

describeThrough('files and images', (ways) => {
  test('cp takes files and folders both ways, with their modes', async () => {
    await ways.same(
      async (way) => {
        const own = await ownFolder(way);
        const name = way.own('cp');
        writeFileSync(join(own, 'file'), 'from the host', { mode: 0o640 });
        await way.docker([
          'create',
          '--name',
          name,
          'busybox',
          'sh',
          '-c',
          'stat -c "%n %a %s" /in/* /tmp/*; cat /in/file',
        ]);
        await mkdir(join(own, 'in/deeper'), { recursive: true });
        writeFileSync(join(own, 'in/file'), 'in a folder', { mode: 0o755 });
        writeFileSync(join(own, 'in/deeper/ünïcode name'), 'odd');
        await way.docker(['cp', join(own, 'in'), `${name}:/`]);
        await way.docker(['cp', join(own, 'file'), `${name}:/tmp/renamed`]);
        await way.docker(['start', '-a', name]);
        await way.docker(['cp', `${name}:/in`, join(own, 'out')]);
        await way.docker(['cp', `${name}:/tmp/renamed`, join(own, 'back')]);
        await way.docker(['cp', `${name}:/no-such-file`, own]);
        await way.docker(['cp', join(own, 'no-such-file'), `${name}:/`]);
        await way.docker(['cp', join(own, 'file'), `${name}:/no-such-folder/file`]);
        const listed = await way.docker(['cp', `${name}:/in`, '-'], { silent: true });
        const { stdout } = await run('tar', ['-t'], { input: listed.bytes });
        await way.docker(['rm', name]);
        return [
          readFileSync(join(own, 'out/deeper/ünïcode name'), 'utf8'),
          readFileSync(join(own, 'back'), 'utf8'),
          stdout.split('\n').sort(),
        ];
      },
      // Progress is told to terminals only, but the newest command sums it up.
      { clis: 'all', except: [[/Successfully copied .*/g, 'copied']] },
    );
  });

  test('100 MB are the same after cp in and out', async () => {
    await ways.same(async (way) => {
      const own = await ownFolder(way);
      const name = way.own('cp-large');
      await pipeline(Readable.from(pieces(100)), createWriteStream(join(own, 'large')));
      await way.docker(['create', '--name', name, 'busybox']);
      await way.docker(['cp', join(own, 'large'), `${name}:/large`], { silent: true });
      await way.docker(['cp', `${name}:/large`, join(own, 'back')], { silent: true });
      await way.docker(['rm', name]);
      const sums = await Promise.all([sumOf(join(own, 'large')), sumOf(join(own, 'back'))]);
      rmSync(own, { recursive: true });
      expect(sums[0]).toBe(sums[1]);
    });
  });

  test('what is exported can be imported, what is committed runs, and diff tells what changed', async () => {
    await ways.same(async (way) => {
      const [name, imported, committed] = [way.own('export'), way.own('imported'), way.own('committed')];
      const line = 'echo new >/new; rm /etc/group; mkdir /dir; echo more >>/etc/passwd';
      await way.docker(['run', '--name', name, 'busybox', 'sh', '-c', line]);
      const diff = await way.docker(['diff', name], { silent: true });
      const tar = await way.docker(['export', name], { silent: true });
      await way.docker(['import', '-c', 'CMD ["cat", "/new"]', '-m', 'a message', '-', imported], { input: tar.bytes });
      await way.docker(['run', '--rm', imported]);
      await way.docker([
        'commit',
        '-a',
        'somebody',
        '-c',
        'ENV WORD=kept',
        '-c',
        'CMD ["sh"]',
        name,
        `${committed}:tag`,
      ]);
      await way.docker(['run', '--rm', `${committed}:tag`, 'sh', '-c', 'echo $WORD; cat /new; ls /etc']);
      await way.docker(['inspect', '--format', '{{.Author}} {{.Config.Env}} {{.Config.Cmd}}', `${committed}:tag`]);
      await way.docker(['history', '--format', '{{.CreatedBy}} {{.Comment}}', `${committed}:tag`]);
      await way.docker(['rmi', imported, `${committed}:tag`], { silent: true });
      await way.docker(['rm', name]);
      return diff.stdout.split('\n').sort();
    });
  });

  test('save and load give an image back, by a file and by a pipe', async () => {
    await ways.same(async (way) => {
      const own = await ownFolder(way);
      const name = way.own('saved');
      const file = join(own, 'image.tar');
      await way.docker(['tag', 'busybox', `${name}:one`]);
      await way.docker(['tag', 'busybox', `${name}:two`]);
      await way.docker(['save', '-o', file, `${name}:one`, `${name}:two`]);
      await way.docker(['rmi', `${name}:one`, `${name}:two`]);
      await way.docker(['load', '-i', file]);
      const piped = await way.docker(['save', name], { silent: true });
      await way.docker(['rmi', `${name}:one`, `${name}:two`]);
      await way.docker(['load'], { input: piped.bytes });
      await way.docker(['run', '--rm', `${name}:two`, 'echo', 'runs']);
      await way.docker(['images', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}', name]);
      await way.docker(['load'], { input: 'this is no tar' });
      await way.docker(['save', `${name}:three`], { silent: true });
      await way.docker(['rmi', `${name}:one`, `${name}:two`]);
    });
  });

  test('an image of 200 MB goes through save | load', async () => {
    await ways.same(async (way) => {
      const own = await ownFolder(way);
      const name = way.own('large');
      await pipeline(Readable.from(pieces(200)), createWriteStream(join(own, 'large')));
      await run('tar', ['-C', own, '-cf', join(own, 'large.tar'), 'large']);
      const sum = await sumOf(join(own, 'large'));
      await way.docker(['import', join(own, 'large.tar'), name], { silent: true });
      const saving = way.watch(['save', name]);
      const loading = way.watch(['load']);
      // Before anything else is awaited: what is saved meanwhile would be missing in what is loaded.
      const pipe = pipeline(saving.child.stdout as Readable, loading.child.stdin as NodeJS.WritableStream);
      const ends = Promise.all([saving.end(120_000), loading.end(120_000), pipe.catch(() => {})]);
      await way.docker(['image', 'inspect', '--format', '{{.Size}}', name]);
      const [saved, loaded] = await ends;
      expect([saved.code, loaded.code], saved.stderr + loaded.stderr).toEqual([0, 0]);
      await way.docker(['create', '--name', name, name, 'none']);
      await way.docker(['cp', `${name}:/large`, join(own, 'back')], { silent: true });
      expect(await sumOf(join(own, 'back'))).toBe(sum);
      await way.docker(['rm', name]);
      await way.docker(['rmi', name], { silent: true });
      rmSync(own, { recursive: true });
      return loaded.stdout;
    });
  });

  test('images are listed, inspected, tagged and removed', async () => {
    await ways.same(
      async (way) => {
        const name = way.own('image');
        await way.docker(['tag', 'busybox', `${name}:tag`]);
        await way.docker(['tag', 'no-such-image', name]);
        await way.docker(['tag', 'busybox', 'NOT/Valid:::']);
        await way.docker(['images', '--filter', `reference=${name}`, '--no-trunc']);
        await way.docker(['image', 'inspect', `${name}:tag`]);
        await way.docker(['image', 'inspect', `${name}:none`]);
        await way.docker(['history', '--no-trunc', `${name}:tag`]);
        await way.docker(['rmi', `${name}:tag`]);
        await way.docker(['rmi', `${name}:tag`]);
      },
      { clis: 'all' },
    );
  });
});
