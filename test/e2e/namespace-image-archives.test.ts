// `docker save` and `docker load` in namespaces: names in both directions, all layouts, nothing of anybody else.
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { run as command, docker, dockerCli } from '../engines/index.ts';
import { describeImageUsers, idOf, tagsOf } from './image-users.ts';

const LOADS = { 'Content-Type': 'application/x-tar' };

describeImageUsers(
  'archives of images in a namespace',
  ({ engine, alice, bob, direct, at, run, gateway, engineName }) => {
    /** An image of one layer of its own, without a registry. */
    const makes = async (who: 'alice' | 'bob', name: string, content: string): Promise<string> => {
      const { bytes } = await tarOf({ whose: content });
      return docker(at(who), ['import', '-c', 'CMD ["x"]', '-', name], { input: bytes });
    };
    const load = async (who: typeof alice, archive: Buffer) =>
      who('POST', '/images/load?quiet=1', { body: archive, headers: LOADS });
    const saved = async (names: readonly string[], who = alice) =>
      who('GET', `/images/get?${names.map((name) => `names=${encodeURIComponent(name)}`).join('&')}`);

    test("what is saved speaks the client's names, and is loaded under them by anybody", async () => {
      const one = await makes('alice', 'team/one:1', `${run}-one`);
      const two = await makes('alice', 'team/two:2', `${run}-two`);
      await docker(at('alice'), ['tag', 'team/one:1', 'team/one:other']);
      const archive = await saved(['team/one', 'team/two:2']);
      expect(archive.status).toBe(200);
      expect(archive.header('content-type')).toBe('application/x-tar');
      const documents = await documentsOf(archive.body);
      expect(documents).toMatch(/team\/one:1/);
      expect(documents).toMatch(/team\/one:other/);
      expect(documents).not.toMatch(/127\.0\.0\.|im-|u_image|c_[0-9a-f]/);
      expect(archive.body.includes(gateway())).toBe(false);
      const loaded = await load(bob, archive.body);
      expect(loaded.text).toMatch(/Loaded image: team\/one:1/);
      expect(loaded.text).toMatch(/Loaded image: team\/two:2/);
      expect(loaded.text).not.toMatch(/127\.0\.0\.1|im-/);
      expect([await idOf(bob, 'team/one:1'), await idOf(bob, 'team/one:other'), await idOf(bob, 'team/two:2')]).toEqual(
        [one, one, two],
      );
      expect((await direct('GET', `/images/${engineName('bob', 'docker.io/team/one:1')}/json`)).status).toBe(200);
      // Through the command, into a file and out of it.
      await docker(at('bob'), ['rmi', 'team/two:2']);
      const { bytes } = await dockerCli(at('alice'), ['save', 'team/two:2']);
      expect(await docker(at('bob'), ['load'], { input: bytes })).toBe('Loaded image: team/two:2');
      expect(await docker(at('bob'), ['load'], { input: gzipSync(bytes) })).toBe('Loaded image: team/two:2');
      for (const program of ['bzip2', 'xz', 'zstd']) {
        const packed = await command(program, ['-c', '-1'], { input: bytes });
        expect([program, packed.code]).toEqual([program, 0]);
        expect(await docker(at('bob'), ['load'], { input: packed.bytes })).toBe('Loaded image: team/two:2');
      }
    });

    test('an image that is saved by its id is loaded without a name', async () => {
      const id = await makes('alice', 'nameless:1', `${run}-nameless`);
      const archive = (await saved([id.slice(7, 19)])).body;
      expect(await documentsOf(archive)).not.toMatch(/127\.0\.0\.|im-|nameless/);
      await docker(at('alice'), ['rmi', 'nameless:1']);
      expect((await direct('GET', `/images/${id}/json`)).status).toBe(404);
      const loaded = await load(alice, archive);
      expect(loaded.text).toContain(`Loaded image ID: ${id}`);
      expect((await alice('GET', `/images/${id}/json`)).json<{ RepoTags: string[] }>().RepoTags).toEqual([]);
      expect((await bob('GET', `/images/${id}/json`)).status).toBe(404);
      expect((await alice('POST', '/images/prune')).text).toContain(id);
    });

    test('a name that moves by a load leaves what it had without one', async () => {
      await makes('alice', 'moving:1', `${run}-new`);
      const archive = (await saved(['moving:1'])).body;
      const wanted = await idOf(alice, 'moving:1');
      const before = await makes('alice', 'moving:1', `${run}-old`);
      await load(alice, archive);
      expect(await idOf(alice, 'moving:1')).toBe(wanted);
      expect((await alice('GET', `/images/${before}/json`)).status).toBe(200);
      await docker(at('alice'), ['image', 'prune', '-f']);
      expect((await direct('GET', `/images/${before}/json`)).status).toBe(404);
    });

    test("another's image is not there to be saved", async () => {
      const id = await makes('alice', 'private:1', `${run}-private`);
      const engines = engineName('alice', 'docker.io/library/private:1');
      expect((await direct('GET', `/images/${engines}/get`)).status).toBe(200);
      // The control: the engine knows it by all of them.
      for (const name of [id, id.slice(7), id.slice(7, 19), engines]) {
        expect((await direct('GET', `/images/${encodeURIComponent(name)}/json`)).status).toBe(200);
        expect((await bob('GET', `/images/${encodeURIComponent(name)}/get`)).status).toBe(404);
        expect((await saved(['busybox', name], bob)).status).toBe(404);
      }
      expect((await saved(['private'], bob)).json()).toEqual({ message: 'No such image: private:latest' });
      expect((await saved(['busybox'], bob)).status).toBe(200);
    });

    test("an archive gets neither another's name nor another's layers", async () => {
      const theirs = await makes('alice', 'secret:1', `${run}-secret`);
      const whole = await filesOf((await saved(['secret:1'])).body);
      const config = Object.entries(whole).find(([, content]) => content.includes('diff_ids'));
      const [{ Layers }] = JSON.parse(String(whole['manifest.json'])) as [{ Layers: [string] }];
      const [layer] = Layers;
      const [name, content] = config as [string, Buffer];
      // Only its digests: what somebody knows who has seen the registry's manifest once.
      const stolen = { ...whole };
      delete stolen[layer];
      const manifest = { Config: name, RepoTags: ['stolen:1'], Layers: [layer] };
      const attempts: Readonly<Record<string, Readonly<Record<string, string | Buffer>>>> = {
        'without the layer': { [name]: content, 'manifest.json': JSON.stringify([manifest]) },
        'with another layer': { [name]: content, [layer]: 'x', 'manifest.json': JSON.stringify([manifest]) },
        'with the keys of another case': {
          [name]: `{"RootFS": ${JSON.stringify(JSON.parse(content.toString()).rootfs)}, "rootfs": {"type": "layers", "diff_ids": []}}`,
          'manifest.json': JSON.stringify([{ ...manifest, Layers: [] }]),
        },
        'by an index': { ...stolen, 'manifest.json': '[]' },
      };
      for (const [how, files] of Object.entries(attempts)) {
        const { bytes } = await tarOf(files);
        const answer = await load(bob, bytes);
        if (answer.status === 200) expect(answer.text, how).not.toContain('Loaded image');
        else
          expect([answer.status, answer.text], how).toEqual([
            400,
            expect.stringMatching(/the archive|the engine reads/),
          ]);
        expect((await bob('GET', `/images/${theirs}/json`)).status, how).toBe(404);
      }
      // The control: the engine itself takes the layer that it has.
      const how = engine.keepsImagesInContainerd ? 'by an index' : 'without the layer';
      const { bytes } = await tarOf(attempts[how] as Record<string, Buffer>);
      const control = await load(direct, bytes);
      const loaded = /Loaded image: (\S+:1)/.exec(control.text)?.[1] ?? '';
      expect((await direct('GET', `/images/${loaded}/json`)).status, control.text).toBe(200);
      await direct('DELETE', `/images/${loaded}`);
      const named = await tarOf({
        ...whole,
        'manifest.json': JSON.stringify([
          {
            ...manifest,
            RepoTags: [engineName('alice', 'docker.io/library/secret:1'), 'docker.io/library/busybox:latest'],
          },
        ]),
      });
      const before = (await direct('GET', '/images/busybox/json')).json<{ Id: string }>().Id;
      await load(bob, named.bytes);
      expect((await direct('GET', '/images/busybox/json')).json<{ Id: string }>().Id).toBe(before);
      expect(await idOf(alice, 'secret:1')).toBe(theirs);
    });

    test('an archive gives no name that a policy denies, and holds no more than the limits leave', async () => {
      await makes('alice', 'judged:1', `${run}-judged`);
      const whole = await filesOf((await saved(['judged:1'])).body);
      const [image] = JSON.parse(String(whole['manifest.json'])) as [object];
      const renamed = (name: string, more: object = {}) =>
        tarOf({ ...whole, 'manifest.json': JSON.stringify([{ ...image, RepoTags: [name], ...more }]) });
      const denied = await load(bob, (await renamed('forbidden/app:1')).bytes);
      expect([denied.status, denied.text]).toEqual([403, expect.stringContaining('must not be given as a name')]);
      // What is much more when it is unpacked.
      const bomb = gzipSync(Buffer.alloc(72 * 1024 * 1024));
      const large = await load(bob, (await tarOf({ bomb, ...whole })).bytes);
      expect([large.status, large.text]).toEqual([403, expect.stringContaining('the archive holds more than is left')]);
      expect(await tagsOf(bob)).not.toContain('judged:1');
      // The control: the same archive under a name that is allowed, without what is too much.
      expect((await load(bob, (await renamed('allowed/app:1')).bytes)).text).toContain('Loaded image: allowed/app:1');
    });

    test('an archive that could be read in two ways is refused', async () => {
      const { bytes } = await tarOf({ 'manifest.json': '[]' });
      const entry = bytes.subarray(0, 1024);
      const rest = bytes.subarray(1024);
      const link = async (script: string): Promise<Buffer> =>
        Buffer.from(
          (await command('/bin/sh', ['-c', `cd "$(mktemp -d)" && ${script} | base64 && rm -r "$PWD"`])).stdout,
          'base64',
        );
      const hostile: Readonly<Record<string, Buffer>> = {
        'manifest.json twice': Buffer.concat([entry, entry, rest]),
        'a link for manifest.json': await link(
          'echo [] >other && ln -s other manifest.json && tar -c other manifest.json',
        ),
        'a hard link for manifest.json': await link('echo [] >a && ln a manifest.json && tar -c a manifest.json'),
        'files behind a link': await link(
          'ln -s . a && tar -cf x a && mkdir -p b/a && echo [] >b/a/manifest.json && tar -rf x -C b a/manifest.json && cat x',
        ),
        'a name outside': await link('echo [] >manifest.json && tar -cP ../$(basename "$PWD")/manifest.json'),
        nothing: Buffer.alloc(0),
        'no tar': Buffer.alloc(4096, 'x'),
        'half of an xz': (await link('echo [] >manifest.json && tar -cJ manifest.json')).subarray(0, 100),
      };
      for (const [what, archive] of Object.entries(hostile)) {
        const answer = await load(alice, archive);
        expect([answer.status, answer.text], what).toEqual([400, expect.stringMatching(/(the|an) archive/)]);
      }
      expect(await tagsOf(alice)).not.toContain('stolen:1');
    });
  },
  {
    policies: [
      { use: 'images', tag: { deny: ['forbidden/**'] } },
      { use: 'limits', total: { imageBytes: '64MiB' } },
    ],
  },
);

interface Tar {
  readonly bytes: Buffer;
}

/** Files in their order. */
async function tarOf(files: Readonly<Record<string, string | Buffer>>): Promise<Tar> {
  const script = Object.entries(files)
    .map(
      ([name, content]) =>
        `mkdir -p "$(dirname ${name})" && echo ${Buffer.from(content).toString('base64')} | base64 -d >${name}`,
    )
    .join('\n');
  return command('/bin/sh', ['-s'], {
    input: `set -e\ncd "$(mktemp -d)"\n${script}\ntar -c ${Object.keys(files).join(' ')}\nrm -r "$PWD"`,
  });
}

async function filesOf(archive: Buffer): Promise<Readonly<Record<string, Buffer>>> {
  const { stdout } = await command(
    '/bin/sh',
    [
      '-c',
      'cd "$(mktemp -d)" && tar -x && for f in $(find . -type f | cut -c3-); do echo "$f $(base64 -w0 <$f)"; done; rm -r "$PWD"',
    ],
    { input: archive },
  );
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => {
        const [name = '', content = ''] = line.split(' ');
        return [name, Buffer.from(content, 'base64')];
      }),
  );
}

/** What says names in an archive. */
async function documentsOf(archive: Buffer): Promise<string> {
  const files = await filesOf(archive);
  return ['manifest.json', 'repositories', 'index.json'].map((name) => files[name] ?? '').join('\n');
}
