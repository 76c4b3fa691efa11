/** What the gateway has done, in numbers. */

export class GatewayTally {
  /** By `KIND STATUS`. */
  readonly requests = new Map<string, number>();
  /** By why an upstream gave no answer. */
  readonly faults = new Map<string, number>();
  bytesIn = 0;
  bytesOut = 0;

  answered(kind: string, status: number): void {
    count(this.requests, `${kind} ${status}`);
  }

  failed(reason: string): void {
    count(this.faults, reason);
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
