/** Builds take what the policies let them: BuildKit itself holds to it, since nobody has read the Dockerfile yet. */

import { withOwnFrontend, withSources } from '../../docker/buildkit-requests.ts';
import { imageSource, type SourceRule } from '../../docker/source-policy.ts';
import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import type { BuildSources } from '../../exchange/policy.ts';

/** BuildKit fetches addresses, repositories and layouts from the engine's own network and files. */
const closed: readonly SourceRule[] = [
  { action: 'deny', regex: '.*' },
  { action: 'allow', regex: '^(docker-image|local)://' },
];

/** @throws Refusal where no rules of BuildKit could say what the policies say */
export function bounded(call: Call, sources: readonly BuildSources[], own: readonly SourceRule[]): Call {
  const isClosed = sources.some(({ closed }) => closed === true);
  const allowed = sources.flatMap(({ allowed }) => (allowed === undefined ? [] : [allowed]));
  if (allowed.length > 1) {
    const message = 'two policies list images, and BuildKit holds to one list alone';
    throw refuse('builds', 'sources', message, { hint: 'set DOCKER_BUILDKIT=0' });
  }
  const rules: readonly SourceRule[] = [
    ...(isClosed || own.length > 0 ? closed : []),
    ...allowed.flatMap((images): readonly SourceRule[] => [
      { action: 'deny', regex: imageSource('.*') },
      ...images.map((image): SourceRule => ({ action: 'allow', regex: imageSource(image) })),
    ]),
    ...sources.flatMap(({ denied = [] }) =>
      denied.map((image): SourceRule => ({ action: 'deny', regex: imageSource(image) })),
    ),
    ...own,
  ];
  const bound = rules.length === 0 ? call : withSources(call, rules);
  return isClosed || own.length > 0 ? withOwnFrontend(bound) : bound;
}
