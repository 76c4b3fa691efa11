// Dockerfiles and their contexts as real projects write them.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles

export interface Shape {
  readonly files: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** The engines that cannot build it. */
  readonly failsOn?: readonly string[];
}

/** `base` has the file /base/f, `triggering` copies x into /app. */
export const shapesOn = (base: string, triggering: string): Readonly<Record<string, Shape>> => ({
  'one stage': { files: { Dockerfile: 'FROM busybox\nRUN echo a >/a\nCMD ["cat", "/a"]\n' } },
  'two stages': {
    files: {
      Dockerfile: `FROM busybox AS Build\nRUN echo x >/x\nFROM ${base}\nCOPY --from=build /x /y\nCOPY --from=0 /x /z\n`,
    },
  },
  'an argument in FROM': {
    files: { Dockerfile: `ARG NAME=none\nARG TAG=latest\nFROM \${NAME}:\${TAG:-x}\nARG NAME\nRUN echo $NAME >/n\n` },
    args: ['--build-arg', `NAME=${base}`],
  },
  'a whole context': { files: { Dockerfile: 'FROM busybox\nCOPY . /src\n', 'a/b/c': 'c', 'é x': 'e' } },
  'a context with exclusions': {
    files: {
      Dockerfile: 'FROM busybox\nCOPY . /src\n',
      '.dockerignore': 'Dockerfile\n*.md\n.dockerignore\n',
      'a.md': 'a',
      b: 'b',
    },
  },
  'exclusions that leave themselves': {
    files: {
      Dockerfile: 'FROM busybox\nADD . /src\n',
      '.dockerignore': '# c\n**/skip\n!keep/skip\n',
      'keep/skip': 'a',
      'x/skip': 'b',
    },
  },
  'another file': {
    files: { 'build/app.Dockerfile': 'FROM busybox\nCOPY build /b\n' },
    args: ['-f', 'build/app.Dockerfile'],
  },
  'a lower-case file': { files: { dockerfile: 'FROM busybox\nLABEL a=b\n' }, args: ['-f', 'dockerfile'] },
  'files of another image': { files: { Dockerfile: `FROM busybox\nCOPY --from=${base} --chown=7:8 /base /got\n` } },
  'nothing below': { files: { Dockerfile: `FROM scratch\nCOPY --from=${base} /base /base\nENTRYPOINT ["/base"]\n` } },
  'triggers of a base': { files: { Dockerfile: `FROM ${triggering}\nRUN cat /app/x >/sum\n`, x: 'x' } },
  'triggers of an earlier stage': {
    files: { Dockerfile: 'FROM busybox AS a\nONBUILD COPY x /x\nFROM a\nRUN cat /x\n', x: 'x' },
  },
  'long lines with comments': {
    files: {
      Dockerfile: 'FROM \\\n  busybox\n# c\nRUN echo 1 \\\n  # no\n\n  && echo 2 >/two\nENV A=1 \\\n  B="2 3"\n',
    },
  },
  'another escape token': { files: { Dockerfile: '# escape=`\nFROM busybox\nRUN echo a`\n  b >/ab\nENV P C:\\x\n' } },
  'lines as Windows ends them': {
    files: { Dockerfile: '\ufeff# syntax=docker/dockerfile:1\r\nFROM busybox\r\nLABEL a="b"\r\nWORKDIR /w\r\n' },
  },
  'everything else': {
    files: {
      Dockerfile:
        'FROM busybox\nARG V=1\nENV X=${V:-2}\nWORKDIR /w/${X}\nUSER 5:6\nEXPOSE 80/tcp\nVOLUME ["/v"]\nSHELL ["sh", "-c"]\nSTOPSIGNAL 9\nHEALTHCHECK --interval=5s CMD true\nONBUILD RUN true\nLABEL "a b"=c\n',
    },
  },
  'a target and labels': {
    files: { Dockerfile: 'FROM busybox AS one\nRUN echo 1 >/1\nFROM busybox AS two\nRUN exit 3\n' },
    args: ['--target', 'one', '--label', 'l=m'],
  },
  'an archive that is unpacked': {
    files: { Dockerfile: 'FROM busybox\nADD ["x y", "/d/"]\nADD $F /e/\n', 'x y': 'x' },
    args: ['--build-arg', 'F=x'],
  },
  'a step that fails': { files: { Dockerfile: 'FROM busybox\nRUN echo before; exit 7\n' } },
  'an instruction that is none': { files: { Dockerfile: 'FROM busybox\nFRMO x\n' } },
  'a heredoc': { files: { Dockerfile: 'FROM busybox\nRUN cat <<EOF >/h\nFROM x\nEOF\n' } },
});
