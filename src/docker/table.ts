/** The API as one table: every endpoint that is known, served or not. */

import type { Endpoint } from './endpoint.ts';
import { checkpointEndpoints } from './endpoints/checkpoints.ts';
import { containerFileEndpoints } from './endpoints/container-files.ts';
import { containerLifeEndpoints } from './endpoints/container-life.ts';
import { containerStreamEndpoints } from './endpoints/container-streams.ts';
import { containerEndpoints } from './endpoints/containers.ts';
import { execEndpoints } from './endpoints/exec.ts';
import type { ApiVersion } from './shape.ts';

export const table: readonly Endpoint[] = [
  ...containerEndpoints,
  ...containerLifeEndpoints,
  ...containerStreamEndpoints,
  ...containerFileEndpoints,
  ...checkpointEndpoints,
  ...execEndpoints,
];

/** The versions of the API that the table describes whole. */
export const oldestVersion: ApiVersion = '1.24';
export const newestVersion: ApiVersion = '1.56';
