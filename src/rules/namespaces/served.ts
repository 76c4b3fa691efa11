/** What a namespace serves: a closed list, so that what Docker adds tomorrow is refused until somebody has thought about it. */

import type { Endpoint } from '../../docker/endpoint.ts';
import { emptyPrune } from '../../docker/own-requests.ts';
import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import type { OwnAnswer } from '../../exchange/namespacing.ts';
import type { Refusal } from '../../ground/refusal.ts';
import { RULE } from './references.ts';

const words = (text: string): readonly string[] => text.split(' ');

const served: ReadonlySet<string> = new Set([
  ...words('SystemPing SystemPingHead SystemVersion SystemInfo SystemEvents SystemDataUsage SystemAuth SystemOptions'),
  ...words(
    'ContainerList ContainerCreate ContainerInspect ContainerTop ContainerChanges ContainerUpdate ContainerPrune',
  ),
  ...words('ContainerStart ContainerStop ContainerRestart ContainerKill ContainerPause ContainerUnpause ContainerWait'),
  ...words('ContainerResize ContainerRename ContainerDelete ContainerAttach ContainerAttachWebsocket ContainerLogs'),
  ...words('ContainerStats ContainerExport ContainerArchiveInfo ContainerArchive PutContainerArchive'),
  ...words('ContainerExec ExecStart ExecResize ExecInspect'),
  ...words('NetworkList NetworkListSlash NetworkInspect NetworkCreate NetworkConnect NetworkDisconnect NetworkDelete'),
  ...words('NetworkPrune VolumeList VolumeInspect VolumeCreate VolumeDelete VolumePrune'),
  ...words('ImageList ImageInspect ImageHistory ImageAttestations ImageCreate ImagePrune ImageSearch'),
  ...words(
    'ImageTag ImagePush ImageDelete ImageGet ImageGetAll ImageLoad DistributionInspect BuildPrune ImageBuild ImageCommit Session',
  ),
]);

/** The build cache is everybody's: a prune finds nothing that is the namespace's. */
const prunesNothing: ReadonlySet<string> = new Set(['BuildPrune']);

export function isServed({ id }: Endpoint): boolean {
  return served.has(id);
}

/** @throws Refusal */
export function refuseUnserved({ id, summary }: Endpoint): void {
  if (served.has(id)) return;
  const what = summary.charAt(0).toLowerCase() + summary.slice(1);
  throw refuse(RULE, 'endpoint', `a namespace does not ${what}`, {
    hint: 'the engine is shared',
  });
}

export function changes({ method }: Endpoint): boolean {
  return method !== 'GET' && method !== 'HEAD';
}

/** Nothing comes into a namespace that is being removed, or has been. */
export function closed(): Refusal {
  return refuse(RULE, 'closing', 'the namespace is being removed by an administrator', { hint: 'try again later' });
}

/** Null for what has to go on its way. */
export function answerAlone({ endpoint: { id }, parameters }: Call): OwnAnswer | null {
  if (prunesNothing.has(id)) return { status: 200, body: emptyPrune(id) };
  // As `info` says it; docker-py leaves by force after its tests, and takes this for an answer.
  if (id === 'SwarmLeave') return { status: 503, body: { message: 'This node is not part of a swarm' } };
  // `docker inspect` asks for a plugin when there is nothing else of the name.
  if (id === 'PluginInspect') return { status: 404, body: { message: `plugin "${parameters.name}" not found` } };
  return null;
}
