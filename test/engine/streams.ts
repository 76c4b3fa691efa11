// The calls of the fake engine that go on: attach, exec, logs, wait, events, websockets, gRPC.
import { createHash } from 'node:crypto';
import http2 from 'node:http2';
import { frame } from './frames.ts';
import { type FakeRequest, type Hijacked, headBytes } from './http-connection.ts';
import {
  type Container,
  EngineError,
  type EventMessage,
  type Exec,
  type Output,
  Running,
  type World,
} from './world.ts';

export interface Asked {
  readonly world: World;
  readonly request: FakeRequest;
  /** The minor number of the version that was asked for. */
  readonly version: number;
  readonly query: URLSearchParams;
}

const RAW = 'application/vnd.docker.raw-stream';
const MULTIPLEXED = 'application/vnd.docker.multiplexed-stream';

/** What moby's httputils.BoolValue takes for true. */
export function isSet(query: URLSearchParams, key: string): boolean {
  return !['', '0', 'no', 'false', 'none'].includes((query.get(key) ?? '').trim().toLowerCase());
}

function streamHead({ request, version }: Asked, tty: boolean, more: FakeRequest['carried'] = []): Buffer {
  if (request.header('upgrade') === undefined) {
    return headBytes({ status: 200, headers: [['Content-Type', RAW], ...more] });
  }
  const type = !tty && version >= 42 ? MULTIPLEXED : RAW;
  const headers = [['Content-Type', type], ['Connection', 'Upgrade'], ['Upgrade', 'tcp'], ...more] as const;
  return headBytes({ status: 101, headers });
}

/** Joins a hijacked connection to something that runs. Output ends the connection; its input ends with the client's. */
function join(hijacked: Hijacked, running: Running, wants: { stdin: boolean; stdout: boolean; stderr: boolean }): void {
  const show = ({ stream, bytes }: Output): void => {
    if (stream === 1 ? !wants.stdout : !wants.stderr) return;
    hijacked.write(running.tty ? bytes : frame(stream, bytes));
  };
  running.outputs.add(show);
  const { input } = running;
  if (wants.stdin && input !== null) {
    hijacked.onData((bytes) => input.push(bytes));
    hijacked.onEnd(() => input.end());
  } else {
    hijacked.onData(() => {});
  }
  void running.ended.then(() => {
    running.outputs.delete(show);
    hijacked.end();
  });
}

export function attach(asked: Asked, reference: string): void {
  const { request, world, query } = asked;
  let container: Container;
  try {
    container = world.find(reference);
  } catch (fault) {
    if (!(fault instanceof EngineError)) throw fault;
    // moby has hijacked the connection before it looks: no length, no JSON.
    const hijacked = request.hijack(headBytes({ status: fault.status, headers: [['Content-Type', RAW]] }));
    hijacked.write(`${fault.message}\r\n`);
    hijacked.end();
    return;
  }
  const hijacked = request.hijack(streamHead(asked, container.config.Tty === true));
  const wants = { stdin: isSet(query, 'stdin'), stdout: isSet(query, 'stdout'), stderr: isSet(query, 'stderr') };
  const { running } = container;
  if (running !== null && isSet(query, 'logs')) {
    for (const { stream, bytes } of running.log) hijacked.write(running.tty ? bytes : frame(stream, bytes));
  }
  if (!isSet(query, 'stream')) hijacked.end();
  else if (running !== null && running.exitCode === null) join(hijacked, running, wants);
  else container.attached.add((started) => join(hijacked, started, wants));
}

export async function startExec(asked: Asked, exec: Exec): Promise<void> {
  const { request, version } = asked;
  const said = await request.body;
  const { Detach = false, Tty = exec.tty } =
    said.length === 0 ? {} : (JSON.parse(said.toString()) as Record<string, boolean>);
  if (Detach) {
    exec.running = new Running(exec.command, exec.tty, false);
    request.answer({ status: 200 });
    return;
  }
  const hijacked = request.hijack(streamHead({ ...asked, version }, Tty, request.carried));
  if (exec.running !== null) {
    hijacked.write(frame(1, Buffer.from(`exec command ${exec.id} has already run\r\n`)));
    hijacked.end();
    return;
  }
  exec.running = new Running(exec.command, Tty, exec.stdin);
  join(hijacked, exec.running, { stdin: exec.stdin, stdout: true, stderr: true });
}

export function logs({ request, world, version, query }: Asked, reference: string): void {
  const container = world.find(reference);
  const wants = [isSet(query, 'stdout'), isSet(query, 'stderr')];
  if (!wants.includes(true)) throw new EngineError(400, 'Bad parameters: you must choose at least one stream');
  const tty = container.config.Tty === true;
  const type = version < 42 ? [] : [['Content-Type', tty ? RAW : MULTIPLEXED] as const];
  const answer = request.stream({ status: 200, headers: type });
  const { running } = container;
  const show = ({ stream, bytes }: Output): void => {
    if (wants[stream - 1]) answer.write(tty ? bytes : frame(stream, bytes));
  };
  for (const output of running?.log ?? []) show(output);
  if (running === null || running.exitCode !== null || !isSet(query, 'follow')) {
    answer.end();
    return;
  }
  running.outputs.add(show);
  void Promise.race([running.ended, request.gone]).then(() => {
    running.outputs.delete(show);
    answer.end();
  });
}

export function wait({ request, world, version, query }: Asked, reference: string): void {
  const container = world.find(reference);
  const condition = query.get('condition') ?? '';
  if (!['', 'not-running', 'next-exit', 'removed'].includes(condition)) {
    throw new EngineError(400, `invalid condition: "${condition}"`);
  }
  const headers = [['Content-Type', 'application/json']] as const;
  // Below 1.30 the head comes with the answer.
  const answer = version >= 30 ? request.stream({ status: 200, headers }) : null;
  const told = (code: number): void => {
    const line = `${JSON.stringify({ StatusCode: code })}\n`;
    if (answer === null) request.answer({ status: 200, headers }, line);
    else {
      answer.write(line);
      answer.end();
    }
  };
  const waiting = condition === 'removed' ? container.removals : container.ends;
  if (condition !== 'removed' && condition !== 'next-exit' && container.status !== 'running') told(container.exitCode);
  else {
    waiting.add(told);
    void request.gone.then(() => waiting.delete(told));
  }
}

export function events({ request, world, version, query }: Asked): void {
  const answer = request.stream({ status: 200, headers: [['Content-Type', 'application/json']] });
  const wanted = Object.entries(JSON.parse(query.get('filters') || '{}') as Record<string, Record<string, boolean>>);
  const show = (event: EventMessage): void => {
    const fitting = wanted.every(([key, values]) => {
      const given = key === 'type' ? event.Type : key === 'event' ? event.Action : event.Actor.Attributes.name;
      return given !== undefined && Object.keys(values).includes(given);
    });
    if (!fitting) return;
    const { Type, Action, Actor } = event;
    const legacy =
      version >= 52 || Type !== 'container' ? {} : { status: Action, id: Actor.ID, from: Actor.Attributes.image };
    answer.write(`${JSON.stringify({ ...legacy, ...event })}\n`);
  };
  const since = query.get('since');
  const until = query.get('until');
  if (since !== null || until !== null) {
    const begun = Number(since ?? 0) * 1e9;
    const ended = Number(until ?? Number.POSITIVE_INFINITY) * 1e9;
    for (const event of world.history) if (event.timeNano >= begun && event.timeNano <= ended) show(event);
  }
  const leftMs = until === null ? null : Number(until) * 1000 - Date.now();
  if (leftMs !== null && leftMs <= 0) {
    answer.end();
    return;
  }
  const end = (): void => {
    world.listeners.delete(show);
    world.eventStreams.delete(end);
    answer.end();
  };
  world.listeners.add(show);
  world.eventStreams.add(end);
  const timer = leftMs === null ? null : setTimeout(end, leftMs);
  void request.gone.then(() => {
    if (timer !== null) clearTimeout(timer);
    end();
  });
}

const WEBSOCKET_KEY = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** RFC 6455: small unfragmented frames are enough here. Gives back what it is sent. */
export function echoWebsocket(request: FakeRequest): void {
  const key = request.header('sec-websocket-key');
  if (key === undefined || request.header('upgrade')?.toLowerCase() !== 'websocket') {
    const hijacked = request.hijack(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\nnot websocket protocol'));
    hijacked.end();
    return;
  }
  const accept = createHash('sha1')
    .update(key + WEBSOCKET_KEY)
    .digest('base64');
  const headers = [
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Accept', accept],
  ] as const;
  const hijacked = request.hijack(headBytes({ status: 101, headers }));
  let held = Buffer.alloc(0);
  hijacked.onData((bytes) => {
    held = Buffer.concat([held, bytes]);
    while (held.length >= 6 && held.length >= 6 + ((held[1] as number) & 0x7f)) {
      const size = (held[1] as number) & 0x7f;
      const mask = held.subarray(2, 6);
      const data = Buffer.from(held.subarray(6, 6 + size)).map((byte, at) => byte ^ (mask[at % 4] as number));
      hijacked.write(Buffer.from([held[0] as number, size, ...data]));
      if (((held[0] as number) & 0x0f) === 8) hijacked.end();
      held = held.subarray(6 + size);
    }
  });
  hijacked.onEnd(() => hijacked.end());
}

/** Engines of both kinds of gRPC connection begin with the 101, and HTTP/2 follows. */
function upgradeToH2c(request: FakeRequest, status: number): Hijacked {
  if (request.header('upgrade') === undefined) throw new EngineError(status, 'no upgrade proto in request');
  const headers = [
    ['Connection', 'Upgrade'],
    ['Upgrade', request.header('upgrade') as string],
  ] as const;
  return request.hijack(
    Buffer.from(headBytes({ status: 101, headers }).toString().replace('UPGRADED', 'Switching Protocols')),
  );
}

/** `/grpc`: the client asks. Every request is answered with its own path and body. */
export function serveGrpc(request: FakeRequest): void {
  const socket = upgradeToH2c(request, 500).release();
  const server = http2.createServer();
  server.on('stream', (stream, headers) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'asked-path': headers[':path'] ?? '' });
    stream.pipe(stream);
  });
  server.on('sessionError', () => {});
  server.emit('connection', socket);
}

export interface SessionAnswer {
  readonly status: number;
  readonly text: string;
}

/** `/session`: here the engine asks, and the client serves. */
export function askSession(request: FakeRequest, path: string): Promise<SessionAnswer> {
  const socket = upgradeToH2c(request, 400).release();
  return new Promise((resolve, reject) => {
    const session = http2.connect('http://session', { createConnection: () => socket });
    session.on('error', reject);
    const asked = session.request({ ':path': path });
    let status = 0;
    let text = '';
    asked.on('response', (headers) => {
      status = Number(headers[':status']);
    });
    asked.on('data', (piece: Buffer) => {
      text += piece.toString();
    });
    asked.on('error', reject);
    asked.on('end', () => {
      resolve({ status, text });
      session.close();
    });
  });
}
