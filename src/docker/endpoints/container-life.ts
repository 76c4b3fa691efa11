/** The life of a container, from its start to its removal. */

import { empty, endpoint, lines } from '../endpoint.ts';
import { hostPath, makes, own, repeatedProse, uses } from '../marks.ts';
import { bool, int, object, since, text, word } from '../shape.ts';
import { borrowed, container } from './container-parameter.ts';

const stopping = { t: int(own), signal: since('1.42', text(own)) };

export const containerLifeEndpoints = [
  endpoint({
    id: 'ContainerStart',
    summary: 'Start a container',
    method: 'POST',
    path: '/containers/{id}/start',
    risk: 'write',
    repeats: true,
    parameters: borrowed,
    query: {
      detachKeys: text(own),
      checkpoint: text(uses('checkpoint')),
      'checkpoint-dir': text(hostPath('read')),
    },
    answer: empty,
  }),
  endpoint({
    id: 'ContainerStop',
    summary: 'Stop a container',
    method: 'POST',
    path: '/containers/{id}/stop',
    risk: 'write',
    parameters: container,
    query: stopping,
    answer: empty,
  }),
  endpoint({
    id: 'ContainerRestart',
    summary: 'Stop a container and start it again',
    method: 'POST',
    path: '/containers/{id}/restart',
    risk: 'write',
    repeats: true,
    parameters: borrowed,
    query: stopping,
    answer: empty,
  }),
  endpoint({
    id: 'ContainerKill',
    summary: 'Send a signal to a container',
    method: 'POST',
    path: '/containers/{id}/kill',
    risk: 'write',
    parameters: container,
    query: { signal: text(own) },
    answer: empty,
  }),
  endpoint({
    id: 'ContainerPause',
    summary: 'Freeze a container',
    method: 'POST',
    path: '/containers/{id}/pause',
    risk: 'write',
    parameters: container,
    answer: empty,
  }),
  endpoint({
    id: 'ContainerUnpause',
    summary: 'Thaw a container',
    method: 'POST',
    path: '/containers/{id}/unpause',
    risk: 'write',
    parameters: container,
    answer: empty,
  }),
  endpoint({
    id: 'ContainerWait',
    summary: 'Wait until a container has stopped',
    method: 'POST',
    path: '/containers/{id}/wait',
    risk: 'read',
    parameters: container,
    query: { condition: since('1.30', word(['not-running', 'next-exit', 'removed'], own)) },
    // Its head comes at once, and clients wait for that; its one document when the container has ended.
    answer: lines(object({ StatusCode: int(), Error: since('1.34', object({ Message: text(repeatedProse) })) })),
  }),
  endpoint({
    id: 'ContainerResize',
    summary: "Resize a container's terminal",
    method: 'POST',
    path: '/containers/{id}/resize',
    risk: 'exec',
    parameters: container,
    query: { h: int(own), w: int(own) },
    answer: empty,
  }),
  endpoint({
    id: 'ContainerRename',
    summary: 'Give a container another name',
    method: 'POST',
    path: '/containers/{id}/rename',
    risk: 'write',
    parameters: container,
    query: { name: text(makes('container')) },
    answer: empty,
  }),
  endpoint({
    id: 'ContainerDelete',
    summary: 'Remove a container',
    method: 'DELETE',
    path: '/containers/{id}',
    risk: 'write',
    parameters: container,
    // With `link`, what is removed is the link that the path names as `/parent/alias`.
    query: { v: bool(own), force: bool(own), link: bool(own) },
    answer: empty,
  }),
];
