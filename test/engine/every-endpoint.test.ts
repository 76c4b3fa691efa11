// Every endpoint of the table, called through Berthgate in front of the fake engine with values made from its shapes:
// the engine gets what was meant, and the client gets what the engine answered.
import { createHash } from 'node:crypto';
import http2 from 'node:http2';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Endpoint } from '../../src/docker/endpoint.ts';
import { printPath } from '../../src/docker/match.ts';
import type { Shape } from '../../src/docker/shape.ts';
import { table } from '../../src/docker/table.ts';
import { printJson } from '../../src/ground/json.ts';
import { FakeEngine, type Received } from './fake-engine.ts';
import { type InProcess, serveInFrontOf } from './in-process.ts';
import { ask, RawClient, requestBytes } from './raw-client.ts';
import { Sampler } from './sample.ts';
import { FRAMES, GREETING, sampleAnswer, sampleHeaders, sampleLines, TAR } from './table-answer.ts';

const VERSION = '1.51';
const NASTY = ' ä€😀"\'\\%2f+&=?#;</>';
const served = table.filter(({ risk }) => risk !== 'never');
const ordinary = served.filter(({ answer, path }) => !['websocket', 'h2c'].includes(answer.travel) && path !== '*');

let engine: FakeEngine;
let berthgate: InProcess;

beforeAll(async () => {
  engine = await FakeEngine.start({ tableOnly: true });
  berthgate = await serveInFrontOf(engine.host);
});
afterAll(async () => {
  const faults = berthgate.log().filter(({ level }) => level === 'error');
  await berthgate.stop();
  await engine.stop();
  expect(faults).toEqual([]);
});
beforeEach(() => {
  engine.received.length = 0;
});

interface Meant {
  readonly parameters: Readonly<Record<string, string>>;
  /** As a client writes it, and as it is to be printed: each key with its texts. */
  readonly query: Readonly<
    Record<string, { readonly written: readonly string[]; readonly printed: readonly string[] }>
  >;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly body: Buffer | null;
}

function meant(endpoint: Endpoint, flavour: string): Meant {
  const sampler = new Sampler(flavour);
  const parameters = Object.fromEntries(
    Object.keys(endpoint.parameters).map((name, at) => [
      name,
      `sample/${at}${flavour}`.replace('</>', '').replace('\\', ''),
    ]),
  );
  const query = Object.fromEntries(
    Object.entries(endpoint.query).map(([key, shape]) => [key, writeQuery(shape, sampler)]),
  );
  const headers = Object.fromEntries(
    Object.entries(endpoint.headers).map(([name, shape]) => {
      const values =
        shape.kind === 'list'
          ? ['/first.Service/Method', '/second.Service/Method', '/first.Service/Method']
          : [String(new Sampler().value(shape))];
      return [name, values];
    }),
  );
  const { travel, shape } = endpoint.body;
  const body =
    travel === 'json' ? Buffer.from(printJson(sampler.value(shape as Shape))) : travel === 'tar' ? TAR : null;
  return { parameters, query, headers, body };
}

function writeQuery(shape: Shape, sampler: Sampler): Meant['query'][string] {
  switch (shape.kind) {
    case 'bool':
      return { written: ['Yes'], printed: ['1'] };
    case 'list': {
      const values = [String(sampler.value(shape.of)), String(sampler.value(shape.of))];
      return { written: values, printed: values };
    }
    case 'int':
      return { written: ['9223372036854775807'], printed: ['9223372036854775807'] };
    case 'filters': {
      const given = sampler.filters(shape.keys);
      const asMap = Object.entries(given).map(([key, values]) => [
        key,
        Object.fromEntries(values.map((value) => [value, true])),
      ]);
      return { written: [JSON.stringify(given)], printed: [JSON.stringify(Object.fromEntries(asMap))] };
    }
    default: {
      const value = String(sampler.value(shape));
      return { written: [shape.kind === 'embedded' ? `\n ${value}` : value], printed: [value] };
    }
  }
}

function requestOf(
  endpoint: Endpoint,
  { parameters, query, headers, body }: Meant,
  more: readonly string[] = [],
): Buffer {
  const pairs = Object.entries(query).flatMap(([key, { written }]) =>
    written.map((value) => `${key}=${encodeURIComponent(value)}`),
  );
  // Not the table's order, and with a key that nobody knows.
  const target = `/v${VERSION}${printPath(endpoint, parameters)}?${['nonsense=1', ...pairs.reverse()].join('&')}`;
  const lists = new Set(Object.keys(query).filter((key) => (query[key]?.written.length ?? 0) > 1));
  const inOrder =
    lists.size === 0 ? target : `/v${VERSION}${printPath(endpoint, parameters)}?${pairs.reverse().join('&')}`;
  const lines = [
    `${endpoint.method} ${inOrder} HTTP/1.1`,
    'Host: wherever',
    'User-Agent: tests/1',
    'X-Unknown: secret',
  ];
  for (const [name, values] of Object.entries(headers)) for (const value of values) lines.push(`${name}: ${value}`);
  if (body !== null) lines.push(`Content-Length: ${body.length}`);
  if (endpoint.body.travel === 'json') lines.push('Content-Type: application/json; charset=utf-8');
  lines.push(...more);
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body ?? Buffer.alloc(0)]);
}

async function expectMeant(endpoint: Endpoint, { parameters, query, headers, body }: Meant): Promise<Received> {
  const received = await engine.receives((one) => one.endpoint?.id === endpoint.id);
  const { request } = received;
  const printed = Object.entries(query).flatMap(([key, given]) => given.printed.map((value) => [key, value]));
  expect(received.version).toBe(VERSION);
  expect(received.parameters).toEqual(parameters);
  expect([...received.query]).toEqual(printed);
  expect(request.target).toMatch(/^[!-~]+$/);
  for (const [name, values] of Object.entries(headers)) expect(request.headerAll(name)).toEqual(values);
  expect(request.headerAll('x-unknown')).toEqual([]);
  expect(request.headerAll('user-agent')).toEqual(['tests/1']);
  expect(request.headerAll('host')).toEqual(['docker']);
  expect((await request.body).toString('latin1')).toBe((body ?? Buffer.alloc(0)).toString('latin1'));
  return received;
}

function expectedAnswer({ answer }: Endpoint): Buffer {
  switch (answer.travel) {
    case 'none':
      return Buffer.alloc(0);
    case 'text':
      return Buffer.from('OK');
    case 'tar':
      return TAR;
    case 'frames':
      return FRAMES;
    default:
      return Buffer.from('');
  }
}

describe.each(ordinary.map((endpoint) => [endpoint.id, endpoint] as const))('%s', (_, endpoint) => {
  const { travel } = endpoint.answer;

  test.each([
    ['plain values', ''],
    ['values that have to be escaped', NASTY],
  ])('reaches the engine as it was meant, with %s, and its answer comes back whole', async (_name, flavour) => {
    const given = meant(endpoint, flavour);
    const client = await RawClient.connect(berthgate.socket);
    if (travel === 'hijack') {
      client.send(requestOf(endpoint, given, ['Connection: Upgrade', 'Upgrade: tcp']));
      expect((await client.head()).status).toBe(101);
      expect((await client.bytes(GREETING.length)).toString()).toBe(GREETING);
      client.send(TAR).end();
      expect((await client.toEnd()).equals(TAR)).toBe(true);
    } else {
      client.send(requestOf(endpoint, given));
      const answer = await client.answer(endpoint.method);
      expect(answer.status, answer.text).toBe(
        travel === 'none' && !['HEAD', 'OPTIONS'].includes(endpoint.method) ? 204 : 200,
      );
      const expected =
        travel === 'json'
          ? Buffer.from(sampleAnswer(endpoint))
          : travel === 'lines'
            ? Buffer.from(sampleLines(endpoint))
            : expectedAnswer(endpoint);
      if (endpoint.id === 'SystemVersion') expect(answer.json().ApiVersion).toBe(VERSION);
      else expect(answer.body.toString('latin1')).toBe(expected.toString('latin1'));
      for (const [name, value] of endpoint.path === '/_ping' ? [] : sampleHeaders(endpoint))
        expect(answer.header(name)).toBe(value);
      expect(answer.header('api-version')).toBe(VERSION);
      // Nothing else came, and the connection is kept.
      client.send(requestBytes('GET', '/_ping'));
      expect((await client.answer()).text).toBe('OK');
    }
    await expectMeant(endpoint, given);
    client.destroy();
  });

  test('is called without a version too, and goes out with one', async () => {
    const client = await RawClient.connect(berthgate.socket);
    const given = meant(endpoint, '');
    const bytes = requestOf(endpoint, given, travel === 'hijack' ? ['Upgrade: tcp'] : []);
    client.send(bytes.toString('latin1').replace(`/v${VERSION}/`, '/'));
    await (travel === 'hijack' ? client.head() : client.answer(endpoint.method));
    expect((await engine.receives((one) => one.endpoint?.id === endpoint.id)).version).toBe(VERSION);
    client.destroy();
  });

  if (endpoint.body.travel === 'json' && endpoint.body.shape?.kind === 'object') {
    test('carries on fields that the table does not know, and refuses other spellings of those that it knows', async () => {
      const { parameters } = meant(endpoint, '');
      const path = `/v${VERSION}${printPath(endpoint, parameters)}`;
      const body = { TheTableDoesNotKnow: { this: [1, null, 'ä'] } };
      const carried = await talk(requestBytes(endpoint.method, path, { body }), endpoint);
      expect(carried).toBeLessThan(300);
      const received = await engine.receives((one) => one.endpoint?.id === endpoint.id);
      expect(JSON.parse((await received.request.body).toString())).toEqual(body);
      engine.received.length = 0;
      const [known = ''] = Object.keys((endpoint.body.shape as { fields: object }).fields);
      const other = known === known.toUpperCase() ? known.toLowerCase() : known.toUpperCase();
      const refused = await ask(berthgate.socket, endpoint.method, path, { body: { [other]: null } });
      expect([refused.status, refused.text]).toEqual([400, expect.stringContaining(`reads this key as ${known}`)]);
      expect(engine.received).toEqual([]);
    });
  }

  if (endpoint.body.travel === 'none') {
    test('takes no body: what is sent all the same ends here', async () => {
      const path = `/v${VERSION}${printPath(endpoint, meant(endpoint, '').parameters)}`;
      const body = { HostConfig: { Privileged: true } };
      expect(await talk(requestBytes(endpoint.method, path, { body }), endpoint)).toBeLessThan(300);
      const received = await engine.receives((one) => one.endpoint?.id === endpoint.id);
      expect((await received.request.body).toString()).toBe('');
      engine.received.length = 0;
    });
  }
});

async function talk(bytes: Buffer, endpoint: Endpoint): Promise<number> {
  const client = await RawClient.connect(berthgate.socket);
  try {
    client.send(bytes);
    const head = await client.head();
    if (endpoint.answer.travel !== 'hijack') await client.body(head, endpoint.method);
    return head.status;
  } finally {
    client.destroy();
  }
}

describe('endpoints that upgrade', () => {
  test('every one of them is known here', () => {
    const others = served.filter((endpoint) => !ordinary.includes(endpoint)).map(({ id }) => id);
    expect(others.sort()).toEqual(['ContainerAttachWebsocket', 'Grpc', 'Session', 'SystemOptions']);
  });

  test('attach/ws is a websocket both ways, with its own key', async () => {
    const client = await RawClient.connect(berthgate.socket);
    const key = Buffer.from('0123456789abcdef').toString('base64');
    client.send(
      `GET /v${VERSION}/containers/web/attach/ws?stream=1&stdin=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    );
    const head = await client.head();
    expect(head.status).toBe(101);
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    expect(head.header('sec-websocket-accept')).toBe(accept);
    client.send(Buffer.from([0x82, 0x83, 0, 0, 0, 0, 1, 2, 3]));
    expect([...(await client.bytes(5))]).toEqual([0x82, 3, 1, 2, 3]);
    client.send(Buffer.from([0x88, 0x80, 0, 0, 0, 0]));
    expect([...(await client.toEnd())]).toEqual([0x88, 0]);
    const [received] = engine.received.filter(({ endpoint }) => endpoint?.id === 'ContainerAttachWebsocket');
    expect(received?.request.target).toBe(`/v${VERSION}/containers/web/attach/ws?stream=1&stdin=1`);
  });

  test('grpc is HTTP/2, and the client asks', async () => {
    const client = await RawClient.connect(berthgate.socket);
    client.send(`POST /v${VERSION}/grpc HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`);
    expect((await client.head()).status).toBe(101);
    const session = http2.connect('http://grpc', { createConnection: () => client.release() });
    const asked = session.request({ ':path': '/moby.buildkit.v1.Control/ListWorkers', ':method': 'POST' });
    asked.end('frame');
    const [headers, body] = await new Promise<[http2.IncomingHttpHeaders, string]>((resolve, reject) => {
      let got: http2.IncomingHttpHeaders = {};
      let text = '';
      asked.on('response', (given) => {
        got = given;
      });
      asked.on('data', (piece: Buffer) => {
        text += piece.toString();
      });
      asked.on('end', () => resolve([got, text]));
      asked.on('error', reject);
    });
    expect([headers['asked-path'], body]).toEqual(['/moby.buildkit.v1.Control/ListWorkers', 'frame']);
    session.destroy();
    client.destroy();
  });

  test('session is HTTP/2, the engine asks, and repeated headers come as they are', async () => {
    const session = served.find(({ id }) => id === 'Session') as Endpoint;
    const given = meant(session, '');
    const client = await RawClient.connect(berthgate.socket);
    client.send(requestOf(session, given, ['Connection: Upgrade', 'Upgrade: h2c']));
    expect((await client.head()).status).toBe(101);
    const server = http2.createServer((request, response) => response.end(`served ${request.url}`));
    server.emit('connection', client.release());
    await expectMeant(session, given);
    expect(await engine.sessions[0]).toEqual({ status: 200, text: 'served /moby.filesync.v1.Auth/Credentials' });
    client.destroy();
  });

  test.each(['Session', 'Grpc', 'ContainerAttachWebsocket'])(
    '%s is refused without its upgrade, or with another',
    async (id) => {
      const endpoint = served.find((one) => one.id === id) as Endpoint;
      const path = `/v${VERSION}${printPath(endpoint, { id: 'web' })}`;
      for (const headers of [{}, { Connection: 'Upgrade', Upgrade: 'tcp' }]) {
        const refused = await ask(berthgate.socket, endpoint.method, path, { headers });
        expect(refused.status).toBe(400);
        expect(refused.header('berthgate-refusal')).toBe('not-upgradable');
      }
      expect(engine.received.filter(({ endpoint: asked }) => asked?.risk !== 'ping')).toEqual([]);
    },
  );

  test('the question for options is answered, for the server and for any path', async () => {
    for (const path of ['*', `/v${VERSION}/containers/json`, '/anything']) {
      const answer = await ask(berthgate.socket, 'OPTIONS', path);
      expect([answer.status, answer.text]).toEqual([200, '']);
    }
  });
});

describe('endpoints that are never served', () => {
  test.each(table.filter(({ risk }) => risk === 'never').map((endpoint) => [endpoint.id, endpoint] as const))(
    '%s is not found',
    async (_, endpoint) => {
      const parameters = Object.fromEntries(Object.keys(endpoint.parameters).map((name) => [name, 'sample']));
      const body = endpoint.body.travel === 'json' ? { body: {} } : {};
      const answer = await ask(
        berthgate.socket,
        endpoint.method,
        `/v${VERSION}${printPath(endpoint, parameters)}`,
        body,
      );
      expect([answer.status, answer.text]).toEqual([404, '{"message":"page not found"}\n']);
      expect(engine.received).toEqual([]);
    },
  );
});

describe('what is not in the table', () => {
  test.each([
    ['GET', '/nonsense'],
    ['PUT', '/containers/json'],
    ['GET', '/containers/json/'],
    ['POST', '/containers/web/copy'],
    ['GET', '/'],
  ])('%s %s is not found, and the engine does not hear of it', async (method, path) => {
    for (const prefix of ['', `/v${VERSION}`]) {
      const answer = await ask(berthgate.socket, method, prefix + path);
      expect([answer.status, answer.text]).toEqual([404, '{"message":"page not found"}\n']);
    }
    expect(engine.received).toEqual([]);
  });
});
