/**
 * The containers of build steps that a killed engine has left: unlabelled, and found by the network that only a namespace
 * has, or by a mark where they are on none.
 */

import { imagesIn } from '../../docker/image-listings.ts';
import { listIn } from '../../docker/named-things.ts';
import {
  containerOfImage,
  hasNoNetwork,
  isMarkedStep,
  type StepContainer,
  stepContainerIn,
  TELLS_CONTAINER,
} from '../../docker/step-containers.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import { engineName } from '../../exchange/namespacing.ts';
import { isJobId } from '../../jobs/job-id.ts';
import type { EngineSide } from './engine-side.ts';
import { DEFAULT_NETWORK } from './names.ts';

/** No build is that long behind its end. */
const YOUNG_MS = 3_600_000;
/** What has another container's network is on none, so that it is looked for among those that an engine has left. */
const LEFT = ['created', 'exited', 'dead'];

/** `networks`: those of the namespace, by id. @throws Refusal, Error where the engine does not say */
export async function stepContainersOf(
  desk: EngineDesk,
  namespace: string,
  networks: ReadonlySet<string>,
): Promise<readonly StepContainer[]> {
  const bridge = engineName(namespace, DEFAULT_NETWORK);
  const steps = new Map<string, StepContainer>();
  for (const filters of [{ network: [...networks, bridge, 'none'] }, { status: LEFT }]) {
    const listed = listIn('container', await desk.ask('ContainerList', { query: { all: true, filters } }));
    for (const step of listed.flatMap((item) => stepContainerIn(item) ?? [])) steps.set(step.id, step);
  }
  const own: StepContainer[] = [];
  for (const step of steps.values()) {
    const isOn = networks.has(step.mode) || (isJobId(namespace) && step.networks.includes(bridge));
    const isOwn = hasNoNetwork(step.mode)
      ? isMarkedStep(await desk.ask('ContainerInspect', { parameters: { id: step.id } }), namespace)
      : isOn;
    if (isOwn) own.push(step);
  }
  return own;
}

/**
 * The ids of the images that these were made of, and of those that were made in containers of steps that are here or have
 * been. @throws Refusal, Error as above
 */
export async function imagesOfSteps(
  { desk, joined }: EngineSide,
  namespace: string,
  steps: readonly StepContainer[],
): Promise<ReadonlySet<string>> {
  const images = new Set(steps.map(({ image }) => image));
  const list = await desk.ask('ImageList', { query: { filters: { dangling: ['true'] } } });
  const young = imagesIn(list).filter(({ createdMs }) => createdMs > Date.now() - YOUNG_MS);
  if (young.length === 0) return images;
  const containers = await joined.of(engineName(namespace, DEFAULT_NETWORK), YOUNG_MS);
  for (const { id } of steps) containers.add(id);
  for (const { id } of containers.size === 0 ? [] : young) {
    const order = { parameters: { name: id }, version: TELLS_CONTAINER };
    if (containers.has(containerOfImage((await desk.order('ImageInspect', order)).answer) ?? '')) images.add(id);
  }
  return images;
}
