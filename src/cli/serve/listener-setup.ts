/** What holds for the connections of one listener: its way, its limits, and how it opens. */

import { BuildkitMediation } from '../../builds/buildkit/mediation.ts';
import { buildReading } from '../../builds/judged-build.ts';
import { asRefusal, renderFault } from '../../exchange/answer-refusal.ts';
import type { Authenticator } from '../../exchange/authenticator.ts';
import type { Engine } from '../../exchange/engine.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import type { Namespacing } from '../../exchange/namespacing.ts';
import type { Policy } from '../../exchange/policy.ts';
import type { Recorder } from '../../exchange/recorder.ts';
import { Way } from '../../exchange/way.ts';
import { type Listener, type ListenerSetup, openSockets, type SocketAccess } from '../../front/listeners/index.ts';
import type { Refusal } from '../../ground/refusal.ts';
import type { ListenAddress, ListenerConfig } from '../../operate/config/index.ts';
import type { Log } from '../../operate/signals/index.ts';

/** What Dockerfiles may ask for where a listener says nothing of builds. */
const FRONTENDS: readonly string[] = ['docker/dockerfile'];

export interface SetupParts {
  readonly name: string;
  readonly requests: ListenerConfig['requests'];
  readonly builds: ListenerConfig['builds'];
  readonly tls: ListenerConfig['tls'];
  readonly authenticators: readonly Authenticator[];
  readonly policies: readonly Policy[];
  readonly engine: Engine;
  readonly desk: EngineDesk;
  readonly namespacing: Namespacing | null;
  readonly help: string | null;
  readonly recorder: Recorder;
  /** Of a container's own socket. */
  readonly caller?: () => string | null;
}

export function setupOf(parts: SetupParts): ListenerSetup {
  const {
    name,
    requests,
    tls,
    builds: buildRules,
    authenticators,
    policies,
    engine,
    desk,
    namespacing,
    help,
    recorder,
    caller,
  } = parts;
  const { head, headers, json, depth, connections, headTimeout, bodyTimeout } = requests;
  return {
    name,
    authenticators,
    connections,
    tls,
    onTurnedAway: (refusal) => recordUnread(recorder, name, refusal),
    renderFault: (fault, unread) => {
      // A request whose head was read is recorded by its way.
      if (unread === null) recordUnread(recorder, name, asRefusal(fault));
      return renderFault(fault);
    },
    limits: { headBytes: head, headers, headTimeoutMs: headTimeout, bodyTimeoutMs: bodyTimeout },
    way: new Way({
      listener: name,
      authenticators,
      policies,
      engine,
      namespacing,
      builds: buildReading(desk),
      mediation: new BuildkitMediation({
        buildTimeMs: buildRules?.maxTime ?? null,
        frontends: buildRules?.frontends ?? FRONTENDS,
        bodyTimeoutMs: bodyTimeout,
      }),
      ...(buildRules === null ? {} : { buildTimeMs: buildRules.maxTime }),
      limits: { jsonBytes: json, jsonDepth: depth },
      recorder,
      help,
      ...(caller === undefined ? {} : { caller }),
    }),
  };
}

/** What no call came of. */
function recordUnread(recorder: Recorder, listener: string, refusal: Refusal): void {
  recorder.callEnded({
    listener,
    method: '',
    target: '',
    endpoint: null,
    identity: null,
    call: null,
    status: refusal.status,
    refusal,
    decisions: [],
    durationMs: 0,
    bytesIn: 0,
    bytesOut: 0,
  });
}

export interface OpenFrom {
  readonly url: ListenAddress;
  readonly access: SocketAccess;
  /** Descriptors that listen already. */
  readonly ready: readonly number[];
  readonly log: Log;
}

export async function openListener(listener: Listener, { url, access, ready, log }: OpenFrom): Promise<void> {
  const sockets = await openSockets(url, {
    access,
    ready,
    server: {
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
    },
    onConnection: (socket, kind) => listener.accept(socket, kind),
    onFault: (fault) => log.warn({ listener: listener.name, reason: fault.message }, 'listening socket'),
  });
  listener.listensOn(sockets);
}
