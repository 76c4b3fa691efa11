/** Secrets and configs: small files that a swarm hands to its services. */

import { credential, type Kind, labels, type Mark, makes, uses } from '../marks.ts';
import { alsoSpelled, filters, object, since, text } from '../shape.ts';
import { clusterWide } from './cluster-mark.ts';
import { labelMap } from './labels.ts';
import { objectVersion } from './object-version.ts';
import { clusterDriver } from './swarm-cluster.ts';

// docker-py says `name`.
const templating = since('1.37', alsoSpelled({ name: 'Name' }, clusterDriver));

function fields(...data: readonly Mark[]) {
  return { Labels: labelMap, Data: text(...data), Templating: templating };
}

const secretFields = { ...fields(credential), Driver: since('1.31', clusterDriver) };
const configFields = fields();

function shown<F extends typeof configFields>(kind: Kind, more: F) {
  return object({
    ID: text(uses(kind, 'id')),
    Version: objectVersion,
    CreatedAt: text(),
    UpdatedAt: text(),
    Spec: object({ Name: text(uses(kind, 'name')), ...more }),
  });
}

export const secret = shown('secret', secretFields);
export const config = shown('config', configFields);

export const newSecret = clusterWide(object({ Name: text(makes('secret')), ...secretFields }));
export const newConfig = clusterWide(object({ Name: text(makes('config')), ...configFields }));

/** The name must be the one that it has already: the swarm changes labels only. */
export const changedSecret = clusterWide(object({ Name: text(uses('secret', 'name')), ...secretFields }));
export const changedConfig = clusterWide(object({ Name: text(uses('config', 'name')), ...configFields }));

export function dataFilters(kind: Kind) {
  return filters({
    id: text(uses(kind)),
    label: text(labels),
    name: text(uses(kind)),
    names: text(uses(kind, 'name')),
  });
}
