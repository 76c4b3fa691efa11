/** Nodes of the swarm. */

import { empty, endpoint, json, jsonBody } from '../endpoint.ts';
import { labels, own, uses } from '../marks.ts';
import { bool, filters, int, list, text } from '../shape.ts';
import { clusterWide, everyNode } from '../shapes/cluster-mark.ts';
import { node, nodeSpec } from '../shapes/node.ts';

const parameters = { id: text(uses('node')) };

export const nodeEndpoints = [
  endpoint({
    id: 'NodeList',
    summary: 'List nodes',
    method: 'GET',
    path: '/nodes',
    risk: 'cluster',
    query: {
      filters: filters({
        id: text(uses('node')),
        label: text(labels),
        membership: text(own),
        name: text(uses('node')),
        'node.label': text(labels),
        role: text(own),
      }),
    },
    answer: json(list(node)),
  }),
  endpoint({
    id: 'NodeInspect',
    summary: 'Inspect a node',
    method: 'GET',
    path: '/nodes/{id}',
    risk: 'cluster',
    parameters,
    answer: json(node),
  }),
  endpoint({
    id: 'NodeDelete',
    summary: 'Remove a node',
    method: 'DELETE',
    path: '/nodes/{id}',
    risk: 'cluster',
    parameters,
    query: { force: bool(everyNode) },
    answer: empty,
  }),
  endpoint({
    id: 'NodeUpdate',
    summary: 'Change a node',
    method: 'POST',
    path: '/nodes/{id}/update',
    risk: 'cluster',
    parameters,
    query: { version: int(own) },
    body: jsonBody(clusterWide(nodeSpec)),
    answer: empty,
  }),
];
