/** The API as one table: every endpoint that is known, served or not. */

import type { Endpoint } from './endpoint.ts';
import { execEndpoints } from './endpoints/exec.ts';

export const table: readonly Endpoint[] = [...execEndpoints];
