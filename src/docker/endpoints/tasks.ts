/** Tasks of the swarm. */

import { endpoint, json } from '../endpoint.ts';
import { labels, own, uses } from '../marks.ts';
import { filters, list, text } from '../shape.ts';
import { logParameters } from '../shapes/log-parameters.ts';
import { task } from '../shapes/task.ts';

const parameters = { id: text(uses('task')) };

export const taskEndpoints = [
  endpoint({
    id: 'TaskList',
    summary: 'List tasks',
    method: 'GET',
    path: '/tasks',
    risk: 'cluster',
    query: {
      filters: filters({
        '_up-to-date': text(own),
        'desired-state': text(own),
        id: text(uses('task')),
        label: text(labels),
        name: text(uses('task')),
        node: text(uses('node')),
        runtime: text(own),
        service: text(uses('service')),
      }),
    },
    answer: json(list(task)),
  }),
  endpoint({
    id: 'TaskInspect',
    summary: 'Inspect a task',
    method: 'GET',
    path: '/tasks/{id}',
    risk: 'cluster',
    parameters,
    answer: json(task),
  }),
  endpoint({
    id: 'TaskLogs',
    summary: 'Show what a task has written',
    method: 'GET',
    path: '/tasks/{id}/logs',
    risk: 'cluster',
    since: '1.29',
    parameters,
    query: logParameters,
    answer: { travel: 'frames' },
  }),
];
