/** The swarm that the engine is in, or is to be in. */

import { empty, endpoint, json, jsonBody } from '../endpoint.ts';
import { address, credential, fetches, own, publishes } from '../marks.ts';
import { bool, int, list, object, since, text } from '../shape.ts';
import { clusterWide, everyNode } from '../shapes/cluster-mark.ts';
import { clusterFields, swarmSpec } from '../shapes/swarm-cluster.ts';

const spec = clusterWide(swarmSpec);

const joining = {
  ListenAddr: text(publishes('address')),
  AdvertiseAddr: text(publishes('address')),
  DataPathAddr: since('1.30', text(publishes('address'))),
  Availability: text(),
};

export const swarmEndpoints = [
  endpoint({
    id: 'SwarmInspect',
    summary: 'Inspect the swarm',
    method: 'GET',
    path: '/swarm',
    risk: 'cluster',
    answer: json(
      object({ ...clusterFields, JoinTokens: object({ Worker: text(credential), Manager: text(credential) }) }),
    ),
  }),
  endpoint({
    id: 'SwarmInit',
    summary: 'Begin a swarm',
    method: 'POST',
    path: '/swarm/init',
    risk: 'cluster',
    body: jsonBody(
      clusterWide(
        object({
          ...joining,
          DataPathPort: since('1.40', int(publishes('port'))),
          DefaultAddrPool: since('1.39', list(text(address))),
          SubnetSize: since('1.39', int()),
          ForceNewCluster: bool(),
          AutoLockManagers: bool(),
          Spec: swarmSpec,
        }),
      ),
    ),
    answer: json(text()),
  }),
  endpoint({
    id: 'SwarmJoin',
    summary: 'Join a swarm',
    method: 'POST',
    path: '/swarm/join',
    risk: 'cluster',
    body: jsonBody(clusterWide(object({ ...joining, RemoteAddrs: list(text(fetches)), JoinToken: text(credential) }))),
    answer: empty,
  }),
  endpoint({
    id: 'SwarmLeave',
    summary: 'Leave the swarm',
    method: 'POST',
    path: '/swarm/leave',
    risk: 'cluster',
    query: { force: bool(everyNode) },
    answer: empty,
  }),
  endpoint({
    id: 'SwarmUpdate',
    summary: 'Change the swarm',
    method: 'POST',
    path: '/swarm/update',
    risk: 'cluster',
    query: {
      version: int(own),
      rotateWorkerToken: bool(everyNode),
      rotateManagerToken: bool(everyNode),
      rotateManagerUnlockKey: bool(everyNode),
    },
    body: jsonBody(spec),
    answer: empty,
  }),
  endpoint({
    id: 'SwarmUnlockkey',
    summary: 'Show the key that unlocks managers',
    method: 'GET',
    path: '/swarm/unlockkey',
    risk: 'cluster',
    answer: json(object({ UnlockKey: text(credential) })),
  }),
  endpoint({
    id: 'SwarmUnlock',
    summary: 'Unlock a manager',
    method: 'POST',
    path: '/swarm/unlock',
    risk: 'cluster',
    body: jsonBody(object({ UnlockKey: text(credential, everyNode) })),
    answer: empty,
  }),
];
