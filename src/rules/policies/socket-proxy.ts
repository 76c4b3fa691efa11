/**
 * The environment variables of the HAProxy images that people put before Docker's socket (docker-socket-proxy and its
 * relatives), and what they open: by section of the API, by method, and a few actions by themselves.
 */

import type { Endpoint } from '../../docker/endpoint.ts';
import { containerActionOf, sectionOf } from '../../docker/sections.ts';

/** What there is, without what only concerns HAProxy itself. */
const sections: Readonly<Record<string, string>> = Object.fromEntries(
  'AUTH BUILD COMMIT CONFIGS CONTAINERS DISTRIBUTION EVENTS EXEC GRPC IMAGES INFO NETWORKS NODES PLUGINS SECRETS SERVICES SESSION SWARM SYSTEM TASKS VERSION VOLUMES'
    .split(' ')
    .map((name) => [name, name.toLowerCase()] as const)
    .concat([['PING', '_ping']]),
);

/** Open these actions also where POST is 0. */
const actions: Readonly<Record<string, readonly string[]>> = {
  ALLOW_RESTARTS: ['stop', 'restart', 'kill'],
  ALLOW_START: ['start'],
  ALLOW_STOP: ['stop'],
  ALLOW_PAUSE: ['pause'],
  ALLOW_UNPAUSE: ['unpause'],
};

/** Close these actions where they are 0; absent, they are as open as the section. */
const closings: Readonly<Record<string, string>> = {
  ALLOW_EXEC: 'exec',
  ALLOW_KILL: 'kill',
  ALLOW_ATTACH: 'attach',
  ALLOW_ARCHIVE: 'archive',
  ALLOW_EXPORT: 'export',
  ALLOW_LOGS: 'logs',
};

const methods = ['POST', 'DELETE', 'PUT', 'PATCH'];
const ofHaproxy = ['LOG_LEVEL', 'SOCKET_PATH', 'DISABLE_IPV6', 'BIND_CONFIG'];

export const socketProxyVariables: readonly string[] = [
  ...Object.keys(sections),
  ...Object.keys(actions),
  ...Object.keys(closings),
  ...methods,
  ...ofHaproxy,
];

const openByDefault = ['EVENTS', 'PING', 'VERSION'];

/** `1`, `true`, as HAProxy reads them. */
export type Variables = Readonly<Record<string, string | number | boolean>>;

export function opensBySocketProxy(variables: Variables): (endpoint: Endpoint) => boolean {
  const isSet = (name: string): boolean => {
    const value = variables[name];
    if (value === undefined) return openByDefault.includes(name);
    return ['1', 'true', 'yes', 'on'].includes(String(value).toLowerCase());
  };
  const writes = (method: string): boolean => isSet(method in variables ? method : 'POST');
  const open = new Set(
    Object.keys(sections)
      .filter(isSet)
      .map((name) => sections[name]),
  );
  const opened = new Set(
    Object.keys(actions)
      .filter(isSet)
      .flatMap((name) => actions[name] ?? []),
  );
  const closed = new Set(
    Object.entries(closings).flatMap(([name, action]) => (name in variables && !isSet(name) ? [action] : [])),
  );
  return (endpoint) => {
    const action = containerActionOf(endpoint);
    if (action !== null && opened.has(action)) return true;
    if (action !== null && closed.has(action)) return false;
    const reads = endpoint.method === 'GET' || endpoint.method === 'HEAD';
    return (reads || writes(endpoint.method)) && open.has(sectionOf(endpoint));
  };
}
