/**
 * Stands before the policies of job sockets: a path that a create mounts is one of the container that speaks, which the
 * engine cannot know. Where it lies on a volume of that container, its links followed, it becomes that volume; everywhere
 * else it is refused, so that no path of the host is ever meant.
 */

import { clean } from '../../docker/container-create.ts';
import {
  type AskedPath,
  askedPaths,
  type LentPath,
  listsWithout,
  SUBPATH_SINCE,
  standingAt,
} from '../../docker/lent-paths.ts';
import { linkTargetIn, partsOf } from '../../docker/linked-path.ts';
import { isWithin } from '../../docker/mounted-paths.ts';
import { SOCKET_FOLDER, SOCKET_NAME, socketPathsOf } from '../../docker/socket-note.ts';
import { mountsOf } from '../../docker/taken-volumes.ts';
import { readVersionAnswer } from '../../docker/version-answer.ts';
import type { Call } from '../../exchange/call.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import { refuse } from '../../exchange/judge.ts';
import type { Change, Policy, Verdict } from '../../exchange/policy.ts';
import { isObject, type Json, type JsonObject, placeOf } from '../../ground/json.ts';
import { withValueAt } from '../../ground/json-path.ts';
import type { Refusal } from '../../ground/refusal.ts';

const NAME = 'job-paths';

/** Of all paths of a create, and the directories on their way: each is asked for. */
const MOST_ASKED = 500;
/** With those of the mounts of the job's container, where a path leads through a link. */
const MOST_LOOKED_AT = 1000;

const VOLUME_HINT =
  'mount a volume at the directory when the container of the job is made (of GitLab Runner: `volumes`), or copy the files with docker cp or in a Dockerfile';

export function ownPaths(desk: EngineDesk): Policy {
  return {
    name: NAME,
    judge(call: Call): Verdict | Promise<Verdict> {
      const { endpoint, body } = call;
      const asked = endpoint.id === 'ContainerCreate' && isObject(body) ? askedPaths(body) : [];
      if (asked.length === 0) return { call, rule: 'no-path', changes: [] };
      return judgePaths(desk, call, body as JsonObject, asked);
    },
  };
}

async function judgePaths(
  desk: EngineDesk,
  call: Call,
  body: JsonObject,
  asked: readonly AskedPath[],
): Promise<Verdict> {
  const { caller = '' } = call;
  const inspection = caller === '' ? null : await desk.ask('ContainerInspect', { parameters: { id: caller } });
  if (inspection === null) throw refuse(NAME, 'nobody', 'the container of the job is not there any more');
  requireFew(asked);
  const sockets = new Set([`${SOCKET_FOLDER}/${SOCKET_NAME}`, ...socketPathsOf(inspection)]);
  const lent: LentPath[] = [];
  const links = new Links(desk, caller);
  for (const path of asked.filter(({ source }) => !sockets.has(source))) {
    lent.push(resolvePath(path, inspection, await placeOfPath(links, path, inspection)));
  }
  const parts = lent.filter(({ from }) => 'volume' in from && from.subpath !== '');
  if (parts.length > 0) await requireSubpaths(desk, asked, parts[0] as LentPath);
  const changes: Change[] = listsWithout(body, asked).map(({ path, from, to }) => {
    return { rule: 'own-path', place: placeOf(path), from, to, warning: null, given: path };
  });
  let changed: Json = body;
  for (const { given, to } of changes) changed = withValueAt(changed, given ?? [], to);
  const wanted = asked.filter(({ source }) => sockets.has(source)).map(({ target }) => target);
  const judged: Call = {
    ...call,
    body: changed,
    ...(lent.length === 0 ? {} : { lent: [...(call.lent ?? []), ...lent] }),
    ...(wanted.length === 0 ? {} : { sockets: [...(call.sockets ?? []), ...wanted] }),
  };
  return { call: judged, rule: 'own-path', changes };
}

/** @throws Refusal */
function requireFew(asked: readonly AskedPath[]): void {
  let parts = 0;
  for (const path of asked) {
    parts += partsOf(path.source).length;
    if (parts <= MOST_ASKED) continue;
    throw no(path, 'many', `has more than ${MOST_ASKED} directories on its way, and that of the others`, VOLUME_HINT);
  }
}

/** Where the path leads, in the words in which the container's mounts are listed: their places may lie behind links too. */
async function placeOfPath(links: Links, asked: AskedPath, inspection: Json): Promise<string> {
  const leads = await links.follow(asked.source, asked);
  if (standingAt(inspection, leads).on !== 'layer') return leads;
  for (const { target } of mountsOf(inspection)) {
    const mounted = await links.follow(clean(target), asked);
    if (mounted !== '/' && isWithin(leads, mounted)) return clean(target + leads.slice(mounted.length));
  }
  return leads;
}

/** Links in the file system of the container; what stands at a path is asked for once. */
class Links {
  private readonly desk: EngineDesk;
  private readonly caller: string;
  /** Null: no link. */
  private readonly targets = new Map<string, string | null>();

  constructor(desk: EngineDesk, caller: string) {
    this.desk = desk;
    this.caller = caller;
  }

  /**
   * Where the path leads; `asked` needs to know. Who changes a link after that finds what the engine mounts: it follows none
   * out of a volume. @throws Refusal
   */
  async follow(source: string, asked: AskedPath): Promise<string> {
    for (const path of partsOf(source)) {
      const target = await this.targetOf(path, asked);
      if (target !== null) return clean(target + source.slice(path.length));
    }
    return source;
  }

  private async targetOf(path: string, asked: AskedPath): Promise<string | null> {
    const known = this.targets.get(path);
    if (known !== undefined) return known;
    if (this.targets.size === MOST_LOOKED_AT) {
      const message = `needs more than ${MOST_LOOKED_AT} directories looked at, with those of the mounts of the job's container`;
      throw no(asked, 'many', message, VOLUME_HINT);
    }
    const order = { parameters: { id: this.caller }, query: { path } };
    const { status, headers = [] } = await this.desk.order('ContainerArchiveInfo', order);
    const target = status < 300 ? linkTargetIn(headers) : null;
    this.targets.set(path, target);
    return target;
  }
}

/**
 * What stands at a path of the job's own container; `leads`: where it leads. @throws Refusal for what no other container can
 * mount
 */
export function resolvePath(asked: AskedPath, inspection: Json, leads = asked.source): LentPath {
  const { source, target, beyond, readOnly } = asked;
  if (beyond !== '') throw no(asked, 'mode', `must not ask for ${JSON.stringify(beyond)}`, null);
  const standing = standingAt(inspection, leads);
  switch (standing.on) {
    case 'volume': {
      const { volume, subpath, mountedAt, below, writable } = standing;
      return { source, target, readOnly: readOnly || !writable, from: { volume, subpath }, mountedAt, below };
    }
    case 'host': {
      const { path, mountedAt, below, writable } = standing;
      if (below !== '' || mountedAt === SOCKET_FOLDER) {
        throw no(
          asked,
          'part-of-host',
          `${source} lies in a directory of the host, of which no part can be mounted`,
          VOLUME_HINT,
        );
      }
      return { source, target, readOnly: readOnly || !writable, from: { host: path }, mountedAt, below };
    }
    case 'lent':
      throw no(
        asked,
        'volumes-from',
        `${source} lies on a volume that another container has lent to that of the job`,
        'mount the volume by its name when the container of the job is made',
      );
    case 'memory':
      throw no(
        asked,
        'memory',
        `${source} lies in the memory (tmpfs) of the job's container, which no other container can mount`,
        VOLUME_HINT,
      );
    case 'layer':
      throw no(
        asked,
        'own-layer',
        `${source} lies in the job's own container, and on no volume of it: no other container can mount it`,
        VOLUME_HINT,
      );
  }
}

/** @throws Refusal where the engine cannot mount a part of a volume */
async function requireSubpaths(
  desk: EngineDesk,
  asked: readonly AskedPath[],
  { source, mountedAt }: LentPath,
): Promise<void> {
  const newest = readVersionAnswer(await desk.ask('SystemVersion'))?.newest ?? 0;
  if (newest >= SUBPATH_SINCE) return;
  const of = asked.find((one) => one.source === source) as AskedPath;
  const message = `${source} is a part of the volume at ${mountedAt}; engines before 26.0 mount whole volumes only`;
  throw no(
    of,
    'part-of-volume',
    message,
    `mount all of it (-v ${mountedAt}:${mountedAt}) and choose the directory with -w`,
  );
}

function no({ place }: AskedPath, rule: string, message: string, hint: string | null): Refusal {
  return refuse(NAME, rule, message, { place: placeOf(place), ...(hint === null ? {} : { hint }) });
}
