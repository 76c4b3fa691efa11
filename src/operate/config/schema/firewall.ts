/** The table in the packet filter of the host that keeps the networks of namespaces apart. */

import { z } from 'zod';
import { addressPort, cidr } from './addresses.ts';
import { expecting } from './field.ts';
import { listOf, word } from './names.ts';

const what = expecting('true, false or auto');

/** Where clouds tell machines about themselves, and give them credentials. */
const METADATA = [
  '169.254.0.0/16',
  '100.100.100.200/32',
  '168.63.129.16/32',
  '192.0.0.192/32',
  'fd00:ec2::254/128',
  'fd20:ce::254/128',
];

export const firewall = z.strictObject({
  apply: z
    .union([z.literal('auto', { error: what }), z.boolean({ error: what })], { error: what })
    .meta({ kind: 'true, false or auto' })
    .prefault('auto')
    .meta({
      description:
        'Whether `serve` keeps the table `inet berthgate` for the engines on this host. `auto`: where it can; `/readyz` and the log tell where it cannot. `true`: it must; while the table is missing, `/readyz` is 503 and namespaces get no new networks. `false`: it leaves the packet filter alone.',
    }),
  open: listOf(addressPort()).prefault([]).meta({
    description:
      'What the containers of every namespace may reach at this host, TCP and UDP, beside their own published ports and the name servers of the host.',
  }),
  refuse: listOf(cidr()).prefault(METADATA).meta({
    description:
      'Addresses that no container of a namespace reaches, beside those of the host: the metadata of clouds.',
  }),
  networks: listOf(word('the name of a network')).prefault([]).meta({
    description:
      "The engine's own networks whose containers are held like those of namespaces, such as `bridge`. Networks that are shared are.",
  }),
});
