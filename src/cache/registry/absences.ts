/** Registries that were not there a moment ago: nobody waits for one in turn. */

import { LRUCache } from 'lru-cache';
import { OutFault, type OutFaultReason } from '../../wire/way-out.ts';

const GONE_MS = 3000;
const MOST_GONE = 1000;

const words: Partial<Record<OutFaultReason, string>> = {
  timeout: 'does not answer',
  slow: 'does not answer',
  'unknown-host': 'has a name that cannot be resolved',
  unreachable: 'cannot be reached',
  broken: 'broke off, or answers what is not HTTP',
};

export class Absences {
  private readonly gone = new LRUCache<string, OutFault>({ max: MOST_GONE, ttl: GONE_MS });

  /** @throws OutFault where it would be waited for in vain */
  expect(registry: string): void {
    const fault = this.gone.get(registry);
    if (fault !== undefined) throw fault;
  }

  /** The same fault with the name of the registry and the cause; other faults as they are. */
  named(registry: string, fault: unknown): unknown {
    if (!(fault instanceof OutFault)) return fault;
    const said = words[fault.reason];
    if (said === undefined) return fault;
    const named = new OutFault(fault.reason, `the registry ${registry} ${said}`, fault);
    if (fault.reason === 'timeout' || fault.reason === 'slow') this.gone.set(registry, named);
    return named;
  }
}
