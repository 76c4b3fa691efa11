// What lies between Berthgate and an engine, and does harm to look-ups alone: every other call reaches the engine.
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The engine says that it cannot, the connection breaks, or what comes is no list. */
export type Harm = 'error' | 'break' | 'nonsense';

export interface FailingLookups {
  /** As in DOCKER_HOST, and the path of it. */
  readonly host: string;
  readonly socket: string;
  /** What it was asked besides look-ups and events: `DELETE /v1.41/containers/…`. */
  readonly passed: string[];
  harm: Harm | null;
  /** Is awaited before a call goes on to the engine. */
  before: ((call: string) => Promise<void>) | null;
  /** Ends the streams of events. */
  endEvents(): void;
  close(): Promise<void>;
}

const LOOK_UP = /^GET (\/v[\d.]+)?\/(containers\/json|networks|volumes)(\?|$)/;
const EVENTS = /^GET (\/v[\d.]+)?\/events/;

/** @param engine the path of its socket */
export async function startFailingLookups(engine: string): Promise<FailingLookups> {
  const folder = await mkdtemp(join(tmpdir(), 'berthgate-lookups-'));
  const socket = join(folder, 'engine.sock');
  const events = new Set<http.ServerResponse>();
  const between: Omit<FailingLookups, 'endEvents' | 'close'> = {
    host: `unix://${socket}`,
    socket,
    passed: [],
    harm: null,
    before: null,
  };
  const server = http.createServer(async (request, response) => {
    const { method, url, headers } = request;
    const call = `${method} ${url}`;
    if (LOOK_UP.test(call) && between.harm !== null) {
      harmed(between.harm, response);
      return;
    }
    if (EVENTS.test(call)) events.add(response);
    else if (!LOOK_UP.test(call)) between.passed.push(call);
    await between.before?.(call);
    const passed = http.request({ socketPath: engine, method, path: url, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      answer.on('error', () => response.destroy());
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    response.on('close', () => {
      events.delete(response);
      passed.destroy();
    });
    request.pipe(passed);
  });
  // Like an engine, it never ends a connection that waits for the next call.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return Object.assign(between, {
    endEvents: () => {
      for (const response of events) response.destroy();
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  });
}

function harmed(harm: Harm, response: http.ServerResponse): void {
  if (harm === 'break') {
    response.destroy();
    return;
  }
  response.writeHead(harm === 'error' ? 500 : 200, { 'Content-Type': 'application/json' });
  response.end(harm === 'error' ? '{"message":"database is locked"}' : '[{"Id":');
}
