/** Images from containers. */

import { endpoint, json, jsonBody } from '../endpoint.ts';
import { dockerfileChange } from '../grammars/dockerfile-change.ts';
import { borrows, makes, own, uses } from '../marks.ts';
import { bool, emptyMeans, language, list, object, text } from '../shape.ts';
import { containerConfig } from '../shapes/container-config.ts';

export const commitEndpoints = [
  endpoint({
    id: 'ImageCommit',
    summary: 'Make an image from a container',
    method: 'POST',
    path: '/commit',
    risk: 'write',
    fills: true,
    query: {
      container: text(uses('container'), borrows),
      repo: text(makes('image')),
      tag: text(own),
      comment: text(own),
      author: text(own),
      pause: emptyMeans('true for engines up to 20.10, false for later ones', bool(own)),
      changes: list(language(dockerfileChange)),
    },
    body: jsonBody(containerConfig, { optional: true }),
    answer: json(object({ Id: text(uses('image', 'id')) })),
  }),
];
