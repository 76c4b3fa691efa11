/** The whole configuration, and its types. */

import { z } from 'zod';
import { httpUrl } from './addresses.ts';
import { cache } from './cache.ts';
import { engine } from './engines.ts';
import { firewall } from './firewall.ts';
import { listener } from './listeners.ts';
import { file, listOf } from './names.ts';
import { admin, gc, log, shutdown } from './operation.ts';
import { images, outbound, registry } from './registry.ts';

export const configSchema = z.strictObject({
  state: file().prefault('/var/lib/berthgate').meta({
    description:
      'The folder of what must outlive the process, and of the socket over which the next process takes over. Mode 0700. A change counts from the next start.',
  }),
  engines: listOf(engine, 1).meta({ description: 'The Docker engines that calls are forwarded to.' }),
  listeners: listOf(listener, 1).meta({ description: 'The sockets that clients come in on.' }),
  firewall: firewall.prefault({}).meta({ description: 'What keeps the networks of namespaces apart on the host.' }),
  images: images.prefault({}).meta({ description: 'Images of the engine itself.' }),
  cache: cache
    .nullable()
    .prefault(null)
    .meta({ description: 'The HTTP cache for containers, and the store of all that is cached. Absent: none.' }),
  registry: registry.prefault({}).meta({ description: 'The registries that images come from.' }),
  outbound: outbound.prefault({}).meta({
    description:
      'The way out: to registries, to the servers of the cache, to its bucket, and to the key sets of `jwt`.',
  }),
  admin: admin.prefault({}).meta({ description: 'What operators see.' }),
  gc: gc.nullable().prefault(null).meta({
    description:
      "Tidying the engine's disk: what nobody owns goes first. Absent: nothing is removed, and nothing that a job has pulled is kept.",
  }),
  shutdown: shutdown.prefault({}).meta({ description: 'How Berthgate ends.' }),
  log: log.prefault({}).meta({ description: 'What is written down.' }),
  help: httpUrl().nullable().prefault(null).meta({
    description: "The site's own page about refusals: named in the message of every refusal of a policy.",
  }),
});

type DeepReadonly<T> = T extends (infer Entry)[]
  ? readonly DeepReadonly<Entry>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

export type Config = DeepReadonly<z.output<typeof configSchema>>;
export type EngineConfig = Config['engines'][number];
export type ListenerConfig = Config['listeners'][number];
export type ServerTls = NonNullable<ListenerConfig['tls']>;
export type AdminConfig = Config['admin'];
