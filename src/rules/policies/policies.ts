/** The built-in policies by the name that a configuration gives them. */

import type { PolicyKind } from '../../exchange/policy.ts';

const kinds: readonly PolicyKind[] = [];

export const policyKinds: ReadonlyMap<string, PolicyKind> = new Map(kinds.map((kind) => [kind.name, kind]));
