/** What came to the cache's addresses: counts for the metrics. */

export class InterceptionTally {
  readonly requests = { http: 0, https: 0 };
  /** Connections of TLS, by what was done with them. */
  readonly connections = { intercepted: 0, passed: 0, refused: 0 };
  /** Handshakes that clients ended, by host as the configuration names it. */
  readonly refused = new Map<string, number>();

  handshakeRefused(host: string): void {
    this.refused.set(host, (this.refused.get(host) ?? 0) + 1);
  }
}
