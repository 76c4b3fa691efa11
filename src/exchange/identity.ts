/** Who a client is, and how that was established. */

export interface Identity {
  readonly user: string;
  readonly groups: readonly string[];
  /** Facts that the authenticator proved beside the name, e.g. the claims of a token. */
  readonly claims: Readonly<Record<string, string>>;
  /** The authenticator that said so. */
  readonly by: string;
  /** Of a job: on whose behalf it runs. */
  readonly owner?: Identity;
}

/** What the socket itself proves about a client, before any byte is read. */
export interface Peer {
  readonly transport: 'unix' | 'tcp' | 'tls';
  /** Of TCP and TLS; null on unix sockets. */
  readonly address: string | null;
}
