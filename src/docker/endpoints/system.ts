/** The engine itself. */

import { empty, endpoint, json, jsonBody, lines } from '../endpoint.ts';
import { credential, labels, own, prose, reveals, uses } from '../marks.ts';
import { bool, filters, list, map, object, since, text } from '../shape.ts';
import { diskUsage } from '../shapes/disk-usage.ts';
import { event } from '../shapes/event.ts';
import { triedAuth } from '../shapes/registry-auth.ts';
import { systemInfo } from '../shapes/system-info.ts';

const pingHeaders = {
  'api-version': text(),
  'builder-version': since('1.38', text()),
  'docker-experimental': text(),
  ostype: text(),
  swarm: since('1.42', text(reveals('host'))),
};

export const systemEndpoints = [
  endpoint({
    id: 'SystemPing',
    summary: 'Ask whether an engine is there, and which version it speaks',
    method: 'GET',
    path: '/_ping',
    risk: 'ping',
    shareable: true,
    answer: { travel: 'text' },
    answerHeaders: pingHeaders,
  }),
  endpoint({
    id: 'SystemPingHead',
    summary: 'Ask whether an engine is there, and which version it speaks',
    method: 'HEAD',
    path: '/_ping',
    risk: 'ping',
    answer: empty,
    answerHeaders: pingHeaders,
  }),
  endpoint({
    id: 'SystemVersion',
    summary: 'Show the versions of the engine and its parts',
    method: 'GET',
    path: '/version',
    risk: 'ping',
    shareable: true,
    answer: json(
      object({
        Platform: since('1.35', object({ Name: text() })),
        Components: since('1.35', list(object({ Name: text(), Version: text(), Details: map(text()) }))),
        Version: text(),
        ApiVersion: text(),
        MinAPIVersion: text(),
        GitCommit: text(),
        GoVersion: text(),
        Os: text(),
        Arch: text(),
        KernelVersion: text(),
        Experimental: bool(),
        BuildTime: text(),
      }),
    ),
  }),
  endpoint({
    id: 'SystemInfo',
    summary: 'Show what the engine and its host are like',
    marks: [reveals('host')],
    method: 'GET',
    path: '/info',
    risk: 'read',
    shareable: true,
    answer: json(systemInfo),
  }),
  endpoint({
    id: 'SystemEvents',
    summary: 'Follow what happens on the engine',
    method: 'GET',
    path: '/events',
    risk: 'read',
    query: {
      since: text(own),
      until: text(own),
      filters: filters({
        config: text(uses('config')),
        container: text(uses('container')),
        daemon: text(own),
        event: text(own),
        image: text(uses('image')),
        label: text(labels),
        network: text(uses('network')),
        node: text(uses('node')),
        plugin: text(uses('plugin')),
        scope: text(own),
        secret: text(uses('secret')),
        service: text(uses('service')),
        type: text(own),
        volume: text(uses('volume', 'name')),
      }),
    },
    answer: lines(event),
  }),
  endpoint({
    id: 'SystemDataUsage',
    summary: 'Show what takes how much of the disk',
    method: 'GET',
    path: '/system/df',
    risk: 'read',
    since: '1.25',
    shareable: true,
    query: { type: since('1.42', list(text(own))), verbose: since('1.52', bool(own)) },
    answer: json(diskUsage),
  }),
  endpoint({
    id: 'SystemAuth',
    summary: 'Have the engine try credentials at a registry',
    method: 'POST',
    path: '/auth',
    risk: 'transfer',
    body: jsonBody(triedAuth),
    answer: json(object({ Status: text(prose), IdentityToken: text(credential) })),
  }),
  endpoint({
    id: 'SystemOptions',
    summary: 'Ask what may be asked: the answer is always empty',
    method: 'OPTIONS',
    path: '*',
    risk: 'ping',
    undocumented: 'daemon/server/router/system/system.go',
    answer: empty,
  }),
];
