/** Services of the swarm. */

import { empty, endpoint, json, jsonBody } from '../endpoint.ts';
import { labels, makes, own, prose, uses } from '../marks.ts';
import { bool, filters, int, list, object, since, text, until, word } from '../shape.ts';
import { clusterWide, everyNode } from '../shapes/cluster-mark.ts';
import { logParameters } from '../shapes/log-parameters.ts';
import { registryAuth } from '../shapes/registry-auth.ts';
import { service, serviceFields } from '../shapes/service.ts';

const parameters = { id: text(uses('service')) };
const { fields } = clusterWide(object(serviceFields));

export const serviceEndpoints = [
  endpoint({
    id: 'ServiceList',
    summary: 'List services',
    method: 'GET',
    path: '/services',
    risk: 'cluster',
    query: {
      filters: filters({
        id: text(uses('service')),
        label: text(labels),
        mode: text(own),
        name: text(uses('service')),
        runtime: text(own),
      }),
      status: since('1.41', bool(own)),
    },
    answer: json(list(service)),
  }),
  endpoint({
    id: 'ServiceInspect',
    summary: 'Inspect a service',
    method: 'GET',
    path: '/services/{id}',
    risk: 'cluster',
    parameters,
    query: { insertDefaults: since('1.29', bool(own)) },
    answer: json(service),
  }),
  endpoint({
    id: 'ServiceCreate',
    summary: 'Make a service',
    method: 'POST',
    path: '/services/create',
    risk: 'cluster',
    headers: registryAuth,
    body: jsonBody(object({ Name: text(makes('service'), everyNode), ...fields })),
    answer: json(
      object({
        ID: text(uses('service', 'id')),
        Warning: until('1.43', text(prose)),
        Warnings: since('1.44', list(text(prose))),
      }),
    ),
  }),
  endpoint({
    id: 'ServiceUpdate',
    summary: 'Change a service',
    method: 'POST',
    path: '/services/{id}/update',
    risk: 'cluster',
    parameters,
    query: {
      version: int(own),
      registryAuthFrom: word(['spec', 'previous-spec'], own),
      rollback: since('1.28', text(everyNode)),
    },
    headers: registryAuth,
    body: jsonBody(object({ Name: text(uses('service', 'name'), everyNode), ...fields })),
    answer: json(object({ Warnings: list(text(prose)) })),
  }),
  endpoint({
    id: 'ServiceDelete',
    summary: 'Remove a service',
    method: 'DELETE',
    path: '/services/{id}',
    risk: 'cluster',
    parameters,
    answer: empty,
  }),
  endpoint({
    id: 'ServiceLogs',
    summary: 'Show what the tasks of a service have written',
    method: 'GET',
    path: '/services/{id}/logs',
    risk: 'cluster',
    parameters,
    query: logParameters,
    answer: { travel: 'frames' },
  }),
];
