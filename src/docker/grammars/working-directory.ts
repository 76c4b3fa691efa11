/** Where a program begins in a container. */

import { own, privilege } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

/** CVE-2024-21626: a descriptor that the runtime has left open leads to the root of the host. */
const kernelFiles = privilege('confinement', 'begins among the files of the kernel, where open descriptors lead out');

const refusedTrees = ['/proc', '/sys', '/dev/fd'];

export const workingDirectory: Grammar = {
  name: 'working-directory',
  form: '/PATH',
  marks: [own, kernelFiles],
  dangerous: [
    '/proc',
    '/proc/self/fd/8',
    '//proc/self/fd/7',
    '/proc/self/fd/8/../../../..',
    '/tmp/../proc/self/fd/9',
    '/./proc/thread-self/fd/8',
    '/dev/fd/8',
    '/sys/fs/cgroup',
  ],
  split: (text): readonly Part[] => [{ text, marks: [entersRefused(text) ? kernelFiles : own] }],
};

/** What lies behind a descriptor has its own `..`: a path that only passes through counts as well. */
function entersRefused(path: string): boolean {
  let at = '';
  return path.split('/').some((part) => {
    if (part === '..') at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
    else if (part !== '' && part !== '.') at += `/${part}`;
    return refusedTrees.some((tree) => at === tree || at.startsWith(`${tree}/`));
  });
}
