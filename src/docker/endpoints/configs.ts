/** Configs of the swarm. */

import { empty, endpoint, json, jsonBody } from '../endpoint.ts';
import { own, uses } from '../marks.ts';
import { int, list, object, text } from '../shape.ts';
import { changedConfig, config, dataFilters, newConfig } from '../shapes/swarm-data.ts';

const parameters = { id: text(uses('config')) };
const since = '1.30';

export const configEndpoints = [
  endpoint({
    id: 'ConfigList',
    summary: 'List configs',
    method: 'GET',
    path: '/configs',
    risk: 'cluster',
    since,
    query: { filters: dataFilters('config') },
    answer: json(list(config)),
  }),
  endpoint({
    id: 'ConfigCreate',
    summary: 'Make a config',
    method: 'POST',
    path: '/configs/create',
    risk: 'cluster',
    since,
    body: jsonBody(newConfig),
    answer: json(object({ ID: text(uses('config', 'id')) })),
  }),
  endpoint({
    id: 'ConfigInspect',
    summary: 'Inspect a config',
    method: 'GET',
    path: '/configs/{id}',
    risk: 'cluster',
    since,
    parameters,
    answer: json(config),
  }),
  endpoint({
    id: 'ConfigDelete',
    summary: 'Remove a config',
    method: 'DELETE',
    path: '/configs/{id}',
    risk: 'cluster',
    since,
    parameters,
    answer: empty,
  }),
  endpoint({
    id: 'ConfigUpdate',
    summary: 'Change the labels of a config',
    method: 'POST',
    path: '/configs/{id}/update',
    risk: 'cluster',
    since,
    parameters,
    query: { version: int(own) },
    body: jsonBody(changedConfig),
    answer: empty,
  }),
];
