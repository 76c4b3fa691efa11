// What a Dockerfile takes from elsewhere, and other names written into it.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Dialect, dialectsOf } from '../../../src/builds/dockerfile/dialect.ts';
import { rewriteNames } from '../../../src/builds/dockerfile/rewrite.ts';
import { type NamedSource, readSources } from '../../../src/builds/dockerfile/sources.ts';
import { OverrunFault } from '../../../src/builds/dockerfile/work.ts';
import type { BuildBase } from '../../../src/exchange/build-judge.ts';

const [newest] = dialectsOf(51) as [Dialect];

interface Found {
  readonly images: readonly NamedSource[];
  readonly addresses: readonly string[];
  readonly platforms: readonly (string | null)[];
  readonly labels: readonly string[];
}

async function sourcesOf(
  file: string,
  args: Readonly<Record<string, string | null>> = {},
  bases: Readonly<Record<string, BuildBase>> = {},
  dialect: Dialect = newest,
): Promise<Found> {
  const images: NamedSource[] = [];
  const addresses: string[] = [];
  const platforms: (string | null)[] = [];
  const labels: string[] = [];
  await readSources(
    Buffer.from(file).toString('latin1'),
    { dialect, arguments: new Map(Object.entries(args)) },
    {
      image: (source) => {
        images.push(source);
      },
      base: (source, platform) => {
        images.push(source);
        platforms.push(platform);
        return bases[source.text] ?? null;
      },
      address: (text, line, certain) => {
        addresses.push(`${line} ${text}${certain ? '' : ' ?'}`);
      },
      label: (key, line) => {
        labels.push(`${line} ${key}`);
      },
    },
  );
  return { images, addresses, platforms, labels };
}

async function namesIn(...said: Parameters<typeof sourcesOf>): Promise<readonly string[]> {
  return (await sourcesOf(...said)).images.map(({ use, line, text }) => `${line} ${use} ${text}`);
}

describe('what would keep everybody else waiting is not read', () => {
  const long = `ENV A=${'a'.repeat(50_000)}`;
  const variables = Array.from({ length: 2000 }, (_, i) => `ENV a${i} 1\n`).join('');
  const cases: readonly (readonly [string, string])[] = [
    ['variables that double', `ENV A=aaaaaaaa\n${'ENV A=$A$A\n'.repeat(30)}`],
    ['variables that double in quotes', `ENV A=aaaaaaaa\n${'ENV A="$A$A"\n'.repeat(30)}`],
    ['a pattern of many stars', `${long}\nENV B=\${A#*a*a*a*a*a*a*b}\n`],
    ['a pattern of many stars, from the end', `${long}\nENV B=\${A%b*a*a*a*a*a*a*}\n`],
    ['a pattern that is looked for everywhere', `${long}\nENV B=\${A//a*b/c}\n`],
    ['much in place of little', `${long}\nENV B=\${A//a/${'b'.repeat(10_000)}}\n`],
    ['a pattern that is long', `${long}\nENV B=\${A#${'b'.repeat(5000)}}\n`],
    ['defaults of defaults', `ENV a=${'${a:-'.repeat(50)}x${'}'.repeat(50)}\n`],
    ['here-documents of such', `RUN <<${'${a:-'.repeat(50)}x${'}'.repeat(50)}\n`],
    ['many variables in many stages', `FROM x AS a\n${variables}${'FROM a\n'.repeat(500)}`],
    ['many images', Array.from({ length: 251 }, (_, i) => `FROM x${i}\n`).join('')],
    ['many images of mounts', `RUN ${Array.from({ length: 251 }, (_, i) => `--mount=from=x${i} `).join('')} true\n`],
    ['an image for many platforms', Array.from({ length: 251 }, (_, i) => `FROM --platform=x${i} y\n`).join('')],
    ['many triggers in many stages', `FROM x AS a\n${'ONBUILD ENV a 1\n'.repeat(500)}${'FROM a\n'.repeat(500)}`],
  ];
  test.for(cases)('%s', async ([, file]) => {
    await expect(sourcesOf(`FROM x\n${file}`)).rejects.toThrow(OverrunFault);
  });

  test('the control: the same image is named as often as anybody likes', async () => {
    expect(await namesIn('FROM x\nCOPY --from=y . .\n'.repeat(1000))).toHaveLength(2000);
  });

  test('the control: of each a little', async () => {
    const file = `ARG A=aaab
FROM x AS a
ARG A
ENV B="$A$A" C=\${A#*a*a} D=\${A%a*} E=\${A//a*b/c} F=\${A//a/xyz} G=\${a:-\${b:-y}}
ONBUILD ENV H=h
FROM a
ADD $B/$C/$D/$E/$F/$G/$H git@$B$C$D$E$F$G$H /
`;
    const base = { env: [], onBuild: [] };
    expect((await sourcesOf(file, {}, { x: base })).addresses).toEqual(['7 git@aaabaaababaacxyzxyzxyzbyh']);
  });

  test('the variables of one line do not see each other', async () => {
    const file = 'ARG a=1 b=$a\nFROM x:$a$b\nARG c=2 d=$c\nENV e=3 f=$e\nADD git@$c-$d-$e-$f /\n';
    const { images, addresses } = await sourcesOf(file, {}, { 'x:1': { env: [], onBuild: [] } });
    expect([images[0]?.text, addresses]).toEqual(['x:1', ['5 git@2--3-']]);
  });
});

test('keys of labels are told with their variables, those of triggers too', async () => {
  const file = 'FROM x\nARG V=v\nLABEL a=1 "b c"="LABEL d=2" \\\n  ${V}.e=3\nLABEL old way\nRUN LABEL=1\n';
  const { labels } = await sourcesOf(file, {}, { x: { env: [], onBuild: ['LABEL t=1'] } });
  expect(labels).toEqual(['1 t', '3 a', '3 b c', '3 v.e', '5 old']);
});

describe('images', () => {
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ['a plain base', 'FROM debian:12\nRUN true\n', ['1 from debian:12']],
    ['in any case, with comments before', '# hello\n\n  from   debian  As  Base\n', ['3 from debian']],
    ['stages by name and number', 'FROM a AS One\nFROM one\nCOPY --from=ONE / /\nCOPY --from=0 / /\n', ['1 from a']],
    [
      'a stage of later on is an image',
      'FROM a\nCOPY --from=b / /\nFROM c AS b\n',
      ['1 from a', '2 copy b', '3 from c'],
    ],
    ['scratch', 'FROM scratch\nCOPY --from=busybox:1 /bin /bin\n', ['2 copy busybox:1']],
    [
      'a number is no image but a stage, unless it is too large',
      'FROM a\nCOPY --from=7 / /\nCOPY --from=99999999999999999999 / /\n',
      ['1 from a', '3 copy 99999999999999999999'],
    ],
    ['an argument with its default', 'ARG V=12\nARG I="debian:${V}"\nFROM $I\n', ['3 from debian:12']],
    ['modifiers', 'ARG E=\nFROM ${E:-a}${X:+b}${X-c}:${Y:-1}\n', ['2 from ac:1']],
    ['a part of an argument', 'ARG V=3.12.1-slim\nFROM python:${V%%-*}${V#*.12}\n', ['2 from python:3.12.1.1-slim']],
    ['arguments of a stage do not count for FROM', 'FROM a\nARG V=x\nFROM b$V\n', ['1 from a', '3 from b']],
    [
      'what an escape token says',
      '# escape=`\nFROM `\n  debian:12\nCOPY --from=c:\\x / /\n',
      ['2 from debian:12', '4 copy c:\\x'],
    ],
    ['a name that goes on in the next line', 'FROM deb\\\n# not this\n\nian:12\n', ['1 from debian:12']],
    [
      'a flag in quotes and with an escape',
      'FROM a\nCOPY --from="x y" --chown=1 a b\nCOPY --fr\\om=q a b\n',
      ['1 from a', '2 copy x y', '3 copy q'],
    ],
    ['behind -- nothing is a flag', 'FROM a\nCOPY -- --from=b c\n', ['1 from a']],
    ['what only looks like an instruction', 'FROM a\nRUN echo \\\n FROM b\n# FROM c\nCMD ["FROM d"]\n', ['1 from a']],
    [
      'mounts',
      'FROM a\nRUN --mount=type=bind,from=b,target=/x --mount=from=0,target=/y true\n',
      ['1 from a', '2 mount b'],
    ],
    [
      'heredocs are no instructions',
      'FROM a\nRUN cat <<EOF <<-"B"\nFROM b\nEOF\n\tB\nCOPY --from=c / /\n',
      ['1 from a', '6 copy c'],
    ],
    [
      'a mark at the beginning, and other line ends',
      '\ufeffFROM a\r\nCOPY \\\r\n --from=b / /\r\n',
      ['1 from a', '2 copy b'],
    ],
    ['triggers of an earlier stage', 'FROM a AS x\nONBUILD COPY --from=b / /\nFROM x\n', ['1 from a', '3 copy b']],
  ];
  test.for(cases)('%s', async ([, file, expected]) => {
    expect(await namesIn(file)).toEqual(expected);
  });

  test('an engine without heredocs takes their lines for instructions', async () => {
    const file = 'FROM a\nRUN cat <<EOF\nFROM b\nEOF\n';
    expect(await namesIn(file, {}, {}, dialectsOf(41)[0])).toEqual(['1 from a', '3 from b']);
    expect(await namesIn(file)).toEqual(['1 from a']);
  });

  test('arguments of the call win over defaults, and one without a value does not', async () => {
    expect(await namesIn('ARG V=1\nFROM a:$V\n', { V: '2' })).toEqual(['2 from a:2']);
    expect(await namesIn('ARG V=1\nFROM a:$V\n', { V: null })).toEqual(['2 from a:1']);
    expect(await namesIn('FROM a$V\n', { V: '2' })).toEqual(['1 from a']);
    expect(await namesIn('FROM a$HTTP_PROXY\n', { HTTP_PROXY: 'b' })).toEqual(['1 from ab']);
  });

  test('triggers of a base image are steps of the build', async () => {
    const base = { env: [], onBuild: ['COPY --from=secret / /', 'ADD http://10.0.0.1/ /x'] };
    expect(await sourcesOf('FROM a AS b\nFROM b\n', {}, { a: base })).toMatchObject({
      images: [{ text: 'a' }, { use: 'copy', text: 'secret', line: 1, edit: null }],
      addresses: ['1 http://10.0.0.1/'],
    });
  });

  test('a platform is told with its variables put in', async () => {
    expect((await sourcesOf('ARG P=linux/arm64\nFROM --platform=$P a\n')).platforms).toEqual(['linux/arm64']);
  });

  test.for([
    ['FROM a b\n', /one or three/],
    ['FROM\n', /one or three/],
    ['FROM $X\n', /blank/],
    ['FROM ${X?none}\n', /none/],
    ['# escape=x\nFROM a\n', /escape token/],
    ['# escape=`\n# escape=`\nFROM a\n', /only one/],
    ['FROM a\nRUN <<EOF\n', /unterminated/],
    [`FROM a\nRUN ${'x'.repeat(70_000)}\n`, /longer/],
  ] as const)('%j is refused, as engines refuse it', async ([file, message]) => {
    await expect(sourcesOf(file)).rejects.toThrow(message);
  });
});

describe('addresses', () => {
  test('of ADD, also by variables of the stage and of the base image', async () => {
    const file = [
      'ARG U=http://a/',
      'FROM base',
      'ADD https://a.example.org/x http://b/y local /d',
      'ARG U',
      'ADD ${U}z /d',
      'ENV W=ht X="${U}w"',
      'ADD ["${X}", "/d"]',
      'ADD $FROM_BASE /d',
      'ADD ./$UNKNOWN $UNKNOWN /d',
      'ADD git@h.example.org:r.git /d',
      'COPY http://not.fetched/ /d',
    ].join('\n');
    const base = { env: ['FROM_BASE=http://c/', 'PATH=/bin'], onBuild: [] };
    const known = [
      '3 https://a.example.org/x',
      '3 http://b/y',
      '5 http://a/z',
      '7 http://a/w',
      '8 http://c/',
      '10 git@h.example.org:r.git',
    ];
    expect((await sourcesOf(file, {}, { base })).addresses).toEqual(known);
    const unknown = (await sourcesOf(file)).addresses;
    expect(unknown).toEqual([...known.slice(0, 4), '8 $FROM_BASE ?', '9 $UNKNOWN ?', known[5]]);
  });
});

describe('other names', () => {
  const replace = async (file: string): Promise<string> => {
    const bytes = Buffer.from(file).toString('latin1');
    const { images } = await sourcesOf(file);
    const names = images.flatMap(({ edit, text }) => (edit === null ? [] : [{ edit, name: `r.example.org/${text}` }]));
    return Buffer.from(rewriteNames(bytes, names), 'latin1').toString();
  };

  test('change nothing else: not a byte, not a line', async () => {
    expect(await replace('\ufeff# é\r\nARG V=1\r\nfrom  "a":${V} as  b # no\r\n'.replace(' # no', ''))).toBe(
      '\ufeff# é\r\nARG V=1\r\nfrom  r.example.org/a:1 as  b\r\n',
    );
    expect(await replace('FROM deb\\\n# c\nian:12 AS x\nRUN y\n')).toBe(
      'FROM \\\n# c\nr.example.org/debian:12 AS x\nRUN y\n',
    );
    expect(await replace('FROM a\nCOPY --chown=1 --from="b"  c d\n')).toBe(
      'FROM r.example.org/a\nCOPY --chown=1 --from=r.example.org/b  c d\n',
    );
    expect(await replace('FROM a AS s\nFROM s\nCOPY --from=0 a b\nFROM scratch')).toBe(
      'FROM r.example.org/a AS s\nFROM s\nCOPY --from=0 a b\nFROM scratch',
    );
  });

  test('are what is read afterwards', async () => {
    const piece = fc.constantFrom(
      'FROM a\n',
      'FROM a:1 AS s\n',
      'COPY --from=b /x /y\n',
      'RUN x \\\n y\n',
      '# c\n',
      'COPY \\\n --from=q \\\n a b\n',
      '\n',
      'FROM s\n',
      'FROM d\\\nd\n',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
        const file = `FROM first\n${pieces.join('')}`;
        const before = (await sourcesOf(file)).images;
        const after = (await sourcesOf(await replace(file))).images;
        expect(after.map(({ text, line, use }) => [text, line, use])).toEqual(
          before.map(({ text, line, use }) => [`r.example.org/${text}`, line, use]),
        );
      }),
    );
  });
});
