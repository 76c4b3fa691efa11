/** Who asks for which repository. What somebody may have is remembered by it; the credentials themselves are not. */

import { createHash } from 'node:crypto';
import type { Repository } from './engine-names.ts';
import { nameOf } from './grants.ts';
import type { UpstreamRequest } from './upstream.ts';

export interface Asker {
  readonly repository: Repository;
  /** `r.example.org:5000/team/app` */
  readonly name: string;
  /** Of the repository and the credentials. */
  readonly key: string;
  /** Has shown nothing: what it may have, everybody may. */
  readonly anonymous: boolean;
}

export function askerOf({ repository, credentials }: UpstreamRequest): Asker {
  const name = nameOf(repository);
  const key = createHash('sha256')
    .update(JSON.stringify([name, credentials]))
    .digest('base64');
  return { repository, name, key, anonymous: credentials === null };
}
