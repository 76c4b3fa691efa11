/** Why a message on the wire was refused: what the inbound side answers with, and what the outbound side calls garbage. */
export class WireFault extends Error {
  /** The HTTP status that a client is answered with. */
  readonly status: number;
  /** Stable, kebab-case. */
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = 'WireFault';
    this.status = status;
    this.code = code;
  }
}
