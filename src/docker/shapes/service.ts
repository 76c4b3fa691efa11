/** Services of a swarm. */

import { prose, uses } from '../marks.ts';
import { alsoSpelled, int, list, number, object, since, text } from '../shape.ts';
import { labelMap } from './labels.ts';
import { objectVersion } from './object-version.ts';
import { networkAttachments, publishedPorts, taskSpec } from './task-spec.ts';

// docker-py hands the dictionaries of its users on as they are, and Go folds their keys.
const updateConfig = alsoSpelled(
  {
    parallelism: 'Parallelism',
    delay: 'Delay',
    failureAction: 'FailureAction',
    monitor: 'Monitor',
    maxFailureRatio: 'MaxFailureRatio',
    order: 'Order',
  },
  object({
    Parallelism: int(),
    Delay: int(),
    FailureAction: text(),
    Monitor: int(),
    MaxFailureRatio: number(),
    Order: since('1.29', text()),
  }),
);

const endpointSpec = object({ Mode: text(), Ports: publishedPorts });

/** All but the name, which a create gives and an inspection tells. */
export const serviceFields = {
  Labels: labelMap,
  TaskTemplate: taskSpec,
  // docker-py writes the old modes in lower case.
  Mode: alsoSpelled(
    { replicated: 'Replicated', global: 'Global' },
    object({
      Replicated: object({ Replicas: int() }),
      Global: object({}),
      ReplicatedJob: since('1.41', object({ MaxConcurrent: int(), TotalCompletions: int() })),
      GlobalJob: since('1.41', object({})),
    }),
  ),
  UpdateConfig: updateConfig,
  RollbackConfig: since('1.28', updateConfig),
  // The old place of those in TaskTemplate.
  Networks: networkAttachments,
  EndpointSpec: endpointSpec,
};

const serviceSpec = object({ Name: text(uses('service', 'name')), ...serviceFields });

export const service = object({
  ID: text(uses('service', 'id')),
  Version: objectVersion,
  CreatedAt: text(),
  UpdatedAt: text(),
  Spec: serviceSpec,
  PreviousSpec: serviceSpec,
  Endpoint: object({
    Spec: endpointSpec,
    Ports: publishedPorts,
    VirtualIPs: list(object({ NetworkID: text(uses('network', 'id')), Addr: text() })),
  }),
  UpdateStatus: object({ State: text(), StartedAt: text(), CompletedAt: text(), Message: text(prose) }),
  ServiceStatus: since('1.41', object({ RunningTasks: int(), DesiredTasks: int(), CompletedTasks: int() })),
  JobStatus: since('1.41', object({ JobIteration: objectVersion, LastExecution: text() })),
});
