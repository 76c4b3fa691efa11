/** What a client takes decides what a tag means to it: an index, one of its images, or an old form made for old clients. */

import { createHash } from 'node:crypto';

const LONGEST = 512;

/** The same for everybody who takes the same, in whatever order and lines. */
export function acceptClass(accept: string | undefined): string {
  const types = (accept ?? '*/*').split(',').map((one) => one.split(';', 1)[0]?.trim().toLowerCase() ?? '');
  const said = [...new Set(types)]
    .filter((type) => type !== '')
    .sort()
    .join(',');
  return said.length <= LONGEST ? said : createHash('sha256').update(said).digest('hex');
}
