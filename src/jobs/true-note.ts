/** Whether what a container says of its socket can be so. */

import type { NamedThing } from '../docker/named-things.ts';
import { NAMESPACE_LABEL } from '../docker/reserved-labels.ts';
import type { SocketNote } from '../docker/socket-note.ts';
import { engineName } from '../exchange/namespacing.ts';
import { isJobId } from './job-id.ts';

/** The container is where the note says, and the job is one that it can be. */
export function isTrueNote(
  { job, parent, temporary, nested }: SocketNote,
  name: string,
  labels: NamedThing['labels'],
): boolean {
  const owned = labels[NAMESPACE_LABEL] === parent && name.startsWith(engineName(parent, ''));
  return owned && temporary === isJobId(job) && (temporary ? nested === (job === parent) : !nested && job === parent);
}
