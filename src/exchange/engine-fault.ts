/** What a client is told when the engine is at fault. */

import { Refusal, type RefusalCode } from '../ground/refusal.ts';
import type { OutboundFault } from '../wire/outbound.ts';

const CODES: Readonly<Record<OutboundFault['kind'], RefusalCode>> = {
  refused: 'engine-refused',
  timeout: 'engine-timeout',
  reset: 'engine-reset',
  garbage: 'engine-garbage',
  short: 'engine-garbage',
};

const WORDS: Readonly<Record<OutboundFault['kind'], string>> = {
  refused: 'the engine is not reachable',
  timeout: 'the engine did not answer in time',
  reset: 'the engine ended the connection before it had answered',
  garbage: 'the engine answered something that is not HTTP',
  short: 'the answer of the engine ended too early',
};

export function engineRefusal(fault: OutboundFault): Refusal {
  return new Refusal(CODES[fault.kind], WORDS[fault.kind], { cause: fault });
}
