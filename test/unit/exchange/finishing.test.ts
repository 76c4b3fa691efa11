// What the engine does to its end whoever has left: a policy that has to know when hears of it.

import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openListener, setupOf } from '../../../src/cli/serve/listener-setup.ts';
import { DockerEngine } from '../../../src/engines/docker-engine.ts';
import { LiveEngineDesk } from '../../../src/exchange/engine-desk.ts';
import type { Identity } from '../../../src/exchange/identity.ts';
import { Listener } from '../../../src/front/listeners/index.ts';
import type { Log } from '../../../src/operate/signals/index.ts';
import { ReadBuffers } from '../../../src/wire/read-buffers.ts';

const silent = { debug: () => {}, info: () => {}, warn: () => {} } as unknown as Log;
const somebody: Identity = { user: 'somebody', groups: [], claims: {}, by: 'test' };
const recorder = { callEnded: () => {}, streamOpened: () => {}, streamClosed: () => {} };
const requests = {
  head: 65_536,
  headers: 200,
  json: 1_000_000,
  depth: 64,
  connections: 100,
  headTimeout: 60_000,
  bodyTimeout: 60_000,
};

/** A client that leaves in the middle of a commit, which the engine holds. */
async function leftInTheMiddle(finishes: boolean) {
  const folder = mkdtempSync(join(tmpdir(), 'bg-left-'));
  const path = join(folder, 'engine.sock');
  const socket = join(folder, 'docker.sock');
  const heard: string[] = [];
  const held = new Promise<http.ServerResponse>((resolve) => {
    const server = http.createServer((request, response) => {
      if (request.url?.includes('/commit')) resolve(response);
      else if (request.url?.endsWith('/version')) response.end('{"ApiVersion":"1.43","MinAPIVersion":"1.12"}');
      else response.writeHead(200, { 'Api-Version': '1.43' }).end('OK');
    });
    server.listen(path);
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
      rmSync(folder, { recursive: true, force: true });
    });
  });
  const buffers = new ReadBuffers();
  const engine = new DockerEngine({ name: 'local', url: { kind: 'unix', path }, buffers });
  const setup = setupOf({
    name: 'people',
    requests,
    builds: null,
    tls: undefined,
    authenticators: [{ name: 'all', challenge: null, identify: () => somebody }],
    policies: [
      {
        name: 'waits',
        judge: (call) => ({
          call,
          rule: 'r',
          changes: [],
          finishes,
          onAnswer: async (_, status) => void heard.push(`answer ${status}`),
          onEnd: () => void heard.push('end'),
        }),
      },
    ],
    engine,
    desk: new LiveEngineDesk(engine),
    namespacing: null,
    help: null,
    recorder,
  });
  const listener = new Listener(setup, buffers, silent);
  await openListener(listener, {
    url: { kind: 'unix', path: socket },
    access: { mode: 0o600 },
    ready: [],
    log: silent,
  });
  onTestFinished(() => {
    listener.stopAccepting(false);
    listener.destroy();
    engine.close();
  });
  const client = http.request({
    socketPath: socket,
    method: 'POST',
    path: '/v1.43/commit?container=web',
    agent: false,
  });
  client.on('error', () => {});
  client.end();
  const response = await held;
  client.destroy();
  await expect.poll(() => listener.connections).toBe(0);
  return { response, heard };
}

test('it is heard to its end, and then ends', async () => {
  const { response, heard } = await leftInTheMiddle(true);
  expect(heard).toEqual([]);
  expect(response.destroyed).toBe(false);
  response.writeHead(201, { 'Content-Type': 'application/json' }).end('{"Id":"sha256:1"}');
  await expect.poll(() => heard).toEqual(['answer 201', 'end']);
});

test('the control: what nobody has to know the end of ends with its client', async () => {
  const { response, heard } = await leftInTheMiddle(false);
  await expect.poll(() => heard).toEqual(['end']);
  await expect.poll(() => response.destroyed).toBe(true);
});
