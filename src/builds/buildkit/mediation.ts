/**
 * Stands between a client and BuildKit's API: HTTP/2 ends here on both sides, each method is read by the table and judged,
 * and what no rule knows is refused by name, since clients do not show why an upgrade was refused.
 */

import http2 from 'node:http2';
import { runsBuild } from '../../docker/build-call.ts';
import { contentAsked, SOURCE_POLICIES_SINCE } from '../../docker/buildkit-requests.ts';
import { buildkitMethods } from '../../docker/endpoints/buildkit.ts';
import { printMessage, readMessage } from '../../docker/protobuf.ts';
import type { Unknown } from '../../docker/read.ts';
import { message, type ObjectShape } from '../../docker/shape.ts';
import { overlongBuild } from '../../exchange/build-deadline.ts';
import type { Call } from '../../exchange/call.ts';
import { engineRefusal } from '../../exchange/engine-fault.ts';
import type { MediatedConnection, Mediation, Offer } from '../../exchange/mediation.ts';
import { readHeaders } from '../../exchange/read-call.ts';
import type { Json, JsonObject } from '../../ground/json.ts';
import { ProtobufFault } from '../../ground/protobuf.ts';
import { Refusal } from '../../ground/refusal.ts';
import { ChannelStream } from '../../wire/channel-stream.ts';
import type { RawHeaders } from '../../wire/message.ts';
import type { TunnelEnd } from '../../wire/tunnel.ts';
import { Frontends } from './asked-frontend.ts';
import { bounded } from './bounded-solve.ts';
import { fail, framed, isGone, PERMISSION_DENIED, UNIMPLEMENTED } from './grpc.ts';
import { relay } from './relay.ts';
import { Requests } from './requests.ts';
import { bridgeSession, sessionWithin } from './session.ts';
import { answerAlone, tellerOf } from './told-answers.ts';

const methods = new Map(buildkitMethods.map((endpoint) => [endpoint.path, endpoint]));
/** Carried beside those that the table names: what gRPC itself is told. */
const CARRIED = ['content-type', 'te', 'grpc-timeout', 'user-agent'];
/** An answer may be as long as the progress of a build. */
const SETTINGS: http2.Settings = { initialWindowSize: 1024 * 1024, enablePush: false };

const UPGRADE_MS = 30_000;
const NOTHING = message({});

interface Asked {
  readonly stream: http2.ServerHttp2Stream;
  readonly headers: http2.IncomingHttpHeaders;
  /** With what is said several times as it was said. */
  readonly raw: RawHeaders;
  /** Digests of what the engine has spoken of to this client: nothing else of its contents is read. */
  readonly contents: Set<string>;
  readonly requests: Requests;
}

export interface MediationOptions {
  readonly buildTimeMs: number | null;
  /** Patterns of what a Dockerfile may ask for. */
  readonly frontends: readonly string[];
  /** How long the message of a call may take. */
  readonly bodyTimeoutMs: number;
}

export class BuildkitMediation implements Mediation {
  private readonly buildTimeMs: number | null;
  private readonly bodyTimeoutMs: number;
  private readonly frontends: Frontends;

  constructor(options: MediationOptions) {
    this.buildTimeMs = options.buildTimeMs;
    this.bodyTimeoutMs = options.bodyTimeoutMs;
    this.frontends = new Frontends(options.frontends);
  }

  async mediate(connection: MediatedConnection): Promise<void> {
    const { newest } = await connection.engine.api();
    if (newest < SOURCE_POLICIES_SINCE) return refuseAll(acceptTunnel(connection).client);
    const end = await openTunnel(connection);
    const engine = http2.connect('http://localhost', {
      createConnection: () => new ChannelStream(end),
      settings: SETTINGS,
    });
    const { client, channel } = acceptTunnel(connection);
    const contents = new Set<string>();
    let calls = 0;
    const requests = new Requests(this.bodyTimeoutMs);
    const onStream = (
      stream: http2.ServerHttp2Stream,
      headers: http2.IncomingHttpHeaders,
      _flags: number,
      raw: string[],
    ): void => {
      calls++;
      stream.once('close', () => calls--);
      void this.serve(connection, engine, { stream, headers, raw, contents, requests });
    };
    client.on('stream', onStream as () => void);
    // What a client offers to its builds comes over connections of their own, and is known to the process that takes those:
    // a client that is told goodbye between two calls comes back over a new one, and is at one process with all it has.
    channel.onLeave = () => {
      if (calls === 0) client.close();
    };
    await new Promise<void>((resolve) => {
      let open = 2;
      for (const session of [client, engine]) {
        // Clients of BuildKit drop connections in the middle; that is no fault of anybody.
        session.on('error', () => session.destroy());
        session.on('close', () => {
          client.close();
          engine.close();
          if (session === client) engine.destroy();
          else client.destroy();
          if (--open === 0) resolve();
        });
      }
    });
  }

  async offer(connection: MediatedConnection, headers: Call['headers']): Promise<void> {
    const end = await openTunnel(connection);
    const client = connection.exchange.upgrade({ status: 101, reason: '', headers: [] }, 'h2c');
    const offered = (offer: Offer): (() => void) => connection.offers?.(headers, offer) ?? (() => {});
    await bridgeSession(client, end, offered, this.frontends);
  }

  private async serve(
    connection: MediatedConnection,
    engine: http2.ClientHttp2Session,
    { stream, headers, raw, contents, requests }: Asked,
  ): Promise<void> {
    stream.on('error', () => stream.destroy());
    const path = String(headers[':path']);
    const endpoint = methods.get(path);
    if (endpoint === undefined) {
      fail(stream, UNIMPLEMENTED, `berthgate: ${path} is not a method that is served here`);
      return;
    }
    const streams = endpoint.body.travel === 'h2c';
    const shape = (endpoint.body.shape ?? NOTHING) as ObjectShape;
    const told = await connection.serve({
      endpoint,
      async read() {
        const carried = readHeaders(endpoint, raw);
        if (streams) return { headers: carried, body: null, unknown: [] };
        return { headers: carried, ...readRequest(shape, await requests.read(stream)) };
      },
      carry: async (passage, sources) => {
        const { call: entered, names, answer } = passage;
        if (answer !== null) return answerAlone(stream, endpoint, answer);
        const { offers } = connection;
        if (streams && offers !== null) {
          const request = connection.sessionRequest(entered.headers);
          const end = await openTunnel({ ...connection, request });
          if (isGone(stream)) {
            end.channel.destroy();
            return 200;
          }
          const offered = (offer: Offer): (() => void) => offers(entered.headers, offer);
          await bridgeSession(sessionWithin(stream), end, offered, this.frontends);
          return 200;
        }
        const call = bounded(entered, sources, passage);
        const content = contentAsked(call);
        if (content !== null && !contents.has(content)) throw new Refusal('not-found', `content ${content}: not found`);
        const sent: http2.OutgoingHttpHeaders = { ':method': 'POST', ':path': path };
        for (const name of CARRIED) if (headers[name] !== undefined) sent[name] = headers[name];
        for (const [name, values] of Object.entries(call.headers)) sent[name] = [...values];
        const request = streams ? stream : framed(printMessage(shape, call.body as JsonObject));
        return relay(stream, engine, {
          headers: sent,
          request,
          tell: tellerOf(endpoint, names, contents),
          tellText: (text) => names?.toldText(text) ?? text,
          within:
            this.buildTimeMs === null || !runsBuild(endpoint)
              ? null
              : { ms: this.buildTimeMs, fault: overlongBuild(this.buildTimeMs) },
        });
      },
    });
    if (told !== null) fail(stream, PERMISSION_DENIED, told);
  }
}

function acceptTunnel({ exchange }: MediatedConnection) {
  const end = exchange.upgrade({ status: 101, reason: '', headers: [] }, 'h2c');
  const client = http2.performServerHandshake(new ChannelStream(end), { settings: SETTINGS });
  return { client, channel: end.channel };
}

/** The upgrade is accepted, since clients do not show why one was refused. */
function refuseAll(client: http2.ServerHttp2Session): Promise<void> {
  const message = 'berthgate: this engine is too old for BuildKit under rules: set DOCKER_BUILDKIT=0';
  client.on('stream', (stream: http2.ServerHttp2Stream) => {
    stream.on('error', () => stream.destroy());
    fail(stream, PERMISSION_DENIED, message);
  });
  client.on('error', () => client.destroy());
  return new Promise((resolve) => client.on('close', resolve));
}

/** @throws Refusal */
function readRequest(shape: ObjectShape, message: Uint8Array): { body: Json; unknown: readonly Unknown[] } {
  try {
    const { value, unknown } = readMessage(shape, message);
    return { body: value, unknown };
  } catch (fault) {
    if (!(fault instanceof ProtobufFault)) throw fault;
    throw new Refusal('unreadable-body', fault.message, { cause: fault });
  }
}

function openTunnel({ engine, request }: MediatedConnection): Promise<TunnelEnd> {
  return new Promise((resolve, reject) => {
    engine.pool.send(
      { ...request, headTimeoutMs: UPGRADE_MS },
      {
        onHead: ({ status }) => {
          reject(new Refusal('engine-garbage', `the engine answers ${status} where BuildKit should begin`));
          return true;
        },
        onData: () => true,
        onEnd: () => {},
        onUpgrade: (_head, end) => resolve(end),
        onFault: (fault) => {
          engine.doubt();
          reject(engineRefusal(fault));
        },
      },
    );
  });
}
