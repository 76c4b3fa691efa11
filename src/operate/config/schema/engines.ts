/** The engines that calls are forwarded to. */

import { z } from 'zod';
import { engineUrl, hostPort } from './addresses.ts';
import { partName } from './names.ts';
import { clientTls } from './tls.ts';

export const engine = z.strictObject({
  name: partName().meta({ description: 'How logs, metrics and listeners call this engine.' }),
  url: engineUrl().meta({ description: 'The socket of dockerd: `unix:///var/run/docker.sock` or `tcp://HOST:PORT`.' }),
  tls: clientTls.meta({ description: 'TLS towards the engine; for `tcp://` only.' }).optional(),
  gateway: hostPort().prefault('127.0.0.1:5350').meta({
    description: 'Where this engine finds the images of namespaces, as the engine reaches it.',
    effect: 'none yet',
  }),
});
