/** What the cache itself has to say to a client. */

import type { Exchange } from '../../wire/exchange.ts';

export function answerText(exchange: Exchange, status: number, message: string): void {
  if (exchange.gone || exchange.started) return;
  exchange.answer(
    // Programs such as apt show nothing but the first line.
    {
      status,
      reason: message.replace(/[^ -~]/g, '?').slice(0, 200),
      headers: ['Content-Type', 'text/plain; charset=utf-8', 'Cache-Control', 'no-store'],
    },
    `berthgate: ${message}\n`,
  );
}
