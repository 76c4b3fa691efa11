/**
 * The one variable that has programs trust more than they bring along without trusting less: of Node.js, whose builds of
 * its makers do not look at what the system trusts. Containers that are given our CA have it, and nobody is shown it.
 */

import { isList, isObject, type Json } from '../ground/json.ts';
import { entriesOf, subjectOf } from './settings.ts';

const NAME = 'NODE_EXTRA_CA_CERTS';

/** Beside the certificates of a site, where update-ca-certificates does not take it for one of them. */
export const EXTRA_TRUST_FILE = '/usr/local/share/ca-certificates/berthgate.pem';
export const EXTRA_TRUST = `${NAME}=${EXTRA_TRUST_FILE}`;
/** Engines merge the variables of a container into an image that is committed of it: none can be left out, but emptied. */
export const NO_EXTRA_TRUST = `ENV ${NAME}=`;

/** Whether somebody has told it already, in the variables of a container or of its image. */
export function saysExtraTrust(environment: readonly string[]): boolean {
  return environment.some((entry) => subjectOf('env', entry) === NAME && entry !== `${NAME}=`);
}

/** The variables of an inspected container or image. */
export function environmentIn(inspection: Json): readonly string[] {
  const config = isObject(inspection) ? (inspection.Config ?? null) : null;
  return isObject(config) ? entriesOf(config.Env) : [];
}

export function withoutExtraTrust(inspection: Json): Json {
  if (!isObject(inspection) || !environmentIn(inspection).includes(EXTRA_TRUST)) return inspection;
  const config = inspection.Config as { readonly Env: Json };
  const rest = isList(config.Env) ? config.Env.filter((entry) => entry !== EXTRA_TRUST) : config.Env;
  return { ...inspection, Config: { ...config, Env: rest } };
}
