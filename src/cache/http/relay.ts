/** An answer of the origin that goes to one client and is not kept. */

import { endToEnd } from '../../wire/end-to-end.ts';
import type { RawHeaders } from '../../wire/message.ts';
import type { Asked } from './asked.ts';
import { discard } from './fetching.ts';
import { without } from './fields.ts';
import type { OriginAnswer } from './origin.ts';
import { sendPieces } from './send.ts';

/** Gives the bytes of the body that were sent. */
export async function relay({ exchange, method }: Asked, answer: OriginAnswer, marks: RawHeaders): Promise<number> {
  const { status, reason, length } = answer;
  if (exchange.gone) {
    discard(answer);
    return 0;
  }
  const headers = [...without(endToEnd(answer.headers), (name) => name === 'content-length'), ...marks];
  try {
    const sink = exchange.startAnswer({ status, reason, headers }, length);
    if (method === 'HEAD' || status === 204 || status === 304) {
      discard(answer);
      sink.end();
      return 0;
    }
    return await sendPieces(exchange, sink, answer.body as AsyncIterable<Buffer>);
  } catch (fault) {
    discard(answer);
    throw fault;
  }
}
