/** What the Dockerfile of a classic build may fetch: images as they may be pulled, addresses as `query.remote` may name them. */

import { buildOf } from '../../../docker/build-call.ts';
import { pushedImages } from '../../../docker/buildkit-requests.ts';
import type { BuildJudge } from '../../../exchange/build-judge.ts';
import type { Call } from '../../../exchange/call.ts';
import { refuse } from '../../../exchange/judge.ts';
import type { Bounds } from './closed-list.ts';

/** Null for every other call, and for builds whose files do not come with the call. */
export function judgeOfFetches(
  name: string,
  { allowed, registries, addresses }: Bounds,
  call: Call,
): BuildJudge | null {
  const build = buildOf(call);
  if (build === null || build.byBuildKit || !build.brought) return null;
  return {
    image({ text, line }) {
      if (registries.permitsImage(text)) return;
      throw refuse(name, 'fetches', `must not take ${text} from its registry`, {
        place: `Dockerfile:${line}`,
        hint: 'the engine connects from the host: registries outside of the site, or those of the option registries',
      });
    },
    address(text, line, certain) {
      if (certain && (addresses.permitsFile(text) || allowed.permitsText('query.remote', text))) return;
      throw refuse(name, 'fetches', `must not ADD ${text}${certain ? '' : ', which may be an address'}`, {
        place: `Dockerfile:${line}`,
        hint: 'the engine connects from the host: fetch it in a RUN step, or list it under allow, query.remote',
      });
    },
  };
}

/** An engine with images in containerd pushes by itself what BuildKit has built. @throws Refusal */
export function judgePushes(name: string, { registries }: Bounds, call: Call): void {
  for (const image of pushedImages(call)) {
    if (registries.permitsImage(image)) continue;
    throw refuse(name, 'fetches', `must not push ${image} to its registry`, {
      place: 'Exporters',
      hint: 'the engine connects from the host: registries outside of the site, or those of the option registries',
    });
  }
}
