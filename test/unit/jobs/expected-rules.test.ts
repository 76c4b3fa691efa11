// Clients come in on a listener as soon as it is open, before the configuration that it belongs to counts as a whole.

import { expect, test } from 'vitest';
import { Jobs } from '../../../src/cli/serve/jobs.ts';
import { emptyDesk } from '../../../src/exchange/engine-desk.ts';
import { EventFeed } from '../../../src/exchange/event-feed.ts';
import { ReadBuffers } from '../../../src/wire/read-buffers.ts';

test('who makes a container with a socket on a listener that has just opened finds its rules', async () => {
  const desk = emptyDesk('engine');
  const jobs = new Jobs({} as never, new ReadBuffers(), {} as never);
  jobs.live('/nowhere', { id: 'here', alone: true, onEnded: () => {} });
  const rules = { jobSocket: { groupBy: [], namespace: 'job' }, side: { desk, feed: new EventFeed(desk) } };
  const create = () => jobs.giverFor('ci').give({ body: null, sockets: ['/var/run/docker.sock'] } as never);
  await expect(create()).rejects.toThrow('no sockets of their own');
  const takeBack = jobs.expect(new Map([['ci', rules as never]]));
  // It is read by the rules.
  await expect(create()).rejects.toThrow('needs a body');
  // The configuration is not to be, after all.
  takeBack();
  await expect(create()).rejects.toThrow('no sockets of their own');
});
