/** Checkpoints: experimental, and written to whatever folder of the host the client names. Known, never served. */

import { empty, endpoint, json, jsonBody } from '../endpoint.ts';
import { hostPath, makes, own, uses } from '../marks.ts';
import { bool, list, object, text } from '../shape.ts';
import { container } from './container-parameter.ts';

const undocumented = 'daemon/server/router/checkpoint';

export const checkpointEndpoints = [
  endpoint({
    id: 'CheckpointList',
    summary: 'List the checkpoints of a container',
    method: 'GET',
    path: '/containers/{id}/checkpoints',
    risk: 'never',
    since: '1.25',
    parameters: container,
    query: { dir: text(hostPath('read')) },
    answer: json(list(object({ Name: text(uses('checkpoint')) }))),
    undocumented,
  }),
  endpoint({
    id: 'CheckpointCreate',
    summary: 'Write the state of a container to disk',
    method: 'POST',
    path: '/containers/{id}/checkpoints',
    risk: 'never',
    since: '1.25',
    parameters: container,
    body: jsonBody(
      object({
        CheckpointID: text(makes('checkpoint')),
        CheckpointDir: text(hostPath('write')),
        Exit: bool(own),
      }),
    ),
    answer: empty,
    undocumented,
  }),
  endpoint({
    id: 'CheckpointDelete',
    summary: 'Remove a checkpoint',
    method: 'DELETE',
    path: '/containers/{id}/checkpoints/{checkpoint}',
    risk: 'never',
    since: '1.25',
    parameters: { ...container, checkpoint: text(uses('checkpoint')) },
    query: { dir: text(hostPath('write')) },
    answer: empty,
    undocumented,
  }),
];
