/** How Berthgate itself is watched, kept tidy and ended. */

import { z } from 'zod';
import { adminUrl, httpListenUrl } from './addresses.ts';
import { file, listOf, oneOf } from './names.ts';
import { authenticatorUse } from './plugin-use.ts';
import { duration, gracePeriod, percent } from './quantities.ts';
import { serverTls } from './tls.ts';

export const admin = z.strictObject({
  metrics: httpListenUrl().nullable().prefault(null).meta({
    description:
      'Where `/metrics`, `/healthz`, `/readyz` and `/ca.crt` are served, and nothing else: loopback is no boundary between local users.',
  }),
  url: adminUrl().nullable().prefault(null).meta({
    description:
      'For operators: a socket of mode 0600, or `tcp://` with `tls` and `auth`. Serves what `metrics` does, and what `berthgate namespaces`, `jobs`, `cache` and `gc` ask; the dashboard is not there yet.',
    effect: 'none yet',
    beginning: 'tcp://',
  }),
  tls: serverTls.meta({ description: 'TLS of `url`.', effect: 'none yet' }).optional(),
  auth: listOf(authenticatorUse()).prefault([]).meta({
    description: 'Who may use `url` where it is `tcp://`: authenticators as of a listener.',
    effect: 'none yet',
  }),
});

export const gc = z.strictObject({
  high: percent().prefault('85%').meta({
    description:
      "How full the engine's disk may get before things are removed; while it is fuller, creates, pulls, loads, commits and builds get 507.",
  }),
  low: percent().prefault('70%').meta({ description: 'Down to where they are removed; less than `high`.' }),
  keepImages: duration().prefault('24h').meta({
    description:
      'For how long an image that a job has pulled stays on the engine for the next one, where the disk has room.',
  }),
  idleNamespaces: duration().nullable().prefault(null).meta({
    description:
      'After how long without a call a namespace in which no container runs may be removed, with its volumes and all else, when its turn comes while the disk is too full: the longest unused goes first. At least `24h`; absent: never. Counted from the start of the server where nothing is known from before.',
  }),
});

export const shutdown = z.strictObject({
  grace: gracePeriod().prefault('30s').meta({ description: 'How long running streams may go on after SIGTERM.' }),
});

export const log = z.strictObject({
  level: oneOf('trace', 'debug', 'info', 'warn', 'error').prefault('info').meta({ description: 'How much is logged.' }),
  format: oneOf('json', 'text').prefault('json').meta({
    description: 'One JSON object a line, or text for people. A change counts from the next start.',
  }),
  audit: file().nullable().prefault(null).meta({
    description:
      'The file of audit entries: what policies refused or changed, and what containers have downloaded through the cache. Opened anew with SIGHUP.',
  }),
});
