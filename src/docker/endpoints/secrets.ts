/** Secrets of the swarm. */

import { empty, endpoint, json, jsonBody } from '../endpoint.ts';
import { own, uses } from '../marks.ts';
import { int, list, object, text } from '../shape.ts';
import { changedSecret, dataFilters, newSecret, secret } from '../shapes/swarm-data.ts';

const parameters = { id: text(uses('secret')) };
const since = '1.25';

export const secretEndpoints = [
  endpoint({
    id: 'SecretList',
    summary: 'List secrets',
    method: 'GET',
    path: '/secrets',
    risk: 'cluster',
    since,
    query: { filters: dataFilters('secret') },
    answer: json(list(secret)),
  }),
  endpoint({
    id: 'SecretCreate',
    summary: 'Make a secret',
    method: 'POST',
    path: '/secrets/create',
    risk: 'cluster',
    since,
    body: jsonBody(newSecret),
    answer: json(object({ ID: text(uses('secret', 'id')) })),
  }),
  endpoint({
    id: 'SecretInspect',
    summary: 'Inspect a secret',
    method: 'GET',
    path: '/secrets/{id}',
    risk: 'cluster',
    since,
    parameters,
    answer: json(secret),
  }),
  endpoint({
    id: 'SecretDelete',
    summary: 'Remove a secret',
    method: 'DELETE',
    path: '/secrets/{id}',
    risk: 'cluster',
    since,
    parameters,
    answer: empty,
  }),
  endpoint({
    id: 'SecretUpdate',
    summary: 'Change the labels of a secret',
    method: 'POST',
    path: '/secrets/{id}/update',
    risk: 'cluster',
    since,
    parameters,
    query: { version: int(own) },
    body: jsonBody(changedSecret),
    answer: empty,
  }),
];
