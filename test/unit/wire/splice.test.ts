// Two connections as one: both halves, both ends, and an end to silence.
import { once } from 'node:events';
import { type Duplex, duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { splice } from '../../../src/wire/splice.ts';

function joined(silentMs?: number) {
  const [client, one] = duplexPair();
  const [other, server] = duplexPair();
  splice(one, other, silentMs);
  return { client, server, middle: [one, other] };
}

async function saidBy(stream: Duplex): Promise<string> {
  let said = '';
  stream.on('data', (bytes) => {
    said += bytes;
  });
  await once(stream, 'end');
  return said;
}

test('what one side says comes to the other, and each direction ends by itself', async () => {
  const { client, server } = joined();
  client.end('asked');
  expect(await saidBy(server)).toBe('asked');
  server.end('answered');
  expect(await saidBy(client)).toBe('answered');
});

test('a fault of one is the end of both, and so is a silence', async () => {
  for (const { middle, fault } of [
    { ...joined(), fault: true },
    { ...joined(1), fault: false },
  ]) {
    const closed = middle.map((one) => once(one, 'close'));
    if (fault) middle[0]?.destroy();
    await Promise.all(closed);
    expect(middle.every(({ destroyed }) => destroyed)).toBe(true);
  }
  // The control: who has time is not ended.
  const { client, server, middle } = joined(600_000);
  const heard = once(server, 'data');
  client.write('asked');
  await heard;
  expect(middle.some(({ destroyed }) => destroyed)).toBe(false);
  middle[0]?.destroy();
});
