/** The built-in policies by the name that a configuration gives them. */

import type { Policy, PolicyKind } from '../../exchange/policy.ts';
import { committedLabels } from './committed-labels.ts';
import { conservativeKind } from './conservative/conservative.ts';
import { endpointsKind } from './endpoints.ts';
import { imagesKind } from './images.ts';
import { injectKind } from './inject.ts';
import { limitsKind } from './limits/limits.ts';
import { mostNamed } from './most-named.ts';
import { reservedLabels } from './reserved-labels.ts';

export { BuildsPolicy } from './builds.ts';

const kinds: readonly PolicyKind[] = [conservativeKind, endpointsKind, imagesKind, injectKind, limitsKind];

export const policyKinds: ReadonlyMap<string, PolicyKind> = new Map(kinds.map((kind) => [kind.name, kind]));

/** What every listener with a policy or a namespace has before its own. */
export const alwaysFirst: readonly Policy[] = [mostNamed, reservedLabels];

/** And behind them. */
export const alwaysLast: readonly Policy[] = [committedLabels];
