/** Parameters of builds that are JSON in themselves. */

import { each, oneOf } from '../grammars/one-of.ts';
import { env, own, privilege, uses } from '../marks.ts';
import { embedded, emptyMeans, known, language, list, map, object, text } from '../shape.ts';
import { ulimit } from './container-resources.ts';

const output = privilege('builder', 'an exporter that speaks with registries or writes into the store of the engine');
const proxy = text(
  env,
  privilege('shared', 'not in the key of the build cache: what was built with it is served to others'),
);
const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];

export const buildArgumentMap = known(map(text(env, own), text(env, own)), {
  ...Object.fromEntries(proxies.flatMap((name) => [name, name.toLowerCase()]).map((name) => [name, proxy])),
  BUILDKIT_SYNTAX: text(uses('image', 'name'), privilege('builder', 'an image that runs as the builder itself')),
  BUILDKIT_CACHE_MOUNT_NS: text(privilege('shared', 'says whose cache mounts the build writes into')),
});

export const buildArguments = embedded(buildArgumentMap);

export const ulimits = embedded(list(ulimit));

const attribute = emptyMeans('is an attribute all the same', text(output));

/** Files that go back to the client are harmless; everything else is an exporter in the engine. */
const outputType = oneOf(
  'build-output',
  each(['', 'local', 'tar'], own),
  [output],
  ['image', 'registry', 'docker', 'oci', 'cacheonly', 'Local'],
);

export const outputs = embedded(
  list(object({ Type: language(outputType), Attrs: known(map(attribute, text(own)), { dest: text(own) }) })),
);
