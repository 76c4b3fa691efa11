/** A create that gets a socket: which job it leads to, and how the socket comes into the container. */

import { hostMount, isMountedOver, isSealed, withMounts } from '../docker/asked-sockets.ts';
import { SOCKET_LABEL, saidLabels, withLabels } from '../docker/reserved-labels.ts';
import { printSocketNote, readSocketNote, SOCKET_FOLDER, type SocketNote } from '../docker/socket-note.ts';
import type { Call } from '../exchange/call.ts';
import type { EngineDesk } from '../exchange/engine-desk.ts';
import { isObject, type JsonObject } from '../ground/json.ts';
import { Refusal } from '../ground/refusal.ts';
import { newJobId } from './job-id.ts';
import type { JobSockets } from './job-sockets.ts';
import type { SocketFolders } from './socket-folders.ts';
import type { GivenSocket, SocketGiver } from './socket-giver.ts';

const REMOVE_MS = 300_000;

export interface GiveSocketsOptions {
  readonly desk: EngineDesk;
  readonly sockets: JobSockets;
  readonly folders: SocketFolders;
  /** By whose rules the sockets are served. */
  readonly listener: string;
  /** The labels whose equal values make several containers one job. */
  readonly groupBy: readonly string[];
  /** A temporary namespace, or that of whoever makes the container. */
  readonly namespace: 'job' | 'owner';
  /** The socket over which the creates come; null for the listener itself. */
  readonly within: SocketNote | null;
}

export class GiveSockets implements SocketGiver {
  private readonly options: GiveSocketsOptions;

  constructor(options: GiveSocketsOptions) {
    this.options = options;
  }

  async give(call: Call): Promise<GivenSocket> {
    const { desk, sockets, folders, within } = this.options;
    const { body, sockets: asked = [] } = call;
    if (!isObject(body)) throw new Refusal('unreadable-body', 'a container with a socket needs a body');
    // After a restart the job of its group may be there and not be known yet.
    if (within === null) await sockets.known();
    const sealed = isSealed(body);
    const linked = asked.filter((path) => !sealed && !isMountedOver(body, path));
    const bound = asked.filter((path) => !linked.includes(path));
    // Nothing may come between the look for a job of the group and its use.
    const note = this.noteOf(call, body, { folder: await folders.make(), linked, bound });
    if (readSocketNote(printSocketNote(note)) === null) {
      // Nobody would know of the container when it is gone.
      await folders.remove(note.folder);
      throw new Refusal('unreadable-body', `no socket can be put at ${asked.join(', ')}`, { place: 'HostConfig' });
    }
    await sockets.open(note);
    const mounts = [
      ...(linked.length === 0 ? [] : [hostMount(folders.pathOf(note.folder), SOCKET_FOLDER)]),
      ...bound.map((path) => hostMount(folders.socketIn(note.folder), path)),
    ];
    const mounted = withMounts(body, mounts);
    return {
      call: { ...call, body: withLabels(mounted, { [SOCKET_LABEL]: printSocketNote(note) }) },
      failed: () => sockets.failed(note),
      async made(container) {
        try {
          await sockets.made(note, container);
        } catch (fault) {
          const query = { force: true, v: true };
          await desk.order('ContainerDelete', { parameters: { id: container }, query, deadlineMs: REMOVE_MS });
          await sockets.failed(note);
          throw fault;
        }
      },
    };
  }

  private noteOf(
    { identity, namespace }: Call,
    body: JsonObject,
    places: Pick<SocketNote, 'folder' | 'linked' | 'bound'>,
  ): SocketNote {
    const { within, listener, sockets, groupBy } = this.options;
    const parent = namespace ?? '';
    if (within?.temporary === true) return { ...within, ...places, nested: true, parent };
    const { user, groups, claims, by } = within?.owner ?? identity;
    const labels = saidLabels(body);
    const label = groupBy.find((key) => (labels[key] ?? '') !== '');
    const temporary = this.options.namespace === 'job';
    const group = label === undefined || !temporary ? null : { label, value: labels[label] as string };
    const shared = sockets.ofGroup({ listener, parent, group });
    return {
      job: temporary ? (shared?.id ?? newJobId()) : parent,
      temporary,
      nested: false,
      listener,
      parent,
      home: parent,
      owner: { user, groups, claims, by },
      group,
      ...places,
    };
  }
}
