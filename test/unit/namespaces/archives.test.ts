// Archives of images on their way to an engine and back, in whatever pieces they come.
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ImageReference, readReference } from '../../../src/docker/image-reference.ts';
import type { BodyStage } from '../../../src/exchange/body-stage.ts';
import type { LoadedBytes } from '../../../src/exchange/load-judge.ts';
import { Refusal } from '../../../src/ground/refusal.ts';
import { loadedArchive } from '../../../src/rules/namespaces/archives/loaded-archive.ts';
import { savedArchive } from '../../../src/rules/namespaces/archives/saved-archive.ts';
import type { BodySink } from '../../../src/wire/message.ts';
import { padded, printHeader } from '../../../src/wire/tar/tar-header.ts';
import { TarWalker } from '../../../src/wire/tar/tar-walker.ts';

const END = Buffer.alloc(1024);
const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const file = (name: string, content: Buffer | string): Buffer =>
  Buffer.concat([printHeader(name, Buffer.byteLength(content)), padded(Buffer.from(content))]);
const link = (name: string, target: string): Buffer => {
  const header = printHeader(name, 0);
  header.write('2', 156, 'latin1');
  header.write(target, 157, 'latin1');
  header.write('        ', 148, 'latin1');
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
};
/** With other bytes in its first header, and the sum that belongs to them. */
const altered = (entry: Buffer, bytes: Readonly<Record<number, string>>): Buffer => {
  for (const [at, text] of Object.entries(bytes)) entry.write(text, Number(at), 'latin1');
  entry.write('        ', 148, 'latin1');
  let sum = 0;
  for (const byte of entry.subarray(0, 512)) sum += byte;
  entry.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return entry;
};
const extension = (type: string, content: string): Buffer => altered(file('x', content), { 156: type });
const archive = (...entries: readonly Buffer[]): Buffer => Buffer.concat([...entries, END]);

/** Through the stage, in pieces of this size; the sink is slow. */
function pass(stage: BodyStage, bytes: Buffer, size: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    const target: BodySink = {
      onReady: null,
      write(chunk) {
        pieces.push(Buffer.from(chunk));
        setImmediate(() => target.onReady?.());
        return false;
      },
      end: () => resolve(Buffer.concat(pieces)),
      abort: reject,
    };
    const sink = stage(target, reject);
    let at = 0;
    const go = (): void => {
      while (at < bytes.length) {
        // As the wire does: the buffer is read over as soon as it is free.
        const chunk = Buffer.from(bytes.subarray(at, at + size));
        at += size;
        if (!sink.write(chunk)) return;
        chunk.fill(0x55);
      }
      sink.onReady = null;
      sink.end();
    };
    sink.onReady = go;
    go();
  });
}

async function filesIn(bytes: Buffer): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  await pass(
    (onward, fail) =>
      new TarWalker(
        onward,
        {
          treat: () => 'keep',
          read({ header, content }) {
            found[header.name] = content.toString('latin1');
            return null;
          },
          finish: async () => Buffer.alloc(0),
        },
        fail,
      ),
    bytes,
    4096,
  );
  return found;
}

const naming = (readsLayouts = false) => ({
  readsLayouts,
  name: async (text: string) => readReference(`127.0.0.1:5350/alice/${text}`) as ImageReference,
  loads: () => {},
  unnamed: () => readReference('127.0.0.1:5350/alice/u_image:x') as ImageReference,
  size: () => {},
});
const load = (bytes: Buffer, size = 4096, readsLayouts = false) =>
  pass(loadedArchive(naming(readsLayouts)), bytes, size);

const layer = Buffer.concat([file('etc/whose', 'mine'), END]);
const config = (...digests: readonly string[]): string =>
  JSON.stringify({ os: 'linux', rootfs: { type: 'layers', diff_ids: digests } });
const manifest = (...images: readonly object[]): Buffer => file('manifest.json', JSON.stringify(images));
const image = { Config: 'config.json', RepoTags: ['app:1'], Layers: ['a/layer.tar'] };

describe('a load', () => {
  test('comes to the engine with other names, in whatever pieces it comes, wherever its documents stand', async () => {
    const parts = [
      file('a/layer.tar', gzipSync(layer)),
      file('config.json', config(digestOf(layer))),
      manifest(image),
      file('repositories', '{}'),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3000 }),
        fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }),
        fc.boolean(),
        async (size, order, packed) => {
          const bytes = archive(...order.map((at) => parts[at] as Buffer));
          const files = await filesIn(await load(packed ? gzipSync(bytes) : bytes, size));
          expect(JSON.parse(files['manifest.json'] ?? '')).toEqual([
            { ...image, RepoTags: ['127.0.0.1:5350/alice/app:1'] },
          ]);
          expect(files.repositories).toBeUndefined();
          expect(Object.keys(files).at(-1)).toBe('manifest.json');
        },
      ),
      { numRuns: 40 },
    );
  });

  test('takes layers by links, as older engines save the same layer twice', async () => {
    const twice = { ...image, Layers: ['a/layer.tar', 'b/layer.tar'], RepoTags: null };
    const bytes = archive(
      file('a/layer.tar', layer),
      link('b/layer.tar', '../a/layer.tar'),
      file('config.json', config(digestOf(layer), digestOf(layer))),
      manifest(twice),
    );
    const files = await filesIn(await load(bytes));
    expect(JSON.parse(files['manifest.json'] ?? '')).toEqual([
      { Config: 'config.json', RepoTags: ['127.0.0.1:5350/alice/u_image:x'], Layers: ['a/layer.tar', 'a/layer.tar'] },
    ]);
  });

  test('is read as star writes it, where its names are short', async () => {
    const said = altered(file('config.json', config(digestOf(layer))), { 508: 'tar\0' });
    const files = await filesIn(await load(archive(file('a/layer.tar', layer), said, manifest(image))));
    expect(files['config.json']).toBe(config(digestOf(layer)));
  });

  test('sends no parent along: builds of others would take the image for a step of theirs', async () => {
    const bytes = archive(
      file('a/layer.tar', layer),
      file('config.json', config(digestOf(layer))),
      manifest({ ...image, Parent: digestOf(layer), LayerSources: {} }),
    );
    expect((await filesIn(await load(bytes)))['manifest.json']).not.toMatch(/Parent|LayerSources/);
  });

  test('is held to what an index says, where the engine reads layouts', async () => {
    const held = gzipSync(layer);
    const blob = (content: Buffer | string): Buffer =>
      file(`blobs/sha256/${digestOf(Buffer.from(content)).slice(7)}`, content);
    const part = (content: Buffer | string, more: object = {}) => ({
      mediaType: 'x',
      size: Buffer.byteLength(content),
      digest: digestOf(Buffer.from(content)),
      ...more,
    });
    const said = config(digestOf(layer));
    const one = JSON.stringify({ schemaVersion: 2, config: part(said), layers: [part(held)] });
    const several = JSON.stringify({ schemaVersion: 2, manifests: [part(one)] });
    const annotations = {
      'io.containerd.image.name': 'docker.io/library/app:1',
      'containerd.io/distribution.source.127.0.0.1': 'bob/x',
    };
    const index = file(
      'index.json',
      JSON.stringify({ schemaVersion: 2, manifests: [part(several, { annotations }), part(one)] }),
    );
    const layout = file('oci-layout', '{"imageLayoutVersion":"1.0.0"}');
    const all = [layout, index, blob(said), blob(held), blob(one), blob(several)];
    const files = await filesIn(await load(archive(...all), 999, true));
    expect(
      JSON.parse(files['index.json'] ?? '').manifests.map(({ annotations }: { annotations: object }) => annotations),
    ).toEqual([
      {
        'io.containerd.image.name': '127.0.0.1:5350/alice/docker.io/library/app:1',
        'org.opencontainers.image.ref.name': '1',
      },
      { 'io.containerd.image.name': '127.0.0.1:5350/alice/u_image:x', 'org.opencontainers.image.ref.name': 'x' },
    ]);
    for (const missing of [2, 3, 4, 5]) {
      await expect(load(archive(...all.filter((_, at) => at !== missing)), 4096, true)).rejects.toThrow(
        /does not hold|names sha256/,
      );
    }
    await expect(load(archive(...all))).rejects.toThrow(/is an OCI layout without a manifest.json/);
  });

  test('of what is much more when it is unpacked is ended while it comes, and no more of it is unpacked', async () => {
    const MOST = 4_000_000;
    const zeros = Buffer.alloc(64_000_000);
    const bombs: readonly (readonly [Buffer, 'archive' | 'contents'])[] = [
      [gzipSync(archive(file('a/layer.tar', zeros))), 'archive'],
      [archive(file('a/layer.tar', gzipSync(zeros)), file('b', Buffer.alloc(100_000))), 'contents'],
    ];
    for (const [bytes, what] of bombs) {
      const seen = { archive: 0, contents: 0 };
      const size = (now: LoadedBytes): void => {
        Object.assign(seen, now);
        if (now[what] > MOST) throw new Refusal('disk-full', 'too much');
      };
      await expect(pass(loadedArchive({ ...naming(), size }), bytes, 4096)).rejects.toThrow('too much');
      expect(seen[what]).toBeLessThan(MOST + 1_000_000);
      // The control: nobody minds.
      await expect(load(bytes)).rejects.toThrow(/manifest.json/);
    }
  });

  test.each([
    ['a layer that is not there', [file('config.json', config(digestOf(layer))), manifest(image)], /does not hold/],
    [
      'another layer than it says',
      [file('a/layer.tar', 'x'), file('config.json', config(digestOf(layer))), manifest(image)],
      /which it is not/,
    ],
    [
      'fewer layers than it says',
      [file('config.json', config(digestOf(layer))), manifest({ ...image, Layers: [] })],
      /says 1 layers/,
    ],
    ['a configuration that is not there', [file('a/layer.tar', layer), manifest(image)], /does not hold/],
    ['a file twice', [file('x', 'a'), file('./x', 'b'), manifest()], /holds "x" twice/],
    ['a path that is cleaned into a document', [manifest(), file('a/../manifest.json', '[]')], /twice/],
    // What Go's reader, and so the engine, calls otherwise than the headers seem to: another configuration than was read here.
    [
      'two headers for one entry, of which engines take the last',
      [extension('x', '10 path=a\n'), extension('x', '12 comment=\n'), file('config.json', '{}'), manifest()],
      /two headers/,
    ],
    [
      'a header of GNU whose times engines take for a beginning of the name',
      [altered(file('config.json', '{}'), { 257: 'ustar  \0', 345: 'folder' }), manifest()],
      /cannot be read/,
    ],
    [
      'a header of star, whose beginning of a name is shorter',
      [altered(file('config.json', '{}'), { 345: 'a'.repeat(155), 508: 'tar\0' }), manifest()],
      /star/,
    ],
    ['a long name that is empty', [extension('L', '\0'), file('config.json', '{}'), manifest()], /says nothing/],
    ['a path that no engine can unpack', [file('a/'.repeat(3000), ''), manifest()], /more than 4 KiB/],
    ['a file behind a link', [link('a', '.'), file('a/manifest.json', '[]')], /behind "a"/],
    [
      'a layer that is packed by xz',
      [
        file('a/layer.tar', Buffer.from('fd377a585a000000', 'hex')),
        file('config.json', config(digestOf(layer))),
        manifest(image),
      ],
      /not read here/,
    ],
  ])('of %s is refused', async (_what, entries, words) => {
    await expect(load(archive(...entries))).rejects.toThrow(words);
  });
});

test('a save comes to the client in the client’s names, and otherwise as it is', async () => {
  const told = (name: string) => (name.startsWith('engine/') ? name.slice(7) : undefined);
  const entries = [
    file('blobs/sha256/aa', layer),
    file(
      'manifest.json',
      JSON.stringify([{ Config: 'c', RepoTags: ['engine/app:1', 'other/app:1'], Layers: [], LayerSources: { a: 1 } }]),
    ),
    file('repositories', JSON.stringify({ 'engine/app': { 1: 'aa' }, 'other/app': { 1: 'bb' } })),
    file(
      'index.json',
      JSON.stringify({
        manifests: [
          {
            digest: 'd',
            annotations: {
              'io.containerd.image.name': 'engine/app:1',
              'org.opencontainers.image.ref.name': '1',
              'containerd.io/distribution.source.127.0.0.1': 'bob/x',
            },
          },
        ],
      }),
    ),
    file('other', 'engine/app:1'),
  ];
  for (const size of [1, 511, 4096, 1_000_000]) {
    const files = await filesIn(await pass(savedArchive(told), archive(...entries), size));
    expect(JSON.parse(files['manifest.json'] ?? '')).toEqual([
      { Config: 'c', RepoTags: ['app:1'], Layers: [], LayerSources: { a: 1 } },
    ]);
    expect(JSON.parse(files.repositories ?? '')).toEqual({ app: { 1: 'aa' } });
    expect(JSON.parse(files['index.json'] ?? '').manifests[0].annotations).toEqual({
      'io.containerd.image.name': 'docker.io/library/app:1',
      'org.opencontainers.image.ref.name': '1',
    });
    expect(files['blobs/sha256/aa']).toBe(layer.toString('latin1'));
    expect(files.other).toBe('engine/app:1');
  }
});
