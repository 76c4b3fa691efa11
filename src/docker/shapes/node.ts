/** Nodes of a swarm. */

import { prose, reveals, uses } from '../marks.ts';
import { any, bool, int, list, object, since, text, word } from '../shape.ts';
import { genericResources } from './generic-resources.ts';
import { labelMap } from './labels.ts';
import { objectVersion } from './object-version.ts';
import { tlsInfo } from './swarm-cluster.ts';

const ofHost = reveals('host');

export const nodeSpec = object({
  Name: text(uses('node', 'name')),
  Labels: labelMap,
  Role: word(['worker', 'manager']),
  Availability: word(['active', 'pause', 'drain']),
});

export const node = object({
  ID: text(uses('node', 'id')),
  Version: objectVersion,
  CreatedAt: text(),
  UpdatedAt: text(),
  Spec: nodeSpec,
  Description: object({
    Hostname: text(ofHost),
    Platform: object({ Architecture: text(), OS: text() }),
    Resources: object({
      NanoCPUs: int(),
      MemoryBytes: int(),
      GenericResources: genericResources(ofHost),
    }),
    Engine: object({
      EngineVersion: text(),
      Labels: labelMap,
      Plugins: list(object({ Type: text(), Name: text() })),
    }),
    TLSInfo: since('1.30', tlsInfo),
    CSIInfo: since('1.42', any(ofHost)),
  }),
  Status: object({ State: text(), Message: text(prose), Addr: text(ofHost) }),
  ManagerStatus: object({ Leader: bool(), Reachability: text(), Addr: text(ofHost) }),
});
