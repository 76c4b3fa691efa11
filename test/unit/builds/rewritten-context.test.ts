// A context whose Dockerfile the engine reads in other words: what an engine would have of it after its own removals.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isIgnored } from '../../../src/builds/context/ignored.ts';
import { rewrittenContext } from '../../../src/builds/context/rewritten-context.ts';
import type { BodySink } from '../../../src/wire/message.ts';
import { TarFault } from '../../../src/wire/tar/tar-header.ts';
import { archive, type Made } from '../../engine/archive.ts';

const SENT_AS = 'Dockerfile.sent.log';

/** The entries that come to the engine, by name: the last one of a name counts. */
async function pass(files: readonly Made[], dockerfile = '', pieceBytes = 700): Promise<ReadonlyMap<string, string>> {
  const context = archive(files);
  const sent = await new Promise<Buffer>((resolve, reject) => {
    const pieces: Buffer[] = [];
    const target: BodySink = {
      onReady: null,
      write: (chunk) => pieces.push(Buffer.from(chunk)) > 0,
      end: () => resolve(Buffer.concat(pieces)),
      abort: reject,
    };
    const rewrite = async (file: string): Promise<string> => file.replaceAll('a', 'engine.example/a');
    const sink = rewrittenContext(target, { dockerfile, sentAs: SENT_AS, rewrite }, reject);
    for (let at = 0; at < context.length; at += pieceBytes) sink.write(context.subarray(at, at + pieceBytes));
    sink.end();
  });
  const entries = new Map<string, string>();
  for (let at = 0; sent[at] !== 0; ) {
    const text = (from: number, to: number): string =>
      sent.toString('utf8', at + from, at + to).replace(/\0[\s\S]*/, '');
    const size = Number.parseInt(text(124, 136), 8);
    entries.set(text(0, 100), sent.toString('utf8', at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return entries;
}

/** What an engine leaves of the context for COPY. */
function built(sent: ReadonlyMap<string, string>, dockerfile: string): ReadonlyMap<string, string> {
  const ignore = sent.get('.dockerignore');
  const removed = ignore === undefined ? [] : ['.dockerignore', dockerfile].filter((path) => isIgnored(ignore, path));
  return new Map([...sent].filter(([path]) => !removed.includes(path)).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const many = <T>(count: number, one: (at: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, at) => one(at));

const made = (files: Readonly<Record<string, string>>): readonly Made[] =>
  Object.entries(files).map(([name, content]) => ({ name, content }));

describe('a context of another Dockerfile', () => {
  test('brings it at the end, and leaves everything else to images as it was', async () => {
    const ignores = [
      'Dockerfile\n',
      '*.log\n',
      '*\n!x\n',
      '.dockerignore\n',
      '# Dockerfile\nx',
      'D*\n!Dockerfile\n',
      '',
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.option(fc.constantFrom(...ignores), { nil: null }),
        fc.boolean(),
        fc.integer({ min: 1, max: 1500 }),
        async (ignore, first, pieceBytes) => {
          const files = {
            x: 'x',
            ...(ignore === null ? {} : { '.dockerignore': ignore }),
            Dockerfile: 'FROM a\n',
            'y/Dockerfile': 'FROM b\n',
          };
          const order = first ? made(files) : [...made(files)].reverse();
          const sent = await pass(order, '', pieceBytes);
          expect([...sent].at(-1)).toEqual([SENT_AS, 'FROM engine.example/a\n']);
          const direct = new Map(built(new Map(order.map(({ name, content = '' }) => [name, content])), 'Dockerfile'));
          const through = new Map(built(sent, SENT_AS));
          // What stays of the patterns themselves says one name more.
          const ignored = through.get('.dockerignore');
          if (ignored !== undefined) through.set('.dockerignore', ignored.replace(`\n${SENT_AS}\n`, ''));
          if (ignored !== undefined && !isIgnored(ignore ?? '', SENT_AS))
            expect(ignored).toBe(`${ignore}\n${SENT_AS}\n`);
          expect(through).toEqual(direct);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('reads the file that the call names, and the last one of a name', async () => {
    const sent = await pass(
      [
        { name: 'b/x', content: 'FROM c\n' },
        { name: './b/x', content: 'FROM a\n' },
        { name: 'Dockerfile', content: 'FROM d\n' },
      ],
      'b/x',
    );
    expect(sent.get(SENT_AS)).toBe('FROM engine.example/a\n');
    expect([sent.get('./b/x') ?? sent.get('b/x'), sent.get('Dockerfile')]).toEqual(['FROM a\n', 'FROM d\n']);
  });

  test.each<readonly [string, readonly Made[]]>([
    [
      'under too many names',
      many(9, (at) => [
        { name: `l${at}`, type: '2', link: '.' },
        { name: `l${at}/Dockerfile`, content: 'FROM a\n' },
      ]).flat(),
    ],
    ['a hard link to its Dockerfile', [{ name: 'y', type: '1', link: 'Dockerfile' }]],
    ['something else than a file', [{ name: '.dockerignore', type: '2', link: 'x' }]],
    ['.dockerignore of more', [{ name: '.dockerignore', content: ' '.repeat(1024 * 1024 + 1) }]],
  ])('is refused with %s', async (words, files) => {
    await expect(pass([{ name: 'Dockerfile', content: 'FROM a\n' }, ...files])).rejects.toThrow(words);
  });
});

test.each([
  ['Dockerfile', 'Dockerfile', true],
  ['Dockerfile*', 'Dockerfile.log', true],
  ['*.log', 'a/b.log', false],
  ['**/*.log', 'a/b.log', true],
  ['**/*.log', 'b.log', true],
  ['a', 'a/b', true],
  ['a/**', 'a/b/c', true],
  ['/a', 'a', true],
  ['./a/../b', 'b', true],
  ['*\n!b', 'b', false],
  ['!b\n*', 'b', true],
  ['*\n!a/b', 'a/c', true],
  [' a \r\n', 'a', true],
  ['#a\n #b', 'a', false],
  ['\ufeffa', 'a', true],
  ['a?c', 'abc', true],
  ['a[b-d]c', 'acc', true],
  ['a[^b-d]c', 'acc', false],
  ['a[-b]c', 'a-c', true],
  ['a[b-]c', 'a-c', true],
  ['a[xb-d0-9]c', 'a5c', true],
  ['a[z-a]c', 'abc', false],
  ['a[z-a]c\na*', 'abc', true],
  ['a[^]c', 'abc', true],
  ['a[]c', 'a]c', false],
  ['a\\*', 'a*', true],
  ['a.c', 'abc', false],
  ['**', 'a', true],
  ['a**c', 'a/b/c', true],
])('the pattern %j leaves out %j: %j', (patterns, path, ignored) => {
  expect(isIgnored(patterns, path)).toBe(ignored);
});

test('patterns that can mean much cost no more than others, and a file of them is not read without end', () => {
  const path = `${'ab'.repeat(20)}/${'ab'.repeat(20)}`;
  for (const pattern of ['*?'.repeat(30), '*a*b'.repeat(15), '**/*a'.repeat(20), '**a'.repeat(20)]) {
    expect(isIgnored(`${pattern}c`, path)).toBe(false);
    expect(isIgnored(`${pattern.slice(0, pattern.length / 10)}**`, path)).toBe(true);
  }
  const long = `${'*a'.repeat(1000)}c\n`.repeat(500);
  expect(isIgnored(long, 'b')).toBe(false);
  expect(() => isIgnored(long, 'a'.repeat(4000))).toThrow(TarFault);
});
