import { expect, test } from 'vitest';
import { table } from '../../../src/docker/table.ts';
import { readBody } from '../../../src/exchange/read-call.ts';
import type { Exchange } from '../../../src/wire/inbound.ts';

async function reading(id: string, body: unknown) {
  const bytes = Buffer.from(JSON.stringify(body));
  const head = { framing: { kind: 'length', bytes: bytes.length }, headers: ['Content-Type', 'application/json'] };
  const exchange = { head, readBody: async () => bytes } as never as Exchange;
  const endpoint = table.find((one) => one.id === id);
  return readBody(endpoint!, exchange, { jsonBytes: 65_536, jsonDepth: 16 });
}

test('what dockerode says once more in a body means nothing, and is not sent on', async () => {
  expect(await reading('ContainerCreate', { Image: 'busybox', name: 'web', platform: 'linux/amd64' })).toEqual({
    body: { Image: 'busybox' },
    unknown: [],
  });
  expect(await reading('ImageCommit', { container: 'web', repo: 'image', Cmd: ['true'] })).toEqual({
    body: { Cmd: ['true'] },
    unknown: [],
  });
  expect((await reading('ExecStart', { hijack: true, stdin: true, Detach: false })).unknown).toEqual([]);
});

test('what no query has stays unknown, wherever it stands', async () => {
  const { unknown } = await reading('ContainerCreate', { Image: 'busybox', HostConfig: { name: 'web' }, names: 'web' });
  expect(unknown.map(({ place }) => place)).toEqual(['HostConfig.name', 'names']);
});
