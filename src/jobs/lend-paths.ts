/** Before a container is made that mounts directories of another one: what is missing is made there, as an engine would. */

import { folderArchive } from '../docker/entry-archive.ts';
import type { LentPath } from '../docker/lent-paths.ts';
import { messageIn } from '../docker/named-things.ts';
import type { EngineDesk } from '../exchange/engine-desk.ts';
import { Refusal } from '../ground/refusal.ts';

/** @throws Refusal where the engine does not make one */
export async function makeLentFolders(desk: EngineDesk, caller: string, lent: readonly LentPath[]): Promise<void> {
  for (const { source, mountedAt, below } of lent) {
    if (below === '') continue;
    const parameters = { id: caller };
    // The source may be a link that leads there.
    const path = `${mountedAt === '/' ? '' : mountedAt}/${below}`;
    const { status } = await desk.order('ContainerArchiveInfo', { parameters, query: { path } });
    if (status !== 404) continue;
    const query = { path: mountedAt, noOverwriteDirNonDir: true };
    const made = await desk.order('PutContainerArchive', { parameters, query, bytes: folderArchive(below) });
    if (made.status < 300) continue;
    const said = messageIn(made.answer);
    throw new Refusal('unreadable-body', `${source} is not there, and cannot be made: ${said}`, {
      place: 'HostConfig',
    });
  }
}
