/** Whose a thing of the engine is: its name and its label say so together; one of the two alone says nothing. */

import type { NamedThing } from '../../docker/named-things.ts';
import { INSTALLATION_LABEL, JOB_LABEL, NAMESPACE_LABEL, SCOPE_LABEL } from '../../docker/reserved-labels.ts';
import { isJobId } from '../../jobs/job-id.ts';
import type { EngineSide } from './engine-side.ts';
import { clientName, isNamespace } from './names.ts';

/** Null for what belongs to nobody. */
export function ownerOf({ name, labels }: Pick<NamedThing, 'name' | 'labels'>): string | null {
  const owner = labels[NAMESPACE_LABEL];
  return owner !== undefined && isNamespace(owner) && clientName(owner, name) !== null ? owner : null;
}

/** The filter of lists that keeps what carries the label; whose it is, the name says too. */
export function labelled(namespace: string): string {
  return `${NAMESPACE_LABEL}=${namespace}`;
}

/** What everything that a namespace makes carries. */
export function labelsOf({ scopes, ledger }: EngineSide, namespace: string): Readonly<Record<string, string>> {
  const scope = scopes.get(namespace);
  return {
    [NAMESPACE_LABEL]: namespace,
    ...(scope === undefined ? {} : { [SCOPE_LABEL]: scope }),
    // Whose jobs these are must be known when nobody is left to say it.
    ...(isJobId(namespace) ? { [JOB_LABEL]: namespace, [INSTALLATION_LABEL]: ledger.installation.id } : {}),
  };
}
