/** Networks of containers. */

import { empty, endpoint, json, jsonBody } from '../endpoint.ts';
import { borrows, labels, makes, own, privilege, prose, swarmOnly, uses } from '../marks.ts';
import { bool, filters, list, neutral, object, since, text } from '../shape.ts';
import { labelMap } from '../shapes/labels.ts';
import { ipamRequest, networkDriver, networkInspect, networkOptions, networkSummary } from '../shapes/network.ts';
import { endpointSettings } from '../shapes/networking-config.ts';
import { pruneFilters } from '../shapes/prune.ts';

const network = { id: text(uses('network')) };
const swarm = privilege('cluster', 'a network of the whole swarm');

const listed = {
  summary: 'List networks',
  method: 'GET',
  risk: 'read',
  shareable: true,
  query: {
    filters: filters({
      dangling: text(own),
      driver: text(own),
      id: text(uses('network', 'pattern')),
      label: text(labels),
      name: text(uses('network', 'pattern')),
      scope: text(own),
      type: text(own),
    }),
  },
  answer: json(list(networkSummary)),
} as const;

export const networkEndpoints = [
  endpoint({ id: 'NetworkList', path: '/networks', ...listed }),
  endpoint({
    id: 'NetworkListSlash',
    path: '/networks/',
    ...listed,
    undocumented: 'daemon/server/router/network/network.go',
  }),
  endpoint({
    id: 'NetworkInspect',
    summary: 'Inspect a network',
    method: 'GET',
    path: '/networks/{id}',
    risk: 'read',
    shareable: true,
    parameters: network,
    query: {
      verbose: since('1.28', bool(own)),
      scope: since('1.31', text(own)),
    },
    answer: json(networkInspect),
  }),
  endpoint({
    id: 'NetworkCreate',
    summary: 'Make a network',
    method: 'POST',
    path: '/networks/create',
    risk: 'write',
    body: jsonBody(
      object({
        Name: text(makes('network')),
        // Gone from the document in 1.46; clients go on sending it, and engines ignore it.
        CheckDuplicate: bool(own),
        Driver: networkDriver,
        Scope: neutral(text(swarm), 'local'),
        EnableIPv4: since('1.47', bool(own)),
        EnableIPv6: bool(own),
        IPAM: ipamRequest,
        Internal: bool(own),
        Attachable: bool(swarmOnly),
        Ingress: bool(swarm),
        ConfigOnly: bool(own),
        ConfigFrom: object({ Network: text(uses('network'), borrows) }),
        Options: networkOptions,
        Labels: labelMap,
      }),
    ),
    answer: json(object({ Id: text(uses('network', 'id')), Warning: text(prose) })),
  }),
  endpoint({
    id: 'NetworkConnect',
    summary: 'Connect a container to a network',
    method: 'POST',
    path: '/networks/{id}/connect',
    risk: 'write',
    parameters: { id: text(uses('network'), borrows) },
    body: jsonBody(object({ Container: text(uses('container')), EndpointConfig: endpointSettings })),
    answer: empty,
  }),
  endpoint({
    id: 'NetworkDisconnect',
    summary: 'Disconnect a container from a network',
    method: 'POST',
    path: '/networks/{id}/disconnect',
    risk: 'write',
    parameters: network,
    body: jsonBody(object({ Container: text(uses('container')), Force: bool(own) })),
    answer: empty,
  }),
  endpoint({
    id: 'NetworkDelete',
    summary: 'Remove a network',
    method: 'DELETE',
    path: '/networks/{id}',
    risk: 'write',
    parameters: network,
    answer: empty,
  }),
  endpoint({
    id: 'NetworkPrune',
    summary: 'Remove networks that no container uses',
    method: 'POST',
    path: '/networks/prune',
    risk: 'write',
    since: '1.25',
    query: { filters: filters(pruneFilters) },
    answer: json(object({ NetworksDeleted: list(text(uses('network', 'name'))) })),
  }),
];
