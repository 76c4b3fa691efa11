/** Passes an answer of JSON lines on, each line translated by itself; a line is the most that is ever held. */

import { eachLine, WholeLines } from '../ground/whole-lines.ts';
import { endToEnd } from '../wire/end-to-end.ts';
import type { AnswerSink, Exchange } from '../wire/inbound.ts';
import type { AnswerHead, AnswerStart, RawHeaders } from '../wire/message.ts';
import type { EnginePool, OutboundCall } from '../wire/outbound.ts';
import { OutboundFault } from '../wire/outbound-fault.ts';
import { bodyThrough, type RelayRequest } from '../wire/relay.ts';
import type { TranslateBack } from './translate-back.ts';

const LINE_FEED = 0x0a;
const MAX_LINE_BYTES = 16 * 1024 * 1024;

export interface LineHooks {
  readonly onHead: (head: AnswerHead) => AnswerStart;
  /** Once, last: null when all went well, the client went away, or its body could not be read and it has heard so. */
  readonly onDone: (fault: OutboundFault | null) => void;
  /** In place of `onDone`: what the body passed through has ended the call, which is still to be answered where nothing had begun. */
  readonly onStopped: (fault: unknown) => void;
  readonly deadline: Deadline | null;
}

/** How long the call may last, and what ends it then: as the answer, or as the last line of one that has begun. */
export interface Deadline {
  readonly ms: number;
  readonly fault: unknown;
  readonly lastLine: Buffer;
}

interface LineEvents {
  onHead(head: AnswerHead, body: Buffer | null, complete: boolean): boolean;
  onData(chunk: Buffer): boolean;
  onEnd(trailers: RawHeaders): boolean;
}

export function relayLines(
  exchange: Exchange,
  pool: EnginePool,
  request: RelayRequest,
  translate: TranslateBack,
  hooks: LineHooks,
): void {
  let sink: AnswerSink | null = null;
  const lines = new WholeLines();
  let call: OutboundCall | null = null;
  let status = 0;
  let over = false;

  const finish = (end: () => void): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    end();
  };
  const { deadline } = hooks;
  const expire = ({ fault, lastLine }: Deadline): void =>
    finish(() => {
      call?.abort();
      sink?.write(lastLine);
      sink?.end();
      hooks.onStopped(fault);
    });
  const timer = deadline === null ? undefined : setTimeout(expire, deadline.ms, deadline);
  const done = (fault: OutboundFault | null): void => finish(() => hooks.onDone(fault));
  const take = (chunk: Buffer): Buffer => translated(lines.take(chunk), translate, status);
  const tooLong = (): void => {
    call?.abort();
    exchange.abort();
    done(new OutboundFault('garbage', 'a line of the answer is too long'));
  };

  const stop = (fault: unknown): void =>
    finish(() => {
      call?.abort();
      if (exchange.started) exchange.abort();
      hooks.onStopped(fault);
    });
  /** On the connection that tells it nobody would catch it. */
  const guarded = (tell: () => boolean): boolean => {
    try {
      return tell();
    } catch (fault) {
      stop(fault);
      return true;
    }
  };

  exchange.onGone = () => {
    call?.abort();
    done(null);
  };
  const events: LineEvents = {
    onHead(head, body, complete) {
      const { reason, headers, ...begun } = hooks.onHead(head);
      status = begun.status;
      const start = { status, reason, headers: endToEnd(headers) };
      if (complete) {
        const all = body === null ? EMPTY : Buffer.concat([take(body), translated(lines.rest(), translate, status)]);
        exchange.answer(start, all, head.framing.kind === 'chunked');
        done(null);
        return true;
      }
      const first = body === null ? EMPTY : take(body);
      sink = exchange.startAnswer(start, null, first.length === 0 ? null : first);
      sink.onReady = () => call?.resume();
      return !sink.held;
    },
    onData(chunk) {
      const told = take(chunk);
      if (lines.heldBytes > MAX_LINE_BYTES) tooLong();
      return told.length === 0 || (sink as AnswerSink).write(told);
    },
    onEnd(trailers) {
      const last = translated(lines.rest(), translate, status);
      // An empty chunk would be the end.
      if (last.length > 0) (sink as AnswerSink).write(last);
      (sink as AnswerSink).end(trailers);
      done(null);
      return true;
    },
  };
  call = pool.send(request, {
    onHead: (...head) => guarded(() => events.onHead(...head)),
    onData: (chunk) => guarded(() => events.onData(chunk)),
    onEnd: (trailers) => void guarded(() => events.onEnd(trailers)),
    onUpgrade(_head, end) {
      end.channel.reset();
      exchange.abort();
      done(new OutboundFault('garbage', 'an upgrade nobody asked for'));
    },
    onFault(fault) {
      // What has ended the call breaks the upload.
      if (exchange.started && !over) exchange.abort();
      done(fault);
    },
  });
  bodyThrough(exchange, call, request, {
    onStop: stop,
    onUnreadable: () => done(null),
  });
}

const EMPTY = Buffer.alloc(0);
const BREAK = Buffer.from([LINE_FEED]);

function translated(lines: Buffer, translate: TranslateBack, status: number): Buffer {
  const told: Buffer[] = [];
  for (const line of eachLine(lines)) {
    const changed = translate(line, status);
    if (changed.length === 0) continue;
    told.push(changed);
    // A document that was printed anew has lost its line break.
    if (changed !== line && line.at(-1) === LINE_FEED) told.push(BREAK);
  }
  return told.length === 1 ? (told[0] as Buffer) : Buffer.concat(told);
}
