/** The options of `limits`. */

import { z } from 'zod';
import { formatSize } from '../../../ground/size.ts';
import { lastingDuration, size } from '../../../operate/config/schema/quantities.ts';

const over = z
  .enum(['refuse', 'lower'])
  .default('refuse')
  .meta({ description: 'What becomes of a call that asks for more: it is refused, or gets the most, with a warning.' });

const bytes = z.strictObject({
  default: size().optional().meta({ description: 'Where the client says nothing; absent: the most.' }),
  max: size().optional().meta({ description: 'The most.' }),
  over,
});

const cpus = z.strictObject({
  default: z.number().min(0.01).max(10_000).optional().meta({ description: 'As `bytes`; processors, as 1.5.' }),
  max: z.number().min(0.01).max(10_000).optional(),
  over,
});

const count = z.strictObject({
  default: z.int().min(1).optional(),
  max: z.int().min(1).optional(),
  over,
});

const ulimit = z.strictObject({
  default: z.int().min(0).optional().meta({ description: 'The soft and the hard limit where the client says none.' }),
  max: z.int().min(0).optional().meta({ description: 'The most; what is above, or without limit, is lowered to it.' }),
});

const logs = z.strictObject({
  maxSize: size(1024).optional().meta({ description: 'The most bytes of one file (json-file, local).' }),
  maxFiles: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .meta({ description: 'The most files; `maxSize` must stand beside it.' }),
});

const many = z.int().min(0);

const total = z.strictObject({
  containers: many.optional().meta({ description: 'Containers that exist, running or not; so with all of these.' }),
  memory: size().optional().meta({ description: 'Memory of all containers; needs `memory` with a default or a max.' }),
  cpus: z.number().positive().optional().meta({ description: 'Needs `cpus` with a default or a max.' }),
  ports: many.optional().meta({ description: 'Published ports.' }),
  volumes: many.optional().meta({ description: 'Volumes, also those that containers have brought along.' }),
  networks: many.optional(),
  streams: many.optional().meta({ description: 'Open streams: attach, exec, logs, events, stats, files, builds.' }),
  builds: many.optional().meta({ description: 'Builds at one time.' }),
  imageBytes: size().optional().meta({ description: 'Of images that containers use, or that were pulled or named.' }),
  layerBytes: size().optional().meta({ description: 'Of what containers have written over their images.' }),
  volumeBytes: size().optional().meta({ description: 'Of volumes.' }),
  buildCacheBytes: size().optional().meta({
    description: "Of what builds have left since Berthgate was started: BuildKit's cache, and images without a name.",
  }),
});

export const limitsOptions = z
  .strictObject({
    memory: bytes.optional(),
    swap: bytes.optional().meta({ description: 'Memory and swap together; absent: at most twice the most memory.' }),
    cpus: cpus.optional(),
    pids: count.optional().meta({ description: 'Processes of a container.' }),
    shm: bytes.optional().meta({ description: 'The size of /dev/shm.' }),
    ulimits: z.record(z.string().regex(/^[a-z]+$/), ulimit).optional(),
    logs: logs.optional(),
    lifetime: lastingDuration().optional().meta({ description: 'A container that is older is stopped.' }),
    total: total.optional().meta({
      description: 'What one user may hold on the engine; on a listener with a namespace: what one namespace may.',
    }),
  })
  .superRefine(({ memory, swap, cpus, pids, shm, logs, total }, ctx) => {
    const object = (path: readonly string[], message: string): void =>
      ctx.addIssue({ code: 'custom', path: [...path], message });
    for (const [name, bound] of Object.entries({ memory, swap, cpus, pids, shm })) {
      if (bound?.default !== undefined && bound.max !== undefined && bound.default > bound.max) {
        object([name, 'default'], 'must not be above `max`');
      }
    }
    if (memory?.max !== undefined && swap?.max !== undefined && swap.max < memory.max) {
      object(['swap', 'max'], `holds the memory too: at least ${formatSize(memory.max)}`);
    }
    if (total?.memory !== undefined && memory?.default === undefined && memory?.max === undefined) {
      object(['total', 'memory'], 'needs `memory` with a default or a max: what is without limit cannot be summed up');
    }
    if (total?.cpus !== undefined && cpus?.default === undefined && cpus?.max === undefined) {
      object(['total', 'cpus'], 'needs `cpus` with a default or a max: what is without limit cannot be summed up');
    }
    if (logs?.maxFiles !== undefined && logs.maxSize === undefined) object(['logs', 'maxFiles'], 'needs `maxSize`');
  });

export type LimitsOptions = z.output<typeof limitsOptions>;
export type Totals = NonNullable<LimitsOptions['total']>;

/** How one number is bounded. */
export interface Bound {
  readonly default: number | undefined;
  readonly max: number | undefined;
  readonly over: 'refuse' | 'lower';
}
