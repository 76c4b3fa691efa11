/**
 * Where the table and Docker's documents differ on purpose. An entry that no longer applies fails the drift test too.
 */

import type { ApiVersion } from '../../../src/docker/shape.ts';
import type { Difference } from './drift.ts';

export interface LeftOut {
  /** The id of the endpoint, or Docker's operation id where there is none; without it, all operations. */
  readonly operation?: string;
  /** Covers what is inside as well. Behind `…`, the end of a place. */
  readonly place: string;
  /** The documents that say it; without it, any. */
  readonly versions?: readonly ApiVersion[];
  readonly reason: string;
}

const repeatable = 'documented as one text, and read as often as it stands there';
const truth = 'documented as a text, and read by the engine as true or false';
const misprint = 'a mistake of the document: the engine of that version reads and writes it as the later ones do';

export const leftOut: readonly LeftOut[] = [
  {
    place: '….PortBindings.*',
    versions: ['1.25'],
    reason: `${misprint}, a list of bindings for each port`,
  },
  { operation: 'ContainerInspect', place: 'answer.ExecIDs', versions: ['1.25'], reason: misprint },
  { operation: 'ContainerInspect', place: 'answer.NetworkSettings.Address', versions: ['1.25'], reason: misprint },
  { operation: 'ContainerInspect', place: 'answer.NetworkSettings.PortMapping', versions: ['1.25'], reason: misprint },
  { operation: 'ContainerInspect', place: 'answer.NetworkSettings.Ports', versions: ['1.25'], reason: misprint },
  { operation: 'ContainerLogs', place: 'query.since', reason: 'documented as whole seconds, and read with fractions' },
  { operation: 'ContainerLogs', place: 'query.until', reason: 'documented as whole seconds, and read with fractions' },
  { operation: 'PutContainerArchive', place: 'query.noOverwriteDirNonDir', reason: truth },
  { operation: 'PutContainerArchive', place: 'query.copyUIDGID', reason: truth },
  { operation: 'ImageBuild', place: 'query.pull', reason: truth },
  { operation: 'ImageBuild', place: 'query.t', reason: repeatable },
  { operation: 'ImageBuild', place: 'query.extrahosts', reason: repeatable },
  { operation: 'ImageBuild', place: 'query.buildargs', versions: ['1.25'], reason: misprint },
  { operation: 'ImageCommit', place: 'query.changes', reason: repeatable },
  {
    operation: 'ImageGet',
    place: 'query.platform',
    versions: ['1.51'],
    reason: 'may stand several times from 1.52 on',
  },
  {
    operation: 'ImageGetAll',
    place: 'query.platform',
    versions: ['1.51'],
    reason: 'may stand several times from 1.52 on',
  },
  {
    operation: 'ImageLoad',
    place: 'query.platform',
    versions: ['1.51'],
    reason: 'may stand several times from 1.52 on',
  },
  { operation: 'SystemDataUsage', place: 'answer.Containers', versions: ['1.25'], reason: misprint },
  { place: '….IPAM.Config[]', versions: ['1.25'], reason: misprint },
  { place: '….IPAM.Options', versions: ['1.25'], reason: misprint },
  { operation: 'NetworkPrune', place: 'answer.VolumesDeleted', versions: ['1.25'], reason: misprint },
  { operation: 'GetPluginPrivileges', place: 'query.name', versions: ['1.25'], reason: `${misprint}: remote` },
  { operation: 'ServiceUpdate', place: 'answer.Untagged', versions: ['1.25'], reason: misprint },
  { operation: 'ServiceUpdate', place: 'answer.Deleted', versions: ['1.25'], reason: misprint },
  { operation: 'ServiceLogs', place: 'query.since', reason: 'documented as whole seconds, and read with fractions' },
  { operation: 'TaskLogs', place: 'query.since', reason: 'documented as whole seconds, and read with fractions' },
  { operation: 'SecretList', place: 'answer[].Spec', versions: ['1.25'], reason: `${misprint}: of secrets` },
  { operation: 'SecretInspect', place: 'answer.Spec', versions: ['1.25'], reason: `${misprint}: of secrets` },
  { operation: 'SecretCreate', place: 'body.Data', versions: ['1.25'], reason: misprint },
  { operation: 'SecretCreate', place: 'answer.Id', reason: 'the engine writes ID' },
  { operation: 'ConfigCreate', place: 'answer.Id', reason: 'the engine writes ID' },
  { place: '….ContainerSpec.HealthCheck', reason: 'the engine writes Healthcheck, and takes the one for the other' },
  { place: '….PluginSpec.Name', reason: 'the engine writes name, and takes the one for the other' },
  { place: '….PluginSpec.Remote', reason: 'the engine writes remote, and takes the one for the other' },
  { place: '….PluginSpec.Disabled', reason: 'the engine writes disabled, and takes the one for the other' },
  { place: '….PluginSpec.PluginPrivilege', reason: 'the engine writes and reads privileges' },
];

export function covers(entry: LeftOut, { operation, place, version }: Difference): boolean {
  if (entry.operation !== undefined && entry.operation !== operation) return false;
  if (entry.versions !== undefined && !entry.versions.includes(version)) return false;
  if (entry.place.startsWith('…')) return place.endsWith(entry.place.slice(1));
  if (!place.startsWith(entry.place)) return false;
  const rest = place.slice(entry.place.length);
  return rest === '' || rest.startsWith('.') || rest.startsWith('[');
}
