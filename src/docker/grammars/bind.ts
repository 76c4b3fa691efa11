/** `HostConfig.Binds` and `VolumesFrom`: mounts written as one text. */

import { borrows, type Mark, makes, mountedPath, own, privilege, uses } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

const relabels = privilege('confinement', "changes the security labels of the host's own files");
const spreads = privilege('host-namespace', 'mounts spread between the host and the container');
const volume = [uses('volume', 'name'), makes('volume', 'name'), borrows];
const colon: Part = { text: ':', marks: [] };

/** What the words behind the last colon mean; the engine refuses all others. */
const options: Readonly<Record<string, readonly Mark[]>> = {
  '': [own],
  ro: [own],
  rw: [own],
  nocopy: [own],
  consistent: [own],
  cached: [own],
  delegated: [own],
  private: [own],
  rprivate: [own],
  shared: [spreads],
  rshared: [spreads],
  slave: [spreads],
  rslave: [spreads],
};

/** moby, daemon/names: what a volume may be called; everything else that is not absolute is refused there. */
const volumeName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

export const bind: Grammar = {
  name: 'bind',
  form: 'VOLUME:PATH[:OPTIONS] | /HOST/PATH:PATH[:OPTIONS] | PATH',
  marks: [own, ...volume, mountedPath('read'), mountedPath('write'), relabels, spreads],
  dangerous: [
    '/:/host',
    '/etc:/mnt:ro',
    '//etc:/mnt',
    '/a/../etc:/mnt',
    '/./etc/:/mnt:rw',
    '/srv:/mnt:z',
    '/srv:/mnt:rshared',
    'data:/mnt:rshared',
    '/var/run/docker.sock:/var/run/docker.sock',
    '/run:/mnt',
    '/proc/1/root:/mnt',
    './src:/mnt',
    '../etc:/mnt',
    '~/src:/mnt',
    'data:/mnt:ro:rw',
    'data:/mnt:suid',
  ],
  split(text): readonly Part[] | null {
    const pieces = text.split(':');
    const [source = '', target, words] = pieces;
    if (source === '' || pieces.length > 3) return null;
    // A path alone is a volume without a name.
    if (target === undefined) return source.startsWith('/') ? [{ text: source, marks: [own] }] : null;
    const ofHost = source.startsWith('/');
    if (!ofHost && !volumeName.test(source)) return null;
    const readOnly = words?.split(',').includes('ro') === true;
    const parts: Part[] = [
      { text: source, marks: ofHost ? [mountedPath(readOnly ? 'read' : 'write')] : volume },
      colon,
      { text: target, marks: [own] },
    ];
    if (words === undefined) return parts;
    // A volume's directory is labelled for its own containers; a path of the host belongs to others too.
    const optionParts = split(words, { ...options, z: [ofHost ? relabels : own], Z: [ofHost ? relabels : own] });
    return optionParts === null ? null : [...parts, colon, ...optionParts];
  },
};

export const volumesFrom: Grammar = {
  name: 'volumes-from',
  form: 'CONTAINER[:OPTIONS]',
  marks: [uses('container'), borrows, own, relabels],
  dangerous: ['web:z', 'web:ro,Z', 'web:rshared', 'web:rw:ro', ':ro'],
  split(text): readonly Part[] | null {
    const cut = text.indexOf(':');
    const reference = cut < 0 ? text : text.slice(0, cut);
    if (reference === '') return null;
    const named: Part = { text: reference, marks: [uses('container'), borrows] };
    if (cut < 0) return [named];
    // What the other container has mounted can be paths of the host.
    const { ro, rw, consistent, cached, delegated } = options as Record<string, readonly Mark[]>;
    const words = { '': [own], ro, rw, consistent, cached, delegated, z: [relabels], Z: [relabels] };
    const parts = split(text.slice(cut + 1), words as Record<string, readonly Mark[]>);
    return parts === null ? null : [named, colon, ...parts];
  },
};

function split(words: string, meanings: Readonly<Record<string, readonly Mark[]>>): readonly Part[] | null {
  const parts: Part[] = [];
  for (const [index, word] of words.split(',').entries()) {
    if (!Object.hasOwn(meanings, word)) return null;
    if (index > 0) parts.push({ text: ',', marks: [] });
    parts.push({ text: word, marks: meanings[word] ?? [] });
  }
  return parts;
}
