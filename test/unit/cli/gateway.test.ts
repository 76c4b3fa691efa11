import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../engines/registry.ts';
import { builtProgram, serve, temporaryFolder, until } from './built-program.ts';
import { type SmallEngine, startSmallEngine } from './small-engine.ts';

let upstream: SmallEngine;

beforeAll(async () => {
  builtProgram();
  upstream = await startSmallEngine();
}, 60_000);

afterAll(() => upstream.stop());

interface Said {
  readonly status: number;
  readonly body: string;
}

function ask(where: http.RequestOptions): Promise<Said> {
  return new Promise((resolve, reject) => {
    const call = http.get({ agent: false, ...where }, (answer) => {
      let body = '';
      answer.on('data', (some) => {
        body += String(some);
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
    });
    call.on('error', reject);
  });
}

function configure(folder: string, namespace: string | null, gateway: string | null): string {
  const file = join(folder, 'berthgate.yaml');
  const listener = { name: 'people', url: `unix://${join(folder, 'people.sock')}`, auth: ['anonymous'], policies: [] };
  writeFileSync(
    file,
    JSON.stringify({
      state: join(folder, 'state'),
      engines: [{ name: 'local', url: `unix://${upstream.path}`, gateway }],
      listeners: [{ ...listener, namespace }],
      admin: { url: `unix://${join(folder, 'admin.sock')}` },
      // The packet filter of the machine is not the tests'.
      firewall: { apply: false },
    }),
  );
  return file;
}

test('a server with a namespace has a gateway, which answers strangers with nothing', async () => {
  const folder = temporaryFolder();
  const port = await freePort();
  const file = configure(folder, 'alice', `127.0.0.1:${port}`);
  const running = await serve(file);
  for (const host of ['127.0.0.1', '127.0.0.2']) {
    expect(await ask({ host, port, path: '/v2/' }), host).toEqual({
      status: 401,
      body: '{"errors":[{"code":"UNAUTHORIZED","message":"no right to this"}]}',
    });
  }
  const ready = await ask({ socketPath: join(folder, 'admin.sock'), path: '/readyz' });
  expect(JSON.parse(ready.body)).toMatchObject({ ready: true, gateways: [{ address: `127.0.0.1:${port}`, up: true }] });
  const metrics = await ask({ socketPath: join(folder, 'admin.sock'), path: '/metrics' });
  expect(metrics.body).toContain('berthgate_gateway_requests_total{kind="root",status="401"} 2');
  // A reload that wants none ends it.
  configure(folder, 'alice', null);
  running.kill('SIGHUP');
  await running.hears(/configuration read again/);
  await expect(ask({ host: '127.0.0.1', port, path: '/v2/' })).rejects.toThrow('ECONNREFUSED');
  running.kill('SIGTERM');
  expect((await running.exit).code).toBe(0);
});

test('without a namespace nobody needs a gateway, and there is none', async () => {
  const folder = temporaryFolder();
  const port = await freePort();
  const running = await serve(configure(folder, null, `127.0.0.1:${port}`));
  await expect(ask({ host: '127.0.0.1', port, path: '/v2/' })).rejects.toThrow('ECONNREFUSED');
  running.kill('SIGTERM');
  expect((await running.exit).code).toBe(0);
});

test('an address that somebody else has is taken as soon as it is free, and readiness says so meanwhile', async () => {
  const folder = temporaryFolder();
  const port = await freePort();
  const squatter = net.createServer();
  await new Promise<void>((resolve) => void squatter.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => void squatter.close());
  const running = await serve(configure(folder, 'alice', `127.0.0.1:${port}`));
  const readyz = (): Promise<Said> => ask({ socketPath: join(folder, 'admin.sock'), path: '/readyz' });
  const meanwhile = await readyz();
  expect(meanwhile.status).toBe(503);
  expect(JSON.parse(meanwhile.body).reason).toContain(`gateway 127.0.0.1:${port}`);
  expect(JSON.parse(meanwhile.body).reason).toContain('EADDRINUSE');
  await new Promise((resolve) => squatter.close(resolve));
  await running.hears(/the gateway is up/);
  expect((await readyz()).status).toBe(200);
  expect((await ask({ host: '127.0.0.1', port, path: '/v2/' })).status).toBe(401);
});

test('another process that takes over has the gateway, too', async () => {
  const folder = temporaryFolder();
  const port = await freePort();
  const file = configure(folder, 'alice', `127.0.0.1:${port}`);
  const first = await serve(file);
  const second = await serve(file, ['--take-over']);
  expect((await first.exit).code).toBe(0);
  expect((await ask({ host: '127.0.0.1', port, path: '/v2/' })).status).toBe(401);
  await until(
    () => !second.ended,
    () => 'the second one has ended',
  );
  second.kill('SIGTERM');
  expect((await second.exit).code).toBe(0);
  await expect(ask({ host: '127.0.0.1', port, path: '/v2/' })).rejects.toThrow('ECONNREFUSED');
});
