/** What users and namespaces have open at one time: streams and builds. They end by themselves, so who comes too early comes again. */

import type { AnswerTravel, Endpoint } from '../../../docker/endpoint.ts';
import type { Holder } from '../../../docker/holder.ts';

export type AtOnce = 'streams' | 'builds';

const streaming: ReadonlySet<AnswerTravel> = new Set(['lines', 'frames', 'hijack', 'websocket', 'h2c', 'tar']);

/** A build over BuildKit's own API is a stream: what it does inside is not seen here. */
export function opensOf({ answer, body, risk }: Endpoint): readonly AtOnce[] {
  const streams: readonly AtOnce[] = streaming.has(answer.travel) ? ['streams'] : [];
  return risk === 'build' && body.travel === 'tar' ? [...streams, 'builds'] : streams;
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
