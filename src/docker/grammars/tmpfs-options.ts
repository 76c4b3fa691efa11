/** The mount options of a tmpfs: words and `key=value`, separated by commas. */

import { type Mark, own, privilege, resource } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

const loosens = privilege('confinement', 'set-uid programs, device nodes or other options of the kernel on a tmpfs');
const harmless = new Set(['', 'rw', 'ro', 'exec', 'noexec', 'nosuid', 'nodev', 'noatime', 'mode', 'uid', 'gid']);
const bytes = resource('bytes');
const count = resource('count');

export const tmpfsOptions: Grammar = {
  name: 'tmpfs-options',
  form: 'size=SIZE,mode=MODE,uid=UID,gid=GID,rw,ro,exec,noexec,nosuid,nodev,…',
  marks: [own, bytes, count, loosens],
  dangerous: ['suid', 'dev', 'exec,suid,dev', 'size=1m,dev', 'remount', 'bind', 'shared', 'mpol=bind:0', 'SUID'],
  split(text): readonly Part[] | null {
    const parts: Part[] = [];
    for (const [index, option] of text.split(',').entries()) {
      if (index > 0) parts.push({ text: ',', marks: [] });
      const cut = option.indexOf('=');
      const key = cut < 0 ? option : option.slice(0, cut);
      const amount = amountOf(key);
      if (amount === null || cut < 0) {
        parts.push({ text: option, marks: [harmless.has(key) ? own : loosens] });
        continue;
      }
      parts.push({ text: option.slice(0, cut + 1), marks: [] }, { text: option.slice(cut + 1), marks: [amount] });
    }
    return parts;
  },
};

function amountOf(key: string): Mark | null {
  if (key === 'size') return bytes;
  return key === 'nr_inodes' || key === 'nr_blocks' ? count : null;
}
