/** Tasks: what the nodes of a swarm do for a service. */

import { address, prose, reveals, uses } from '../marks.ts';
import { any, int, list, object, since, text } from '../shape.ts';
import { genericResources } from './generic-resources.ts';
import { labelMap } from './labels.ts';
import { networkSummary } from './network.ts';
import { objectVersion } from './object-version.ts';
import { publishedPorts, taskSpec } from './task-spec.ts';

/** Engines tell it as the swarm keeps it; Docker's document as a network is listed. */
const network = object({
  ...networkSummary.fields,
  ID: text(uses('network', 'id')),
  Version: objectVersion,
  CreatedAt: text(),
  UpdatedAt: text(),
  Spec: any(),
  DriverState: any(),
  IPAMOptions: any(),
});

export const task = object({
  ID: text(uses('task', 'id')),
  Version: objectVersion,
  CreatedAt: text(),
  UpdatedAt: text(),
  Name: text(uses('task', 'name')),
  Labels: labelMap,
  Spec: taskSpec,
  ServiceID: text(uses('service', 'id')),
  Slot: int(),
  NodeID: text(uses('node', 'id')),
  Status: object({
    Timestamp: text(),
    State: text(),
    Message: text(prose),
    Err: text(prose),
    ContainerStatus: object({
      ContainerID: text(uses('container', 'id')),
      PID: int(reveals('host')),
      ExitCode: int(),
    }),
    PortStatus: object({ Ports: publishedPorts }),
  }),
  DesiredState: text(),
  NetworksAttachments: list(object({ Network: network, Addresses: list(text(address)) })),
  AssignedGenericResources: genericResources(),
  GenericResources: genericResources(),
  JobIteration: since('1.41', objectVersion),
  Volumes: since(
    '1.42',
    list(object({ ID: text(uses('volume', 'id')), Source: text(uses('volume', 'name')), Target: text() })),
  ),
});
