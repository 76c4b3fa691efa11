/** Containers: made, listed, looked at, changed and swept away. */

import { endpoint, json, jsonBody } from '../endpoint.ts';
import { imageReference } from '../grammars/image-reference.ts';
import { mountPlace } from '../grammars/mount-place.ts';
import { port } from '../grammars/port.ts';
import { psArguments } from '../grammars/ps-arguments.ts';
import { labels, makes, own, prose, uses } from '../marks.ts';
import { bool, filters, int, language, list, neutral, object, text, word } from '../shape.ts';
import { containerConfig } from '../shapes/container-config.ts';
import { containerInspect } from '../shapes/container-inspect.ts';
import { containerUpdate } from '../shapes/container-resources.ts';
import { containerStates, containerSummary, healthStates } from '../shapes/container-summary.ts';
import { hostConfig, legacyHostFields } from '../shapes/host-config.ts';
import { networkingConfig } from '../shapes/networking-config.ts';
import { container } from './container-parameter.ts';

const warnings = list(text(prose));

export const containerEndpoints = [
  endpoint({
    id: 'ContainerList',
    summary: 'List containers',
    method: 'GET',
    path: '/containers/json',
    risk: 'read',
    query: {
      all: bool(own),
      limit: int(own),
      size: bool(own),
      filters: filters({
        ancestor: language(imageReference),
        before: text(uses('container')),
        since: text(uses('container')),
        id: text(uses('container', 'pattern')),
        name: text(uses('container', 'pattern')),
        label: text(labels),
        network: text(uses('network')),
        volume: language(mountPlace),
        exited: text(own),
        expose: language(port),
        publish: language(port),
        health: word(healthStates, own),
        isolation: text(own),
        'is-task': text(own),
        status: word(containerStates, own),
      }),
    },
    answer: json(list(containerSummary)),
    shareable: true,
  }),
  endpoint({
    id: 'ContainerCreate',
    summary: 'Make a container',
    method: 'POST',
    path: '/containers/create',
    risk: 'write',
    fills: true,
    query: { name: text(makes('container')), platform: text(own) },
    body: jsonBody(
      object({
        ...legacyHostFields,
        ...containerConfig.fields,
        HostConfig: hostConfig,
        NetworkingConfig: networkingConfig,
      }),
    ),
    answer: json(object({ Id: text(uses('container', 'id')), Warnings: warnings })),
  }),
  endpoint({
    id: 'ContainerInspect',
    summary: 'Inspect a container',
    method: 'GET',
    path: '/containers/{id}/json',
    risk: 'read',
    shareable: true,
    parameters: container,
    query: { size: bool(own) },
    answer: json(containerInspect),
  }),
  endpoint({
    id: 'ContainerTop',
    summary: 'List the processes of a container',
    method: 'GET',
    path: '/containers/{id}/top',
    risk: 'read',
    parameters: container,
    query: { ps_args: neutral(language(psArguments), '-ef') },
    answer: json(object({ Titles: list(text()), Processes: list(list(text())) })),
  }),
  endpoint({
    id: 'ContainerChanges',
    summary: "List what has changed in a container's files since its image",
    method: 'GET',
    path: '/containers/{id}/changes',
    risk: 'read',
    parameters: container,
    answer: json(list(object({ Path: text(), Kind: int() }))),
  }),
  endpoint({
    id: 'ContainerUpdate',
    summary: 'Change the limits of a container',
    method: 'POST',
    path: '/containers/{id}/update',
    risk: 'write',
    parameters: container,
    body: jsonBody(containerUpdate),
    answer: json(object({ Warnings: warnings })),
  }),
  endpoint({
    id: 'ContainerPrune',
    summary: 'Remove all stopped containers',
    method: 'POST',
    path: '/containers/prune',
    risk: 'write',
    since: '1.25',
    query: { filters: filters({ until: text(own), label: text(labels), 'label!': text(labels) }) },
    answer: json(object({ ContainersDeleted: list(text(uses('container', 'id'))), SpaceReclaimed: int() })),
  }),
];
