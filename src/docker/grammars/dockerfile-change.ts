/** One Dockerfile instruction, as `changes` of commit and import take them. */

import { env, labels, type Mark, own } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

const words: ReadonlyMap<string, readonly Mark[]> = new Map([
  ['CMD', [own]],
  ['ENTRYPOINT', [own]],
  ['ENV', [env, own]],
  ['EXPOSE', [own]],
  ['HEALTHCHECK', [own]],
  ['LABEL', [labels]],
  ['ONBUILD', [own]],
  ['STOPSIGNAL', [own]],
  ['USER', [own]],
  ['VOLUME', [own]],
  ['WORKDIR', [own]],
]);

export const dockerfileChange: Grammar = {
  name: 'dockerfile-change',
  form: 'CMD … | ENTRYPOINT … | ENV … | EXPOSE … | HEALTHCHECK … | LABEL … | ONBUILD … | USER … | VOLUME … | WORKDIR …',
  marks: [own, env, labels],
  split(text): readonly Part[] | null {
    // moby joins all changes with newlines and parses one Dockerfile: a newline begins the next instruction, and a
    // backslash at the end swallows it.
    if (/[\r\n]/.test(text) || /[\\`]\s*$/.test(text)) return null;
    const found = /^(\s*([A-Za-z]+)\s+)(\S.*)$/.exec(text);
    if (found === null) return null;
    const [, head = '', word = '', rest = ''] = found;
    const upper = word.toUpperCase();
    const marks = words.get(upper);
    if (marks === undefined) return null;
    if (upper !== 'ONBUILD')
      return [
        { text: head, marks: [] },
        { text: rest, marks },
      ];
    const triggered = /^\s*LABEL\s/i.test(rest);
    return [
      { text: head, marks: [] },
      { text: rest, marks: triggered ? [labels] : [own] },
    ];
  },
};
