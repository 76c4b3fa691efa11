/** What flows out of containers, and into them. */

import { endpoint, lines } from '../endpoint.ts';
import { own } from '../marks.ts';
import { bool, since, text, word } from '../shape.ts';
import { stats } from '../shapes/stats.ts';
import { borrowed, container } from './container-parameter.ts';

const attaching = {
  detachKeys: text(own),
  logs: bool(own),
  stream: bool(own),
  stdin: bool(own),
  stdout: bool(own),
  stderr: bool(own),
};

/** What opens a websocket (RFC 6455 §4.1). No extension: the engine speaks none, and `Origin` means nothing to it. */
const websocketOpening = {
  'sec-websocket-key': text(own),
  'sec-websocket-version': text(own),
  'sec-websocket-protocol': text(own),
};

export const containerStreamEndpoints = [
  endpoint({
    id: 'ContainerAttach',
    summary: "Attach to a container's input and output",
    method: 'POST',
    path: '/containers/{id}/attach',
    risk: 'exec',
    parameters: borrowed,
    query: attaching,
    body: { travel: 'hijack' },
    answer: { travel: 'hijack' },
  }),
  endpoint({
    id: 'ContainerAttachWebsocket',
    summary: "Attach to a container's input and output over a websocket",
    method: 'GET',
    path: '/containers/{id}/attach/ws',
    risk: 'exec',
    parameters: borrowed,
    // Below 1.42 the three streams cannot be chosen: the engine takes them all.
    query: attaching,
    headers: websocketOpening,
    body: { travel: 'websocket' },
    answer: { travel: 'websocket' },
  }),
  endpoint({
    id: 'ContainerLogs',
    summary: 'Read what a container has written',
    method: 'GET',
    path: '/containers/{id}/logs',
    risk: 'read',
    parameters: container,
    query: {
      follow: bool(own),
      stdout: bool(own),
      stderr: bool(own),
      // Seconds, with a fraction where the client likes.
      since: text(own),
      until: since('1.35', text(own)),
      timestamps: bool(own),
      tail: text(own),
      details: bool(own),
      format: since('1.54', word(['json'], own)),
    },
    answer: { travel: 'frames' },
  }),
  endpoint({
    id: 'ContainerStats',
    summary: 'Follow how much a container takes',
    method: 'GET',
    path: '/containers/{id}/stats',
    risk: 'read',
    parameters: container,
    query: { stream: bool(own), 'one-shot': since('1.41', bool(own)) },
    answer: lines(stats),
  }),
];
