/**
 * Tells a client documents as they come, a line each, without a call of its own to the engine. What it has not read yet
 * is kept up to a limit; who is further behind is cut off plainly, so that nobody else waits and nothing is left out.
 */

import type { Json } from '../ground/json.ts';
import { Refusal } from '../ground/refusal.ts';
import type { AnswerSink, Exchange } from '../wire/inbound.ts';
import type { OwnStream } from './namespacing.ts';

const MOST_WAITING_BYTES = 4 * 1024 * 1024;

/** `print`: nothing for what is not to be told. Resolves when the stream is over. @throws Refusal */
export function tellStream(
  exchange: Exchange,
  stream: OwnStream,
  contentType: string,
  print: (document: Json) => string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let sink: AnswerSink | null = null;
    let waiting: Buffer[] = [];
    let waitingBytes = 0;
    let ending = false;
    let over = false;
    let leave = (): void => {};

    const finish = (fault: Error | null): void => {
      if (over) return;
      over = true;
      waiting = [];
      leave();
      if (fault === null) resolve();
      else reject(fault);
    };
    const cut = (fault: Error): void => {
      if (sink !== null) exchange.abort();
      finish(fault);
    };
    const flush = (): void => {
      if (sink === null || sink.held || over) return;
      if (waiting.length > 0) {
        const told = Buffer.concat(waiting);
        waiting = [];
        waitingBytes = 0;
        if (!sink.write(told)) return;
      }
      if (!ending) return;
      sink.end();
      finish(null);
    };
    const tell = (document: Json): void => {
      if (over || ending) return;
      const line = Buffer.from(print(document));
      if (line.length === 0) return;
      waiting.push(line);
      waitingBytes += line.length;
      flush();
      if (waitingBytes > MOST_WAITING_BYTES) {
        cut(new Refusal('slow-reader', `more than ${MOST_WAITING_BYTES} bytes wait to be read by the client`));
      }
    };

    exchange.onGone = () => finish(null);
    stream
      .begin({
        // What goes wrong with one client's line must not reach whoever tells it to all.
        tell: (document) => {
          try {
            tell(document);
          } catch (fault) {
            cut(fault as Error);
          }
        },
        end: (fault) => {
          if (fault !== null) return cut(fault);
          ending = true;
          flush();
        },
      })
      .then((left) => {
        leave = left;
        if (over) return leave();
        sink = exchange.startAnswer({ status: 200, reason: '', headers: ['Content-Type', contentType] });
        sink.onReady = flush;
        flush();
      })
      .catch(cut);
  });
}
