/** The commented configuration that `berthgate init` writes for this machine. */

import { stat } from 'node:fs/promises';
import { runtimeFolder, stateFolder } from './defaults.ts';
import {
  defaultEngineSocket,
  type EngineOfEnvironment,
  type Environment,
  engineOfEnvironment,
  engineYaml,
  quoted,
} from './docker-host.ts';

export interface Machine {
  readonly engine: EngineOfEnvironment;
  /** How the engine was found, for a comment: "DOCKER_HOST", "a socket that is there". */
  readonly foundBy: string;
  /** Where our own socket goes. */
  readonly socket: string;
  readonly state: string;
}

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isSocket();
  } catch {
    // Absent or out of reach: either way not the engine of whoever runs `init`.
    return false;
  }
}

/** What can be found out without talking to an engine. */
export async function lookAtMachine(env: Environment, uid: number): Promise<Machine> {
  // Never below /tmp: whoever comes first could take the name.
  const state = stateFolder(env, uid) ?? '/var/lib/berthgate';
  const socket = `${runtimeFolder(env, uid) ?? state}/docker.sock`;
  const engine = engineOfEnvironment(env, socket);
  if (engine.url !== `unix://${defaultEngineSocket}`) return { engine, foundBy: 'from DOCKER_HOST', socket, state };
  const candidates = [defaultEngineSocket, '/run/docker.sock'];
  if (env.XDG_RUNTIME_DIR?.startsWith('/')) candidates.push(`${env.XDG_RUNTIME_DIR}/docker.sock`);
  for (const candidate of candidates) {
    if (await isSocket(candidate))
      return { engine: { url: `unix://${candidate}` }, foundBy: 'found on this machine', socket, state };
  }
  return { engine, foundBy: 'the usual place; there is no socket yet', socket, state };
}

/** YAML that `check` passes. */
export function initConfig(machine: Machine): string {
  return `# Configuration of Berthgate. After a change: berthgate check --config FILE, then SIGHUP.
# Every setting is described in docs/reference/configuration.md.

# What must outlive the process. Mode 0700.
state: ${quoted(machine.state)}

# The Docker engines that calls are forwarded to (${machine.foundBy}).
${engineYaml(machine.engine)}

# The sockets that clients come in on. Each has rules of its own.
listeners:
  - name: people
    url: ${quoted(`unix://${machine.socket}`)}
    # Who may open the socket. "0666" lets everybody on this machine in, each in a namespace of their own.
    mode: "0600"
    # Who the client is: the uid on the other side of the socket.
    auth: [peer]
    # Each user sees what is theirs and nothing else. null: the engine as it is.
    namespace: "{user}"
    # What may be done: nothing that leads to more privilege or to the host.
    policies: [conservative]
    # Limits of a request; these are the defaults.
    # requests: { head: 64KiB, headers: 200, json: 8MiB, depth: 64, connections: 1000, headTimeout: 10s, bodyTimeout: 60s }

# A listener over TLS, for clients with certificates:
#  - name: tls
#    url: tcp://0.0.0.0:2376
#    tls: { cert: server.pem, key: server-key.pem, clientCa: clients-ca.pem, clientCert: require }
#    auth: [client-cert]

# How long running streams may go on after SIGTERM.
shutdown: { grace: 30s }

log: { level: info, format: json }

# Where /metrics, /healthz and /readyz are served:
# admin: { metrics: "http://127.0.0.1:9350" }
`;
}
