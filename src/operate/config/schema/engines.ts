/** The engines that calls are forwarded to. */

import { z } from 'zod';
import { engineUrl, registryAddress } from './addresses.ts';
import { partName } from './names.ts';
import { clientTls } from './tls.ts';

export const engine = z.strictObject({
  name: partName().meta({ description: 'How logs, metrics and listeners call this engine.' }),
  url: engineUrl().meta({ description: 'The socket of dockerd: `unix:///var/run/docker.sock` or `tcp://HOST:PORT`.' }),
  tls: clientTls.meta({ description: 'TLS towards the engine; for `tcp://` only.' }).optional(),
  gateway: registryAddress().nullable().prefault('127.0.0.1:5350').meta({
    description:
      'Where this engine finds the images of namespaces, as the engine reaches it: Berthgate listens there, and for builds at the address that follows (127.0.0.2:5350; where it is none of 127.0.0.0/8, at the port that follows). null: no gateway.',
  }),
});
