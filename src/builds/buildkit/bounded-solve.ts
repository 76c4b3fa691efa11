/** Builds take what the policies let them: BuildKit itself holds to it, since nobody has read the Dockerfile yet. */

import { randomBytes } from 'node:crypto';
import { withOwnFrontend, withSources } from '../../docker/buildkit-requests.ts';
import { imageSource, type SourceRule } from '../../docker/source-policy.ts';
import type { Call } from '../../exchange/call.ts';
import type { InnerPassage } from '../../exchange/mediation.ts';
import type { BuildSources } from '../../exchange/policy.ts';

/** No rule allows the scheme. */
const DENIED = 'denied://by-policy';

/** BuildKit fetches addresses, repositories and layouts from the engine's own network and files. */
const closed: readonly SourceRule[] = [
  { action: 'deny', regex: '.*' },
  { action: 'allow', regex: '^(docker-image|local)://' },
];

/** Of what a list allows: nobody who describes a source by itself knows the value. */
const word = randomBytes(16).toString('hex');

/**
 * Own sources: how a namespace finds images; a conversion ends the look at the rules, so that what was denied before it would be
 * forgotten: what is not to be is turned into what nothing allows, and what is listed is marked.
 */
export function bounded(
  call: Call,
  sources: readonly BuildSources[],
  { sources: own, found }: Pick<InnerPassage, 'sources' | 'found'>,
): Call {
  const isClosed = own.length > 0 || sources.some((one) => one.closed === true);
  // Which hosts are connected to for images is the gateway's to say.
  const denying = own.length > 0 ? sources.filter((one) => one.closed !== true) : sources;
  const denied = denying.flatMap((one) => one.denied ?? []);
  const lists = sources.flatMap((one) => (one.allowed === undefined ? [] : [one.allowed]));
  const rules: readonly SourceRule[] = [
    ...(isClosed ? [...closed, ...fetchedBy(sources)] : []),
    ...denied.map((image): SourceRule => ({ action: { convertTo: DENIED }, regex: imageSource(image) })),
    // Own rules say which of what is at the gateway.
    ...lists.flatMap((images, at) => listed([...images, ...found.map((one) => `${escaped(one)}/.*`)], at)),
    ...own.filter(({ of }) => of === undefined || lists.every((images) => isListed(of, images))),
  ];
  if (rules.length === 0) return call;
  const bound = withSources(call, [{ action: 'deny', regex: `^${DENIED}$` }, ...rules]);
  return isClosed ? withOwnFrontend(bound) : bound;
}

function isListed(name: string, images: readonly string[]): boolean {
  return images.some((image) => new RegExp(`^(?:${image})$`).test(name));
}

/** What all of those allow who say anything. */
function fetchedBy(sources: readonly BuildSources[]): readonly SourceRule[] {
  return sources.find((one) => one.fetched !== undefined)?.fetched ?? [];
}

/**
 * All of a list are marked, and what has no mark of each list is turned away. What a namespace finds at its gateway has been
 * on the list before, or is left out of the rules of its own.
 */
function listed(images: readonly string[], at: number): readonly SourceRule[] {
  const mark = { key: `berthgate.list.${at}`, value: word };
  return [
    ...images.map(
      (image): SourceRule => ({
        // biome-ignore lint/suspicious/noTemplateCurlyInString: what the whole expression has matched, for RE2.
        action: { convertTo: 'docker-image://${1}' },
        regex: `^docker-image://(${image})$`,
        marks: mark,
        unless: mark,
      }),
    ),
    { action: { convertTo: DENIED }, regex: imageSource('.*'), unless: mark },
  ];
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
