/** What users and namespaces have open at one time: streams and builds. They end by themselves, so who comes too early comes again. */

import { runsBuild } from '../../../docker/build-call.ts';
import type { AnswerTravel, Endpoint } from '../../../docker/endpoint.ts';
import type { Holder } from '../../../docker/holder.ts';

export type AtOnce = 'streams' | 'builds';

const streaming: ReadonlySet<AnswerTravel> = new Set(['lines', 'frames', 'hijack', 'websocket', 'h2c', 'tar']);

/** BuildKit's connections are streams, and each build within them is one. */
export function opensOf(endpoint: Endpoint): readonly AtOnce[] {
  const streams: readonly AtOnce[] = streaming.has(endpoint.answer.travel) ? ['streams'] : [];
  return runsBuild(endpoint) ? [...streams, 'builds'] : streams;
}

export class OpenNow {
  private readonly counts = new Map<string, number>();

  /** How many the holder has open. */
  count(holder: Holder, what: AtOnce): number {
    return this.counts.get(`${what} ${holder}`) ?? 0;
  }

  open(holder: Holder, what: AtOnce): () => void {
    const key = `${what} ${holder}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    return () => {
      const left = (this.counts.get(key) ?? 0) - 1;
      if (left > 0) this.counts.set(key, left);
      else this.counts.delete(key);
    };
  }
}
