/** The API as one table: every endpoint that is known, served or not. */

import type { Endpoint } from './endpoint.ts';
import { buildEndpoints } from './endpoints/build.ts';
import { buildkitMethods } from './endpoints/buildkit.ts';
import { checkpointEndpoints } from './endpoints/checkpoints.ts';
import { commitEndpoints } from './endpoints/commit.ts';
import { configEndpoints } from './endpoints/configs.ts';
import { containerFileEndpoints } from './endpoints/container-files.ts';
import { containerLifeEndpoints } from './endpoints/container-life.ts';
import { containerStreamEndpoints } from './endpoints/container-streams.ts';
import { containerEndpoints } from './endpoints/containers.ts';
import { debugEndpoints } from './endpoints/debug.ts';
import { execEndpoints } from './endpoints/exec.ts';
import { imageEndpoints } from './endpoints/images.ts';
import { networkEndpoints } from './endpoints/networks.ts';
import { nodeEndpoints } from './endpoints/nodes.ts';
import { pluginEndpoints } from './endpoints/plugins.ts';
import { secretEndpoints } from './endpoints/secrets.ts';
import { serviceEndpoints } from './endpoints/services.ts';
import { sessionEndpoints } from './endpoints/session.ts';
import { swarmEndpoints } from './endpoints/swarm.ts';
import { systemEndpoints } from './endpoints/system.ts';
import { taskEndpoints } from './endpoints/tasks.ts';
import { volumeEndpoints } from './endpoints/volumes.ts';
import type { ApiVersion } from './shape.ts';

export const table: readonly Endpoint[] = [
  ...containerEndpoints,
  ...containerLifeEndpoints,
  ...containerStreamEndpoints,
  ...containerFileEndpoints,
  ...checkpointEndpoints,
  ...execEndpoints,
  ...imageEndpoints,
  ...commitEndpoints,
  ...buildEndpoints,
  ...networkEndpoints,
  ...volumeEndpoints,
  ...systemEndpoints,
  ...sessionEndpoints,
  ...pluginEndpoints,
  ...swarmEndpoints,
  ...nodeEndpoints,
  ...serviceEndpoints,
  ...taskEndpoints,
  ...secretEndpoints,
  ...configEndpoints,
  ...debugEndpoints,
];

/** With the calls that travel within a connection of another one. */
export const everyCall: readonly Endpoint[] = [...table, ...buildkitMethods];

/** The versions of the API that the table describes whole. */
export const oldestVersion: ApiVersion = '1.24';
export const newestVersion: ApiVersion = '1.56';
