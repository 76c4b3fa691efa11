// RED-TEAM 70: what is open without authentication tells and changes little.
import net, { type AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type AdminSources, makeAdminServer } from '../../../src/operate/admin/admin-server.ts';
import { type NamespaceAdministration, namespacesApi } from '../../../src/operate/admin/namespaces-api.ts';

const local = { name: 'local', up: true, since: '2026-01-01T00:00:00.000Z', version: '20.10.24', reason: null };
const gateway = { address: '127.0.0.1:5350', up: true, reason: null };

async function admin(
  facts: Partial<AdminSources> = {},
  namespaces: NamespaceAdministration | null = null,
  stalledMs?: number,
  requestMs?: number,
): Promise<string> {
  const sockets = new Set<net.Socket>();
  const handed = makeAdminServer(
    {
      version: '0.1.0',
      readiness: async () => ({ draining: false, engines: [local], gateways: [gateway] }),
      metrics: async () => 'berthgate_up 1\n',
      roots: () => null,
      ...facts,
    },
    namespaces === null ? [] : [namespacesApi(namespaces)],
    stalledMs,
    requestMs,
  );
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    handed.accept(socket);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('it is alive when it answers', async () => {
  const answer = await fetch(`${await admin()}/healthz`);
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual({ status: 'alive', version: '0.1.0' });
});

test('it is ready when its engines answer, and says which does not', async () => {
  const ready = await fetch(`${await admin()}/readyz`);
  expect(ready.status).toBe(200);
  expect(await ready.json()).toEqual({ ready: true, engines: [local], gateways: [gateway] });
  const down = { ...local, name: 'far', up: false, reason: 'the engine is not reachable' };
  const away = { ...gateway, up: false, reason: 'address in use' };
  const readiness = async () => ({ draining: false, engines: [local, down], gateways: [away] });
  const unready = await fetch(`${await admin({ readiness })}/readyz`);
  expect(unready.status).toBe(503);
  expect(await unready.json()).toMatchObject({
    ready: false,
    reason: 'engine far: the engine is not reachable; gateway 127.0.0.1:5350: address in use',
  });
});

test('it is not ready while it drains', async () => {
  const url = await admin({ readiness: async () => ({ draining: true, engines: [local], gateways: [gateway] }) });
  const answer = await fetch(`${url}/readyz`);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ reason: 'shutting down' });
});

test('it says where the firewall is missing, and is not ready where it must be there', async () => {
  const reasons = ['changing the packet filter needs root (CAP_NET_ADMIN)'];
  const firewall = { inPlace: false, required: false, missing: reasons };
  const ready = await fetch(
    `${await admin({ readiness: async () => ({ draining: false, engines: [local], gateways: [gateway], firewall }) })}/readyz`,
  );
  expect(ready.status).toBe(200);
  expect(await ready.json()).toEqual({ ready: true, engines: [local], gateways: [gateway], firewall });
  const required = { ...firewall, required: true };
  const url = await admin({
    readiness: async () => ({ draining: false, engines: [local], gateways: [gateway], firewall: required }),
  });
  const unready = await fetch(`${url}/readyz`);
  expect(unready.status).toBe(503);
  expect(await unready.json()).toMatchObject({ ready: false, reason: `firewall: ${reasons[0]}` });
});

test('metrics are in the format of Prometheus', async () => {
  const answer = await fetch(`${await admin()}/metrics`);
  expect(answer.headers.get('content-type')).toContain('version=0.0.4');
  expect(await answer.text()).toBe('berthgate_up 1\n');
});

test('nothing else is served, and nothing is changed', async () => {
  const url = await admin();
  for (const path of ['/', '/metrics/', '/debug/pprof', '/api/v1', '/containers/json']) {
    expect((await fetch(`${url}${path}`)).status).toBe(404);
  }
  for (const method of ['POST', 'PUT', 'DELETE']) expect((await fetch(`${url}/metrics`, { method })).status).toBe(405);
  const head = await fetch(`${url}/metrics`, { method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
});

test('what fails is told without its insides', async () => {
  const url = await admin({ metrics: () => Promise.reject(new Error('secret place')) });
  const answer = await fetch(`${url}/metrics`);
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain('secret');
});

const some: NamespaceAdministration = {
  isNamespace: (text) => /^[a-z]+$/.test(text),
  list: async () => [],
  show: async () => [],
  remove: async (_, onLine) => onLine({ step: 'done', complete: true }),
};

test('what is reached over a port tells and changes nothing of namespaces', async () => {
  const open = await admin();
  for (const method of ['GET', 'DELETE']) {
    expect((await fetch(`${open}/api/namespaces/alice`, { method })).status).toBe(404);
  }
  expect((await fetch(`${await admin({}, some)}/api/namespaces`)).status).toBe(200);
});

test('a namespace is removed by DELETE alone, and by a name that can be one', async () => {
  const owner = await admin({}, some);
  const asked = async (method: string, path: string) =>
    (await fetch(`${owner}/api/namespaces${path}`, { method })).status;
  expect(await asked('DELETE', '')).toBe(405);
  expect(await asked('POST', '/alice')).toBe(405);
  expect(await asked('DELETE', '/..%2falice')).toBe(400);
  expect(await asked('GET', '/alice')).toBe(404);
  const removed = await fetch(`${owner}/api/namespaces/alice`, { method: 'DELETE' });
  expect(await removed.text()).toBe('{"step":"done","complete":true}\n');
});

test('what containers are made to trust can be had by everybody, where there is something', async () => {
  expect((await fetch(`${await admin()}/ca.crt`)).status).toBe(404);
  const answer = await fetch(`${await admin({ roots: () => 'PEM\n' })}/ca.crt`);
  expect([answer.status, await answer.text()]).toEqual([200, 'PEM\n']);
});

test('what an administrator asks for may take long, and nobody else holds a connection for it', async () => {
  let begun: (finish: (metrics: string) => void) => void = () => {};
  const asked = new Promise<(metrics: string) => void>((resolve) => {
    begun = resolve;
  });
  const metrics = (): Promise<string> => new Promise((resolve) => begun(resolve));
  const owners = fetch(`${await admin({ metrics }, {} as NamespaceAdministration, 100)}/metrics`);
  const finish = await asked;
  const endless = await admin({ metrics: () => new Promise(() => {}) }, null, 100);
  // Twice as long as nothing may move.
  for (let i = 0; i < 2; i++) await expect(fetch(`${endless}/metrics`)).rejects.toThrow();
  finish('late\n');
  expect(await (await owners).text()).toBe('late\n');
});

test('who does not say what it wants is let go after a while', async () => {
  const impatient = await admin({}, null, undefined, 50);
  const told = (words: string, url = impatient): Promise<string> =>
    new Promise((resolve) => {
      let said = '';
      const client = net.connect(Number(new URL(url).port), '127.0.0.1', () => client.write(words));
      client.on('data', (bytes) => {
        said += bytes;
      });
      client.on('error', () => {});
      client.once('close', () => resolve(said));
    });
  expect(await told('GET /metrics HTTP/1.1\r\nHo')).toMatch(/^HTTP\/1\.1 408 /);
  expect(await told('')).toMatch(/^HTTP\/1\.1 408 |^$/);
  // The control: who says all of it gets it.
  const whole = 'GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
  expect(await told(whole, await admin())).toContain('berthgate_up 1');
});
