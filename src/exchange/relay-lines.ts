/** Passes an answer of JSON lines on, each line translated by itself; a line is the most that is ever held. */

import { endToEnd } from '../wire/end-to-end.ts';
import type { AnswerSink, Exchange } from '../wire/inbound.ts';
import type { AnswerHead, AnswerStart } from '../wire/message.ts';
import type { EnginePool, OutboundCall, OutboundRequest } from '../wire/outbound.ts';
import { OutboundFault } from '../wire/outbound-fault.ts';
import type { TranslateBack } from './translate-back.ts';

const LINE_FEED = 0x0a;
const MAX_LINE_BYTES = 16 * 1024 * 1024;

export interface LineHooks {
  readonly onHead: (head: AnswerHead) => AnswerStart;
  /** Null when all went well or the client went away. */
  readonly onDone: (fault: OutboundFault | null) => void;
}

export function relayLines(
  exchange: Exchange,
  pool: EnginePool,
  request: OutboundRequest,
  translate: TranslateBack,
  hooks: LineHooks,
): void {
  let sink: AnswerSink | null = null;
  let rest: Buffer[] = [];
  let restBytes = 0;
  let call: OutboundCall | null = null;
  let status = 0;

  const take = (chunk: Buffer): Buffer => {
    const end = chunk.lastIndexOf(LINE_FEED) + 1;
    if (end === 0) {
      keep(chunk);
      return EMPTY;
    }
    const whole = Buffer.concat([...rest, chunk.subarray(0, end)]);
    rest = [];
    restBytes = 0;
    if (end < chunk.length) keep(chunk.subarray(end));
    return eachLine(whole, translate, status);
  };
  const keep = (piece: Buffer): void => {
    restBytes += piece.length;
    // The wire reads over its buffers: what is kept must be a copy.
    rest.push(Buffer.from(piece));
  };
  const tooLong = (): void => {
    call?.abort();
    exchange.abort();
    hooks.onDone(new OutboundFault('garbage', 'a line of the answer is too long'));
  };

  exchange.onGone = () => {
    call?.abort();
    hooks.onDone(null);
  };
  call = pool.send(request, {
    onHead(head, body, complete) {
      const { reason, headers, ...begun } = hooks.onHead(head);
      status = begun.status;
      const start = { status, reason, headers: endToEnd(headers) };
      if (complete) {
        const lines =
          body === null ? EMPTY : Buffer.concat([take(body), eachLine(Buffer.concat(rest), translate, status)]);
        exchange.answer(start, lines, head.framing.kind === 'chunked');
        hooks.onDone(null);
        return true;
      }
      const first = body === null ? EMPTY : take(body);
      sink = exchange.startAnswer(start, null, first.length === 0 ? null : first);
      sink.onReady = () => call?.resume();
      return !sink.held;
    },
    onData(chunk) {
      const lines = take(chunk);
      if (restBytes > MAX_LINE_BYTES) tooLong();
      return lines.length === 0 || (sink as AnswerSink).write(lines);
    },
    onEnd(trailers) {
      const last = restBytes > 0 ? translate(Buffer.concat(rest), status) : EMPTY;
      // An empty chunk would be the end.
      if (last.length > 0) (sink as AnswerSink).write(last);
      (sink as AnswerSink).end(trailers);
      hooks.onDone(null);
    },
    onUpgrade(_head, end) {
      end.channel.reset();
      exchange.abort();
      hooks.onDone(new OutboundFault('garbage', 'an upgrade nobody asked for'));
    },
    onFault(fault) {
      if (exchange.started) exchange.abort();
      hooks.onDone(fault);
    },
  });
}

const EMPTY = Buffer.alloc(0);

function eachLine(lines: Buffer, translate: TranslateBack, status: number): Buffer {
  const translated: Buffer[] = [];
  let start = 0;
  while (start < lines.length) {
    const found = lines.indexOf(LINE_FEED, start);
    const end = found < 0 ? lines.length : found + 1;
    const line = lines.subarray(start, end);
    const changed = translate(line, status);
    start = end;
    if (changed.length === 0) continue;
    translated.push(changed);
    // A document that was printed anew has lost its line break.
    if (changed !== line && found >= 0) translated.push(lines.subarray(found, found + 1));
  }
  return translated.length === 1 ? (translated[0] as Buffer) : Buffer.concat(translated);
}
