/** Whose total a thing of the engine counts in: its namespace's, or where it has none that of the user who made it. */

import { isObject, type Json } from '../ground/json.ts';
import { NAMESPACE_LABEL, USER_LABEL } from './reserved-labels.ts';

/** A label filter of the engine: `berthgate.namespace=shop` or `berthgate.user=alice`; empty for nobody. */
export type Holder = string;

export const NOBODY: Holder = '';

export function holderOf(namespace: string | null, user: string): Holder {
  return namespace === null ? `${USER_LABEL}=${user}` : `${NAMESPACE_LABEL}=${namespace}`;
}

/** All volumes of a namespace carry its label; those that a user's containers bring about need not. */
export function isNamespace(holder: Holder): boolean {
  return holder.startsWith(`${NAMESPACE_LABEL}=`);
}

/** By the labels of the thing. */
export function holderBy(labels: Json | undefined): Holder {
  if (!isObject(labels ?? null)) return NOBODY;
  const { [NAMESPACE_LABEL]: namespace = '', [USER_LABEL]: user = '' } = labels as Record<string, Json>;
  if (typeof namespace === 'string' && namespace !== '') return holderOf(namespace, '');
  return typeof user === 'string' && user !== '' ? holderOf(null, user) : NOBODY;
}
