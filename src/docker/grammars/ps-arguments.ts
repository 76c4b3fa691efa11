/** The arguments of `top`: the engine hands them to the host's own `ps`, as root. */

import { own, privilege } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

const hostProgram = privilege('host-namespace', "arguments of the host's own ps, which runs as root");
const styles = new Set(['', '-ef', '-eF', 'aux', '-aux']);
const columns = new Set(
  'pid ppid user uid group gid comm args cmd command etime time stat state tty tt pcpu pmem rss vsz sz nice ni pri start stime'.split(
    ' ',
  ),
);

export const psArguments: Grammar = {
  name: 'ps-arguments',
  form: '-ef | aux | … | -eo COLUMN,COLUMN,…',
  marks: [own, hostProgram],
  dangerous: [
    '-eo pid=X',
    '-e --sort pid',
    '-p 1',
    'auxe',
    '-ef ; id',
    '-o pid -o args',
    '--cols 9',
    '-eo pid,environ',
  ],
  split(text): readonly Part[] | null {
    const listed = /^-e?o ?([a-z]+(?:,[a-z]+)*)$/.exec(text)?.[1];
    const harmless = styles.has(text) || listed?.split(',').every((name) => columns.has(name)) === true;
    return [{ text, marks: [harmless ? own : hostProgram] }];
  },
};
