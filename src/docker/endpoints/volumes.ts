/** Volumes. */

import { empty, endpoint, json, jsonBody } from '../endpoint.ts';
import { volumeDriver } from '../grammars/words.ts';
import { labels, makes, own, privilege, prose, resource, uses } from '../marks.ts';
import { bool, emptyMeans, filters, int, known, language, list, map, marked, object, since, text } from '../shape.ts';
import { everyNode } from '../shapes/cluster-mark.ts';
import { clusterVolumeSpec } from '../shapes/cluster-volume.ts';
import { labelMap } from '../shapes/labels.ts';
import { labelFilters } from '../shapes/prune.ts';
import { volume } from '../shapes/volume.ts';

const named = { name: text(uses('volume', 'name')) };
const mounts = privilege('driver', 'mounts anything of the host: `local` hands type, o and device to mount(2) as root');

const mountOption = emptyMeans('is an option all the same', text(mounts));

export const volumeEndpoints = [
  endpoint({
    id: 'VolumeList',
    summary: 'List volumes',
    method: 'GET',
    path: '/volumes',
    risk: 'read',
    shareable: true,
    query: {
      filters: filters({
        dangling: text(own),
        driver: text(own),
        label: text(labels),
        'label!': text(labels),
        name: text(uses('volume', 'pattern')),
      }),
    },
    answer: json(object({ Volumes: list(volume), Warnings: list(text(prose)) })),
  }),
  endpoint({
    id: 'VolumeInspect',
    summary: 'Inspect a volume',
    method: 'GET',
    path: '/volumes/{name}',
    risk: 'read',
    shareable: true,
    parameters: named,
    answer: json(volume),
  }),
  endpoint({
    id: 'VolumeCreate',
    summary: 'Make a volume, or be shown the one that has the name already',
    method: 'POST',
    path: '/volumes/create',
    risk: 'write',
    body: jsonBody(
      object({
        Name: text(makes('volume')),
        Driver: language(volumeDriver),
        DriverOpts: known(map(mountOption, text(own)), { size: text(resource('bytes')) }),
        Labels: labelMap,
        ClusterVolumeSpec: since(
          '1.42',
          emptyMeans('asks the swarm all the same', marked(clusterVolumeSpec, everyNode)),
        ),
      }),
    ),
    answer: json(volume),
  }),
  endpoint({
    id: 'VolumeUpdate',
    summary: 'Change a volume of the swarm',
    method: 'PUT',
    path: '/volumes/{name}',
    risk: 'cluster',
    since: '1.42',
    parameters: named,
    query: { version: int(everyNode) },
    body: jsonBody(object({ Spec: clusterVolumeSpec })),
    answer: empty,
  }),
  endpoint({
    id: 'VolumeDelete',
    summary: 'Remove a volume',
    method: 'DELETE',
    path: '/volumes/{name}',
    risk: 'write',
    parameters: named,
    query: { force: bool(own) },
    answer: empty,
  }),
  endpoint({
    id: 'VolumePrune',
    summary: 'Remove volumes that no container uses',
    method: 'POST',
    path: '/volumes/prune',
    risk: 'write',
    since: '1.25',
    query: { filters: filters({ ...labelFilters, all: text(own) }) },
    answer: json(object({ VolumesDeleted: list(text(uses('volume', 'name'))), SpaceReclaimed: int() })),
  }),
];
