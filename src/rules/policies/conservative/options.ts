/** What an administrator can set of `conservative`. */

import { z } from 'zod';
import { cidr, ipAddress } from '../../../operate/config/schema/addresses.ts';
import { listOf, nameGlob, word } from '../../../operate/config/schema/names.ts';
import { portRange } from '../../../operate/config/schema/quantities.ts';
import type { AllowedValue } from './allowed.ts';

const allowedValue: z.ZodType<AllowedValue> = z.lazy(() =>
  z.union([z.string(), z.number(), z.boolean(), z.record(z.string(), allowedValue)]),
);

const allow = z
  .object({
    binds: listOf(word('a path of the host, with :ro where it must be read-only')).optional().meta({
      description:
        'Folders of the host that may be mounted: `/srv/cache`, `/srv/cache:ro`, and `/srv/data/**:ro` with what is in it.',
    }),
  })
  .catchall(listOf(allowedValue));

const most = z.int().min(0);

export const options = z.strictObject({
  allow: allow.prefault({}).meta({
    description:
      'Single values that are refused otherwise, by their place: `HostConfig.CapAdd: [SYS_PTRACE]`. Texts may be patterns.',
  }),
  ports: z
    .strictObject({
      address: ipAddress().optional().meta({
        description:
          'The address of the host that ports are published at. Default: 127.0.0.1. In a namespace the listener says it.',
      }),
      range: portRange().optional().meta({
        description: 'The ports of the host that may be asked for. Default: those of the listener, or 1024-65535.',
      }),
    })
    .prefault({})
    .meta({ description: 'Published ports.' }),
  subnets: listOf(cidr()).optional().meta({
    description:
      'Where networks may bring a subnet of their own. Default: `networks.allowed` of the listener, or nowhere.',
  }),
  registries: listOf(nameGlob(), 1).optional().meta({
    description:
      'Hosts that may be pulled from, pushed to and logged in to. Absent: all names of two or more parts, and no addresses.',
  }),
  restarts: z.int().min(1).max(1000).default(10).meta({
    description: 'How often a container that failed is started again. Restarting for ever becomes this.',
  }),
  ulimits: z
    .record(z.string().regex(/^[a-z]+$/), most)
    .default({
      nofile: 1_048_576,
      nproc: 65_536,
      memlock: 1_073_741_824,
      msgqueue: 819_200,
      sigpending: 65_536,
      rtprio: 0,
      nice: 0,
    })
    .meta({
      description: 'The most that a container may ask for of each limit of the kernel; others are not bounded.',
    }),
});

export type Options = z.output<typeof options>;
