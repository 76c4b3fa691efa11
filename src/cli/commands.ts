/** Every command there is, in the order of the help. */

import { audit } from './audit.ts';
import { cache } from './cache.ts';
import { check } from './check.ts';
import { explain } from './explain/explain.ts';
import { firewall } from './firewall.ts';
import { gc } from './gc.ts';
import { init } from './init.ts';
import { jobs } from './jobs.ts';
import { namespaces } from './namespaces.ts';
import { passthrough } from './passthrough.ts';
import type { AddCommand } from './program.ts';
import { reference } from './reference.ts';
import { run } from './run.ts';
import { serve } from './serve.ts';
import { tokens } from './tokens.ts';

export const commands: readonly AddCommand[] = [
  serve,
  run,
  check,
  explain,
  init,
  namespaces,
  jobs,
  gc,
  cache,
  tokens,
  audit,
  firewall,
  reference,
  passthrough,
];
