/** The containers of build steps that a killed engine has left: unlabelled, and found by the network that only a namespace has. */

import { listIn } from '../../docker/named-things.ts';
import { isMarkedStep, type StepContainer, stepContainerIn } from '../../docker/step-containers.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import { engineName } from '../../exchange/namespacing.ts';
import { isJobId } from '../../jobs/job-id.ts';
import { DEFAULT_NETWORK } from './names.ts';

/** `networks`: those of the namespace, by id. @throws Refusal, Error where the engine does not say */
export async function stepContainersOf(
  desk: EngineDesk,
  namespace: string,
  networks: ReadonlySet<string>,
): Promise<readonly StepContainer[]> {
  const bridge = engineName(namespace, DEFAULT_NETWORK);
  const query = { all: true, filters: { network: [...networks, bridge, 'none'] } };
  const listed = listIn('container', await desk.ask('ContainerList', { query }));
  const steps = listed.flatMap((item) => stepContainerIn(item) ?? []);
  const own: StepContainer[] = [];
  for (const step of steps) {
    const isOn = networks.has(step.mode) || (isJobId(namespace) && step.networks.includes(bridge));
    const isOwn =
      step.mode === 'none'
        ? isMarkedStep(await desk.ask('ContainerInspect', { parameters: { id: step.id } }), namespace)
        : isOn;
    if (isOwn) own.push(step);
  }
  return own;
}
