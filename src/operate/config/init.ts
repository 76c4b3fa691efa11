/** The commented configuration that `berthgate init` writes for this machine. */

import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
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
  /** A group whose members may do everything on this machine already, and so may open our socket too. */
  readonly group: string | null;
}

const dockerGroup = 'docker';

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isSocket();
  } catch {
    // Absent or out of reach: either way not the engine of whoever runs `init`.
    return false;
  }
}

async function mayOpen(path: string): Promise<boolean> {
  return access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}

async function hasGroup(name: string): Promise<boolean> {
  const groups = await readFile('/etc/group', 'utf8').catch(() => '');
  return groups.split('\n').some((line) => line.startsWith(`${name}:`));
}

/** What can be found out without talking to an engine. */
export async function lookAtMachine(env: Environment, uid: number): Promise<Machine> {
  // Never below /tmp: whoever comes first could take the name.
  const state = stateFolder(env, uid) ?? '/var/lib/berthgate';
  const socket = `${runtimeFolder(env, uid) ?? state}/docker.sock`;
  const group = uid === 0 && (await hasGroup(dockerGroup)) ? dockerGroup : null;
  const ours = { socket, state, group };
  const engine = engineOfEnvironment(env, socket);
  if (engine.url !== `unix://${defaultEngineSocket}`) return { engine, foundBy: 'from DOCKER_HOST', ...ours };
  const candidates = [defaultEngineSocket, '/run/docker.sock'];
  if (env.XDG_RUNTIME_DIR?.startsWith('/')) candidates.push(`${env.XDG_RUNTIME_DIR}/docker.sock`);
  const sockets: string[] = [];
  for (const candidate of candidates) if (await isSocket(candidate)) sockets.push(candidate);
  for (const found of sockets) {
    if (await mayOpen(found)) return { engine: { url: `unix://${found}` }, foundBy: 'found on this machine', ...ours };
  }
  const foundBy =
    sockets.length === 0 ? 'the usual place; there is no socket yet' : 'you may not open it: run Berthgate as who may';
  return { engine: { url: `unix://${sockets[0] ?? defaultEngineSocket}` }, foundBy, ...ours };
}

/** YAML that `check` passes and `serve` starts with. */
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
${socketAccess(machine)}
    # Who the client is: the uid on the other side of the socket.
    auth: [peer]
    # null: the engine as it is, so that clients see, stop and enter each other's containers. "{user}": a namespace for
    # each; docs/namespaces.md says what differs there.
    namespace: null
    # What may be done: nothing that leads to more privilege or to the host.
    # {use: limits, memory: {max: 4GiB}} behind it would bound what a container takes.
    policies: [conservative]
    # Limits of a request; these are the defaults.
    # requests: { head: 64KiB, headers: 200, json: 8MiB, depth: 64, connections: 1000, headTimeout: 10s, bodyTimeout: 60s }

# A listener over TLS, for clients with certificates:
#  - name: tls
#    url: tcp://0.0.0.0:2376
#    tls: { cert: server.pem, key: server-key.pem, clientCa: clients-ca.pem, clientCert: require }
#    auth: [client-cert]
#    namespace: null
#    policies: [conservative]

# How long running streams may go on after SIGTERM.
shutdown: { grace: 30s }

# audit: FILE adds a line for each call that is refused or changed, which \`berthgate audit\` reads.
log: { level: info, format: json }

# Where /metrics, /healthz and /readyz are served, and the socket of \`berthgate namespaces\`, \`jobs\`, \`gc\` and \`cache\`:
# admin: { metrics: "http://127.0.0.1:9350", url: ${quoted(`unix://${dirname(machine.socket)}/admin.sock`)} }
`;
}

function socketAccess({ group }: Machine): string {
  if (group === null) {
    return `    # Who may open the socket: who runs Berthgate. "0660" with \`group: NAME\` lets that group in too.
    mode: "0600"`;
  }
  return `    # Who may open the socket: the group that may open the engine's own, and root.
    mode: "0660"
    group: ${group}`;
}
