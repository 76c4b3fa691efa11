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

/** It says already who is not there. */
class NamedFault extends OutFault {}

export class Absences {
  private readonly gone = new LRUCache<string, OutFault>({ max: MOST_GONE, ttl: GONE_MS });

  /** @throws OutFault where it would be waited for in vain */
  expect(registry: string): void {
    this.expectOne(whole(registry));
  }

  /** The same fault with the name of the registry and the cause; other faults as they are. */
  named(registry: string, fault: unknown): unknown {
    return this.namedAs(whole(registry), fault);
  }

  /** As `expect` and `named`, of the host that a registry has its tokens from. */
  async ofRealm<T>(registry: string, realm: string, ask: () => Promise<T>): Promise<T> {
    const name = `${realm}, which gives tokens for the registry ${registry},`;
    this.expectOne(name);
    try {
      return await ask();
    } catch (fault) {
      throw this.namedAs(name, fault);
    }
  }

  private expectOne(name: string): void {
    const fault = this.gone.get(name);
    if (fault !== undefined) throw fault;
  }

  private namedAs(name: string, fault: unknown): unknown {
    if (!(fault instanceof OutFault) || fault instanceof NamedFault) return fault;
    // Whose own time is over says nothing of how long others may wait.
    const isLate = (fault.cause as Error | undefined)?.name === 'TimeoutError';
    const said = isLate ? words.slow : words[fault.reason];
    if (said === undefined) return fault;
    const named = new NamedFault(fault.reason, `${name} ${said}`, fault);
    if (fault.reason === 'timeout' || fault.reason === 'slow') this.gone.set(name, named);
    return named;
  }
}

function whole(registry: string): string {
  return `the registry ${registry}`;
}
