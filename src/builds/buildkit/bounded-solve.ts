/** Builds take what the policies let them: BuildKit itself holds to it, since nobody has read the Dockerfile yet. */

import { withOwnFrontend, withSources } from '../../docker/buildkit-requests.ts';
import { imageSource, type SourceRule } from '../../docker/source-policy.ts';
import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import type { BuildSources } from '../../exchange/policy.ts';
import type { Refusal } from '../../ground/refusal.ts';

/** No rule allows the scheme. */
const DENIED = 'denied://by-policy';

/** BuildKit fetches addresses, repositories and layouts from the engine's own network and files. */
const closed: readonly SourceRule[] = [
  { action: 'deny', regex: '.*' },
  { action: 'allow', regex: '^(docker-image|local)://' },
];

/**
 * `own`: how a namespace finds images; a conversion ends the look at the rules, so that what was denied before it would be
 * forgotten. @throws Refusal where no rules of BuildKit could say what the policies say
 */
export function bounded(call: Call, sources: readonly BuildSources[], own: readonly SourceRule[]): Call {
  if (own.length > 0) return boundedInNamespace(call, sources, own);
  const isClosed = sources.some(({ closed }) => closed === true);
  const allowed = sources.flatMap(({ allowed }) => (allowed === undefined ? [] : [allowed]));
  if (allowed.length > 1) throw inexpressible('two policies list images, and BuildKit holds to one list alone');
  const rules: readonly SourceRule[] = [
    ...(isClosed ? closed : []),
    ...allowed.flatMap((images): readonly SourceRule[] => [
      { action: 'deny', regex: imageSource('.*') },
      ...images.map((image): SourceRule => ({ action: 'allow', regex: imageSource(image) })),
    ]),
    ...sources.flatMap(({ denied = [] }) =>
      denied.map((image): SourceRule => ({ action: 'deny', regex: imageSource(image) })),
    ),
  ];
  const bound = rules.length === 0 ? call : withSources(call, rules);
  return isClosed ? withOwnFrontend(bound) : bound;
}

/** Which hosts are connected to is the gateway's to say; what a policy denies by name is turned into what nothing allows. */
function boundedInNamespace(call: Call, sources: readonly BuildSources[], own: readonly SourceRule[]): Call {
  if (sources.some(({ allowed }) => allowed !== undefined)) {
    throw inexpressible('a policy lists images or registries, and BuildKit cannot hold to it in a namespace');
  }
  const denied = sources.flatMap((one) => (one.closed === true ? [] : (one.denied ?? [])));
  const rules = denied.map((image): SourceRule => ({ action: { convertTo: DENIED }, regex: imageSource(image) }));
  return withOwnFrontend(withSources(call, [...closed, ...rules, ...own]));
}

function inexpressible(message: string): Refusal {
  return refuse('builds', 'sources', message, { hint: 'set DOCKER_BUILDKIT=0' });
}
