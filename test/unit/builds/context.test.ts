// Build contexts on their way: nothing changes but the end, and what engines could read otherwise is refused.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judgedContext } from '../../../src/builds/context/judged-context.ts';
import type { BodySink } from '../../../src/wire/message.ts';
import { archive, type Made, pax } from '../../engine/archive.ts';

interface Passed {
  /** Null where the context was refused. */
  readonly sent: Buffer | null;
  readonly judged: string | null;
  readonly fault: string | null;
}

/** The context in pieces of that size, through a sink that is full after each write. */
async function pass(context: Buffer, dockerfile = '', pieceBytes = 100_000): Promise<Passed> {
  const sent: Buffer[] = [];
  let judged: string | null = null;
  let onReady = (): void => {};
  return new Promise((resolve) => {
    const target: BodySink = {
      onReady: null,
      write(chunk) {
        sent.push(Buffer.from(chunk));
        setImmediate(() => target.onReady?.());
        return false;
      },
      end: () => resolve({ sent: Buffer.concat(sent), judged, fault: null }),
      abort: (cause) => resolve({ sent: null, judged, fault: cause.message }),
    };
    const judge = async (file: string): Promise<void> => {
      judged = file;
    };
    let failed = false;
    const sink = judgedContext(target, { dockerfile, judge }, (fault) => {
      failed = true;
      resolve({ sent: null, judged, fault: (fault as Error).message });
    });
    sink.onReady = () => onReady();
    const feed = async (): Promise<void> => {
      for (let at = 0; at < context.length && !failed; at += pieceBytes) {
        const ready = new Promise<void>((done) => {
          onReady = done;
        });
        if (!sink.write(context.subarray(at, at + pieceBytes))) await ready;
      }
      if (!failed) sink.end();
    };
    void feed();
  });
}

const dockerfile: Made = { name: 'Dockerfile', content: 'FROM a\n' };
const END = Buffer.alloc(1024);

describe('a context', () => {
  test('passes byte by byte, in pieces of any size, and ends with the Dockerfile that was judged', async () => {
    const name = fc.constantFrom('a', 'b/c', `${'long/'.repeat(40)}x`, 'é', 'Dockerfile2');
    const content = fc.oneof(fc.string({ maxLength: 30 }), fc.constantFrom('x'.repeat(512), 'y'.repeat(1500)));
    const entry: fc.Arbitrary<Made> = fc.record({ name, content, longBy: fc.constantFrom('pax', 'gnu') });
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 6 }),
        fc.array(entry, { maxLength: 4 }),
        fc.integer({ min: 1, max: 2000 }),
        async (before, after, pieceBytes) => {
          const body = archive([...before, dockerfile, ...after], false);
          const { sent, judged, fault } = await pass(Buffer.concat([body, END, END]), '', pieceBytes);
          expect(fault).toBeNull();
          expect(judged).toBe('FROM a\n');
          expect(sent?.equals(Buffer.concat([body, archive([dockerfile], false), END]))).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('is unpacked when it is packed, also in several members', async () => {
    const body = archive([dockerfile], false);
    const whole = Buffer.concat([body, END]);
    const packed = Buffer.concat([gzipSync(whole.subarray(0, 700)), gzipSync(whole.subarray(700))]);
    for (const pieceBytes of [1, 7, 100_000]) {
      const { sent } = await pass(packed, '', pieceBytes);
      expect(sent?.equals(Buffer.concat([body, archive([dockerfile], false), END]))).toBe(true);
    }
  });

  test.each(['bzip2', 'xz', 'zstd'] as const)(
    'is unpacked when it is packed by %s, which has to be there',
    async (by) => {
      const large: Made = { name: 'large', content: randomBytes(700_000).toString('latin1') };
      const body = archive([large, dockerfile], false);
      const packed = packedBy(by, Buffer.concat([body, END]));
      if (packed === null) return;
      for (const pieceBytes of [997, 100_000]) {
        const { sent, fault } = await pass(packed, '', pieceBytes);
        expect(fault).toBeNull();
        expect(sent?.equals(Buffer.concat([body, archive([dockerfile], false), END]))).toBe(true);
      }
      expect((await pass(packed.subarray(0, packed.length / 2))).fault).toMatch(/cannot be unpacked/);
      if (by === 'zstd') return;
      const { PATH } = process.env;
      process.env.PATH = '/nowhere';
      try {
        expect((await pass(packed)).fault).toContain(`the program ${by} is missing here: pack it with gzip`);
      } finally {
        process.env.PATH = PATH;
      }
    },
  );
});

/** Null where the program is not here. */
function packedBy(program: string, bytes: Buffer): Buffer | null {
  const { status, stdout } = spawnSync(program, ['-c', '-1'], { input: bytes, maxBuffer: 1e9 });
  return status === 0 ? stdout : null;
}

describe('of several files that could be it', () => {
  const other: Made = { name: 'Dockerfile', content: 'FROM b\n' };
  const cases: readonly (readonly [string, readonly Made[], string, string])[] = [
    ['the last one of that name counts', [dockerfile, other], '', 'FROM b\n'],
    [
      'other spellings are the same name',
      [dockerfile, { name: './/x/../Dockerfile', content: 'FROM c\n' }],
      '',
      'FROM c\n',
    ],
    [
      'a name of PAX counts',
      [dockerfile, { ...other, name: 'x', extension: pax({ path: 'Dockerfile' }) }],
      '',
      'FROM b\n',
    ],
    [
      'a name of PAX counts, that leads away',
      [dockerfile, { ...other, extension: pax({ path: 'x' }) }],
      '',
      'FROM a\n',
    ],
    ['lower case where there is no other', [{ name: 'dockerfile', content: 'FROM l\n' }], '', 'FROM l\n'],
    ['lower case only then', [{ name: 'dockerfile', content: 'FROM l\n' }, dockerfile], '', 'FROM a\n'],
    [
      'the one that is named',
      [dockerfile, { name: 'd/x.Dockerfile', content: 'FROM d\n' }],
      'd//x.Dockerfile',
      'FROM d\n',
    ],
    [
      'a link is followed',
      [
        { name: 'd/Dockerfile.x', content: 'FROM d\n' },
        { name: 'Dockerfile', type: '2', link: 'd/./Dockerfile.x' },
      ],
      '',
      'FROM d\n',
    ],
    [
      'a link of a link, from the root',
      [
        { name: 'd/Dockerfile.x', content: 'FROM d\n' },
        { name: 'e', type: '2', link: '/d' },
        { name: 'Dockerfile', type: '2', link: 'e/Dockerfile.x' },
      ],
      '',
      'FROM d\n',
    ],
    [
      'what is written through a link',
      [dockerfile, { name: 'e', type: '2', link: '.' }, { name: 'e/Dockerfile', content: 'FROM e\n' }],
      '',
      'FROM e\n',
    ],
    [
      'a hard link',
      [
        { name: 'Dockerfile.x', content: 'FROM h\n' },
        { name: 'Dockerfile', type: '1', link: 'Dockerfile.x' },
      ],
      '',
      'FROM h\n',
    ],
    ['what replaces a link', [{ name: 'Dockerfile', type: '2', link: 'x' }, dockerfile], '', 'FROM a\n'],
    [
      'what stands in a folder that is replaced is gone',
      [
        { name: 'd/Dockerfile', content: 'FROM d\n' },
        { name: 'd', type: '2', link: 'f' },
        { name: 'f/Dockerfile', content: 'FROM f\n' },
      ],
      'd/Dockerfile',
      'FROM f\n',
    ],
  ];
  test.for(cases)('%s', async ([, files, named, expected]) => {
    const passed = await pass(archive(files), named);
    expect(passed).toMatchObject({ judged: expected, fault: null });
    // It is the last entry, under the name that the engine looks for.
    const content = Buffer.from(expected);
    expect(passed.sent?.subarray(-1024 - 512).subarray(0, content.length)).toEqual(content);
  });
});

describe('what would keep everybody else waiting, or fill the memory, is refused', () => {
  const link = (name: string, linkpath: string): Made => ({ name, type: '2', extension: pax({ linkpath }) });
  const files = (count: number, folder: string): Made[] =>
    Array.from({ length: count }, (_, i) => ({ name: `${folder}/${i}`, content: '' }));
  // As long as Linux takes them, each leading to the next one.
  const chain = Array.from({ length: 250 }, (_, i) => link(`l${i}`, `${'z/../'.repeat(800)}l${i + 1}`));
  const deep = 'a/'.repeat(2000);
  const deepLinks = (count: number): Made[] =>
    Array.from({ length: count }, (_, i) => ({ name: `${i}/${deep}l`, type: '2', link: 'x', longBy: 'gnu' }));
  const cases: readonly (readonly [string, readonly Made[], RegExp | null])[] = [
    ['a name of more than 4 KiB', [{ name: `${deep}${deep}${deep}`, type: '5' }], /path of more than 4 KiB/],
    ['a link of more than 4 KiB', [link('l', 'x/'.repeat(2500))], /path of more than 4 KiB/],
    ['files behind long links', [...chain, ...files(4, 'l0')], /too many names behind links/],
    ['the control: beside them', [...chain, ...files(2000, 'l')], null],
    ['links in deep folders', deepLinks(120), /too many links/],
    ['the control: less of them', deepLinks(20), null],
  ];
  test.for(cases)('%s', async ([, made, expected]) => {
    const { fault } = await pass(archive([dockerfile, ...made]));
    if (expected === null) expect(fault).toBeNull();
    else expect(fault).toMatch(expected);
  });

  test('files that a link might make the Dockerfile are kept with their headers up to 4 MiB, and no longer', async () => {
    const extension = pax({ comment: 'x'.repeat(900_000) });
    const candidates = Array.from({ length: 6 }, (_, i) => ({ name: `docker${i}`, content: 'FROM a\n', extension }));
    const linked = (link: string): Buffer => archive([...candidates, { name: 'Dockerfile', type: '2', link }]);
    expect(await pass(linked('docker0'))).toMatchObject({ judged: 'FROM a\n', fault: null });
    expect((await pass(linked('docker5'))).fault).toContain('name that file');
  });

  test('a Dockerfile that is replaced is kept under its other names up to 4 MiB, and no longer', async () => {
    const large = (image: string): Made => ({ name: 'Dockerfile', content: `FROM ${image}\n${'#'.repeat(1_000_000)}` });
    const context = Array.from({ length: 6 }, (_, i) => [
      large(`a${i}`),
      { name: `x${i}`, type: '1', link: 'Dockerfile' },
    ]);
    const linked = (link: string): Buffer => archive([...context.flat(), { name: 'Dockerfile', type: '2', link }]);
    expect((await pass(linked('x0'))).judged).toMatch(/^FROM a0\n/);
    expect((await pass(linked('x5'))).fault).toContain('name the file itself');
  });

  test('what was in a folder that is replaced is forgotten, and nothing beside it', async () => {
    const from = (name: string, image: string): Made => ({ name, content: `FROM ${image}\n` });
    const context = [from('d/docker', 'd'), from('dd/docker', 'dd'), { name: 'd' }, { name: 'd/', type: '5' }];
    const linked = (link: string): Buffer => archive([...context, { name: 'Dockerfile', type: '2', link }]);
    expect((await pass(linked('dd/docker'))).judged).toBe('FROM dd\n');
    expect((await pass(linked('d/docker'))).fault).toContain('not followed');
  });
});

test.each([512 + 7, 700, 1023])(
  'a context without the padding of its last entry passes whole: %i bytes',
  async (bytes) => {
    const cut = archive([dockerfile], false).subarray(0, bytes);
    const passed = await pass(cut);
    expect(passed).toMatchObject({ judged: 'FROM a\n', fault: null });
    expect(passed.sent).toEqual((await pass(archive([dockerfile]))).sent);
  },
);

describe('what could be read in two ways is refused', () => {
  const one = archive([dockerfile], false);
  const named = (header: Made): Buffer => archive([header, dockerfile]);
  const cases: readonly (readonly [string, Buffer, RegExp])[] = [
    ['no tar', Buffer.from('FROM a\n'.repeat(200)), /cannot be read|is no tar/],
    ['a tar that was cut off', one.subarray(0, 512 + 6), /ends before/],
    ['a header that was cut off', one.subarray(0, 300), /ends before/],
    [
      'one block of zeros with more behind it',
      Buffer.concat([one, Buffer.alloc(512), archive([dockerfile])]),
      /behind its end/,
    ],
    [
      'a header for an entry that does not come',
      Buffer.concat([one, pax({ path: 'Dockerfile' }), END]),
      /ends behind a header/,
    ],
    ['a header for the entry that we would add', Buffer.concat([one, pax({ path: 'x' })]), /ends before|ends behind/],
    [
      'two sizes',
      named({ name: 'x', content: 'y', extension: Buffer.concat([pax({ size: '1' }), pax({ size: '2' })]) }),
      /two headers/,
    ],
    [
      'two names of two kinds',
      named({ name: 'a'.repeat(150), longBy: 'gnu', content: '', extension: pax({ path: 'b' }) }),
      /says twice/,
    ],
    ['a sparse file', named({ name: 'x', content: 'y', extension: pax({ 'GNU.sparse.major': '1' }) }), /sparse/],
    ['a sparse file of old', named({ name: 'x', type: 'S', content: 'y' }), /type "S"/],
    ['a link with contents', named({ name: 'x', type: '2', link: 'y', content: 'z' }), /has contents/],
    ['a folder with contents', named({ name: 'x/', content: 'z' }), /has contents/],
    ['a size that is no number', named({ name: 'x', content: '', size: '0x10' }), /size cannot be read/],
    [
      'a record that is longer than it says',
      named({ name: 'x', content: '', extension: pax({}, '9 path=xx\n\n') }),
      /broken header/,
    ],
    ['a wrong sum', corrupted(one), /is no tar/],
    ['packed twice', gzipSync(gzipSync(Buffer.concat([one, randomBytes(2000)]))), /packed twice/],
    ['another packing', Buffer.from('BZh91AY&SY'), /no whole stream of bzip2/],
    ['a name that is the mark of a packing', named({ name: 'BZh', content: '' }), /bzip2/],
    ['a name that is one, packed', gzipSync(archive([{ name: 'BZh', content: '' }, dockerfile])), /packed twice/],
    ['packed and broken', gzipSync(one).subarray(0, 40), /unpacked/],
    ['no Dockerfile', archive([{ name: 'x', content: '' }]), /Cannot locate specified Dockerfile: Dockerfile/],
    ['nothing', Buffer.alloc(0), /Cannot locate/],
    ['a link to what is not there', archive([{ name: 'Dockerfile', type: '2', link: 'x' }]), /not followed/],
    ['links in a circle', archive([{ name: 'Dockerfile', type: '2', link: 'Dockerfile' }]), /not followed/],
    ['a huge Dockerfile', archive([{ name: 'Dockerfile', content: '#'.repeat(2_000_000) }]), /1 MiB/],
    [
      'lower case beside links',
      archive([
        { name: 'dockerfile', content: 'FROM a\n' },
        { name: 'x', type: '2', link: 'y' },
      ]),
      /Cannot locate/,
    ],
  ];
  test.for(cases)('%s', async ([, context, expected]) => {
    for (const pieceBytes of [100_000, 13]) {
      const { sent, fault } = await pass(context, '', pieceBytes);
      expect(sent).toBeNull();
      expect(fault).toMatch(expected);
    }
  });

  test('a Dockerfile outside of the context', async () => {
    expect(() => judgedContext({} as BodySink, { dockerfile: '../x', judge: async () => {} }, () => {})).toThrow(
      /outside/,
    );
  });

  function corrupted(tar: Buffer): Buffer {
    const bytes = Buffer.from(tar);
    bytes[0] = 0x45;
    return bytes;
  }
});
