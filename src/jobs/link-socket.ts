/** How a container that has been made finds its socket: links in its own files, which lead to where the socket is mounted. */

import { linkArchive } from '../docker/entry-archive.ts';
import { messageIn } from '../docker/named-things.ts';
import { SOCKET_FOLDER, SOCKET_NAME, type SocketNote } from '../docker/socket-note.ts';
import type { EngineDesk } from '../exchange/engine-desk.ts';
import { Refusal } from '../ground/refusal.ts';

/** @throws Refusal where the engine does not put one there */
export async function linkSocket(desk: EngineDesk, { linked }: SocketNote, container: string): Promise<void> {
  for (const path of linked) {
    const { status, answer } = await desk.order('PutContainerArchive', {
      parameters: { id: container },
      query: { path: '/' },
      bytes: linkArchive(path, `${SOCKET_FOLDER}/${SOCKET_NAME}`),
    });
    if (status < 300) continue;
    throw new Refusal('engine-garbage', `the socket cannot be put at ${path}`, { cause: messageIn(answer) });
  }
}
