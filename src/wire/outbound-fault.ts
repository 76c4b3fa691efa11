/** Why an engine gave no answer, or not all of it. */
export class OutboundFault extends Error {
  /**
   * `refused`: no connection came about; `timeout`: none, or no head of an answer, in time; `reset`: the connection broke;
   * `garbage`: what came is not an answer; `short`: the answer ended early.
   */
  readonly kind: 'refused' | 'timeout' | 'reset' | 'garbage' | 'short';

  constructor(kind: OutboundFault['kind'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'OutboundFault';
    this.kind = kind;
  }
}
