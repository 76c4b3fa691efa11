/** Builds, by the classic builder and by BuildKit, and their cache, which the whole engine shares. */

import { empty, endpoint, json, lines } from '../endpoint.ts';
import { buildContext } from '../grammars/build-context.ts';
import { buildId } from '../grammars/build-id.ts';
import { cacheSource } from '../grammars/cache-source.ts';
import { extraHost } from '../grammars/extra-host.ts';
import { networkMode } from '../grammars/network-mode.ts';
import { securityOption } from '../grammars/security-opt.ts';
import { isolation } from '../grammars/words.ts';
import { makes, own, privilege, resource, uses } from '../marks.ts';
import {
  bool,
  embedded,
  emptyMeans,
  filters,
  firstCounts,
  int,
  language,
  list,
  neutral,
  object,
  since,
  text,
  word,
} from '../shape.ts';
import { buildArguments, outputs, ulimits } from '../shapes/build.ts';
import { labelMap } from '../shapes/labels.ts';
import { buildLine } from '../shapes/progress.ts';
import { pruneFilters } from '../shapes/prune.ts';
import { registryConfig } from '../shapes/registry-auth.ts';

const cache = privilege('shared', "the build cache is everybody's on the engine");

const buildKit = privilege(
  'builder',
  'the way to BuildKit of docker 20.10, by which no source can be judged: take a newer docker, or set DOCKER_BUILDKIT=0',
);

export const buildEndpoints = [
  endpoint({
    id: 'ImageBuild',
    summary: 'Build an image',
    method: 'POST',
    path: '/build',
    risk: 'build',
    fills: true,
    repeats: true,
    query: {
      // docker-py says it a second time with the text of a Dockerfile outside of the context.
      dockerfile: firstCounts(text(own)),
      t: list(text(makes('image'))),
      target: text(own),
      remote: language(buildContext),
      q: bool(own),
      nocache: bool(own),
      pull: bool(own),
      rm: emptyMeans('true, as if it were not said', bool(own)),
      forcerm: bool(own),
      squash: bool(own),
      cachefrom: embedded(list(language(cacheSource))),
      buildargs: buildArguments,
      labels: embedded(labelMap),
      memory: int(resource('bytes', 'memory')),
      memswap: int(resource('bytes', 'memory-and-swap')),
      cpushares: int(resource('cpu-shares')),
      cpuperiod: int(resource('microseconds', 'cpu-period')),
      cpuquota: int(resource('microseconds', 'cpu-quota')),
      cpusetcpus: text(resource('cpus')),
      cpusetmems: text(resource('cpus')),
      cgroupparent: text(privilege('cgroup', 'another place in the tree of cgroups, beside the limits')),
      shmsize: int(resource('bytes', 'shm')),
      ulimits,
      networkmode: language(networkMode),
      extrahosts: list(language(extraHost)),
      securityopt: list(language(securityOption)),
      isolation: language(isolation),
      platform: since('1.32', text(own)),
      session: text(uses('session', 'id')),
      buildid: language(buildId),
      /** 1 is the classic builder, 2 is BuildKit. */
      version: neutral(word(['1', '2'], buildKit), '1'),
      outputs: since('1.40', outputs),
    },
    headers: registryConfig,
    body: { travel: 'tar', optional: true, contentType: 'application/x-tar' },
    answer: lines(buildLine),
  }),
  endpoint({
    id: 'BuildPrune',
    summary: 'Empty the build cache',
    method: 'POST',
    path: '/build/prune',
    risk: 'write',
    marks: [cache],
    since: '1.31',
    query: {
      all: bool(cache),
      'keep-storage': int(cache),
      'reserved-space': since('1.48', int(cache)),
      'max-used-space': since('1.48', int(cache)),
      'min-free-space': since('1.48', int(cache)),
      filters: filters({
        ...pruneFilters,
        description: text(cache),
        id: text(cache),
        inuse: text(cache),
        parent: text(cache),
        private: text(cache),
        shared: text(cache),
        type: text(cache),
        'unused-for': text(cache),
      }),
    },
    answer: json(object({ CachesDeleted: list(text(uses('build', 'id'))), SpaceReclaimed: int() })),
  }),
  endpoint({
    id: 'BuildCancel',
    summary: 'Stop a build by the id that its client gave it',
    method: 'POST',
    path: '/build/cancel',
    risk: 'build',
    undocumented: 'daemon/server/router/build/build.go',
    query: { id: text(uses('build', 'id')) },
    answer: empty,
  }),
];
