/** The lists `users` and `groups` of an authenticator: who of those that it knows may come in. */

import { compileGlob } from '../../ground/glob.ts';
import { Refusal } from '../../ground/refusal.ts';
import { listOf, nameGlob } from '../../operate/config/schema/names.ts';

/** The options, to be spread into an authenticator's schema. Absent, both: everybody. */
export const allowedOptions = {
  users: listOf(nameGlob(), 1).meta({ description: 'Users that may come in: names or patterns.' }).optional(),
  groups: listOf(nameGlob(), 1)
    .meta({ description: 'Groups whose members may come in: names or patterns. With `users`: either is enough.' })
    .optional(),
};

export interface AllowedOptions {
  readonly users?: readonly string[] | undefined;
  readonly groups?: readonly string[] | undefined;
}

/** Throws for a user that neither list names. */
export type Admit = (user: string, groups: readonly string[]) => void;

/** The result throws Refusal not-identified. */
export function admitting({ users, groups }: AllowedOptions): Admit {
  if (users === undefined && groups === undefined) return () => {};
  const userGlobs = (users ?? []).map((pattern) => compileGlob(pattern));
  const groupGlobs = (groups ?? []).map((pattern) => compileGlob(pattern));
  return (user, memberOf) => {
    if (userGlobs.some((matches) => matches(user))) return;
    if (memberOf.some((group) => groupGlobs.some((matches) => matches(group)))) return;
    throw new Refusal('not-identified', `the user ${user} may not use this listener`);
  };
}
