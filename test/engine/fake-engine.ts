// A Docker engine made from the table, for speed and for faults: every endpoint answers, containers run small programs,
// what was asked is kept byte for byte, and it can go wrong on demand. Its contract is held against real engines.
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Endpoint } from '../../src/docker/endpoint.ts';
import { Matcher } from '../../src/docker/match.ts';
import { table } from '../../src/docker/table.ts';
import { commit, type Fault } from './faults.ts';
import { ClientGone, type FakeRequest, HttpConnection } from './http-connection.ts';
import { handlers } from './objects.ts';
import type { Asked, SessionAnswer } from './streams.ts';
import { answerFromTable } from './table-answer.ts';
import { EngineError, World } from './world.ts';

export interface FakeEngineOptions {
  /** The minor numbers of the API versions that it speaks. */
  readonly oldest?: number;
  readonly newest?: number;
  /** Only the table answers: nothing has to exist to be asked for. */
  readonly tableOnly?: boolean;
}

/** What it was asked, as it understood it. */
export interface Received {
  readonly endpoint: Endpoint | null;
  readonly request: FakeRequest;
  /** As it stood in the path; null where none did. */
  readonly version: string | null;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

const VERSION = /^\/v([0-9.]+)(?=\/)/;

export class FakeEngine {
  readonly folder: string;
  readonly socket: string;
  readonly world = new World();
  readonly received: Received[] = [];
  /** What the client's side of `/session` answered. */
  readonly sessions: Promise<SessionAnswer>[] = [];
  /** Decides for each request whether, and how, it goes wrong. */
  fault: (request: Received) => Fault | null = () => null;
  readonly #options: Required<FakeEngineOptions>;
  readonly #matcher = new Matcher(table);
  readonly #connections = new Set<net.Socket>();
  readonly #waiting = new Set<() => void>();
  #server: net.Server | null = null;
  /** How many connections there have been. */
  accepted = 0;

  private constructor(folder: string, options: FakeEngineOptions) {
    this.folder = folder;
    this.socket = join(folder, 'engine.sock');
    this.#options = { oldest: 24, newest: 51, tableOnly: false, ...options };
  }

  static async start(options: FakeEngineOptions = {}): Promise<FakeEngine> {
    const engine = new FakeEngine(await mkdtemp(join(tmpdir(), 'fake-engine-')), options);
    await engine.listen();
    return engine;
  }

  /** The same as in DOCKER_HOST. */
  get host(): string {
    return `unix://${this.socket}`;
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#connections.size;
  }

  /** The next request goes wrong in this way, and the others do not. */
  failOnce(fault: Fault, which: (request: Received) => boolean = ({ endpoint }) => endpoint?.risk !== 'ping'): void {
    this.fault = (request) => {
      if (!which(request)) return null;
      this.fault = () => null;
      return fault;
    };
  }

  /** Resolves as soon as a request has come, or has come already, that fits. */
  receives(which: (request: Received) => boolean): Promise<Received> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.received.find(which);
        if (found === undefined) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }

  async listen(): Promise<void> {
    await rm(this.socket, { force: true });
    const server = net.createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.socket, resolve);
    });
  }

  /** Nobody listens any more, and every connection breaks: as when dockerd is killed. */
  async die(): Promise<void> {
    const closed = new Promise((resolve) => this.#server?.close(resolve));
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  async restart(): Promise<void> {
    await this.die();
    await this.listen();
  }

  async stop(): Promise<void> {
    this.world.stop();
    await this.die();
    await rm(this.folder, { recursive: true, force: true });
  }

  #accept(socket: net.Socket): void {
    this.accepted++;
    this.#connections.add(socket);
    socket.on('close', () => this.#connections.delete(socket));
    new HttpConnection(socket, (request) => {
      void this.#serve(request).catch((fault: unknown) => this.#refuse(request, fault));
    });
  }

  async #serve(request: FakeRequest): Promise<void> {
    const mark = request.target.indexOf('?');
    const path = decodeURIComponent(mark < 0 ? request.target : request.target.slice(0, mark));
    const versioned = VERSION.exec(path);
    const version = versioned?.[1] ?? null;
    const found = this.#matcher.match(request.method, versioned === null ? path : path.slice(versioned[0].length));
    const received: Received = {
      endpoint: found?.endpoint ?? null,
      request,
      version,
      parameters: found?.parameters ?? {},
      query: new URLSearchParams(mark < 0 ? '' : request.target.slice(mark)),
    };
    this.received.push(received);
    for (const look of this.#waiting) look();
    const fault = this.fault(received);
    if (fault !== null) {
      commit(fault, request);
      return;
    }
    if (found === null) throw new EngineError(404, 'page not found');
    const { oldest, newest, tableOnly } = this.#options;
    const minor = this.#negotiate(version);
    request.carry([
      ['Api-Version', `1.${newest}`],
      ['Docker-Experimental', 'false'],
      ['Ostype', 'linux'],
      ['Server', 'Docker/0.0.0-fake (linux)'],
    ]);
    const { endpoint, parameters } = found;
    if (endpoint.path === '/_ping') {
      request.carry([
        ['Builder-Version', '2'],
        ['Cache-Control', 'no-cache, no-store, must-revalidate'],
        ['Pragma', 'no-cache'],
        ['Swarm', 'inactive'],
        ['Content-Type', 'text/plain; charset=utf-8'],
      ]);
      request.answer({ status: 200 }, request.method === 'HEAD' ? '' : 'OK');
      return;
    }
    if (endpoint.id === 'SystemVersion') {
      const versions = { Version: '0.0.0-fake', ApiVersion: `1.${newest}`, MinAPIVersion: `1.${oldest}`, Os: 'linux' };
      request.answer({ status: 200, headers: [['Content-Type', 'application/json']] }, `${JSON.stringify(versions)}\n`);
      return;
    }
    const handler = tableOnly ? undefined : handlers[endpoint.id];
    if (handler === undefined) {
      await answerFromTable(endpoint, request, (answer) => this.sessions.push(answer));
      return;
    }
    const asked: Asked = { world: this.world, request, version: minor, query: received.query };
    await handler(asked, parameters, endpoint.answer.shape);
  }

  #negotiate(version: string | null): number {
    const { oldest, newest } = this.#options;
    if (version === null) return newest;
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (major > 1 || minor > newest) {
      throw new EngineError(400, `client version ${version} is too new. Maximum supported API version is 1.${newest}`);
    }
    if (major < 1 || minor < oldest) {
      throw new EngineError(
        400,
        `client version ${version} is too old. Minimum supported API version is 1.${oldest}, please upgrade your client to a newer version`,
      );
    }
    return minor;
  }

  async #refuse(request: FakeRequest, fault: unknown): Promise<void> {
    const whole = await request.drained;
    if (request.answered || request.socket.destroyed || fault instanceof ClientGone) return;
    const status = fault instanceof EngineError ? fault.status : 500;
    const message = fault instanceof Error ? fault.message : String(fault);
    if (!(fault instanceof EngineError)) console.error(fault);
    if (!whole) request.carry([['Connection', 'close']]);
    request.answer({ status, headers: [['Content-Type', 'application/json']] }, `${JSON.stringify({ message })}\n`);
    if (!whole) request.socket.end();
  }
}
