/**
 * Counts of the calls of all listeners. Plain numbers in records that are found with two or three look-ups: the metrics
 * library builds a text of the labels for every call, which costs more than all the rest of recording.
 */

/** Upper bounds in seconds: an answer of the engine is there in milliseconds, a build in minutes, an attach in hours. */
export const durationBounds: readonly number[] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600, 3600];

interface EndpointTally {
  /** By HTTP status; 0 where the client was gone before. */
  readonly statuses: Map<number, number>;
  /** Calls by the first bound that they are within; one more for what is over all of them. */
  readonly durations: Float64Array;
  seconds: number;
}

interface ListenerTally {
  readonly endpoints: Map<string, EndpointTally>;
  readonly refusals: Map<string, number>;
  bytesIn: number;
  bytesOut: number;
}

export class CallTally {
  readonly listeners = new Map<string, ListenerTally>();

  add(
    listener: string,
    endpoint: string,
    status: number,
    refusal: string | null,
    durationMs: number,
    bytesIn: number,
    bytesOut: number,
  ): void {
    let of = this.listeners.get(listener);
    if (of === undefined) {
      of = { endpoints: new Map(), refusals: new Map(), bytesIn: 0, bytesOut: 0 };
      this.listeners.set(listener, of);
    }
    let calls = of.endpoints.get(endpoint);
    if (calls === undefined) {
      calls = { statuses: new Map(), durations: new Float64Array(durationBounds.length + 1), seconds: 0 };
      of.endpoints.set(endpoint, calls);
    }
    calls.statuses.set(status, (calls.statuses.get(status) ?? 0) + 1);
    const seconds = durationMs / 1000;
    calls.seconds += seconds;
    let bound = 0;
    while (bound < durationBounds.length && seconds > (durationBounds[bound] as number)) bound++;
    calls.durations[bound] = (calls.durations[bound] as number) + 1;
    of.bytesIn += bytesIn;
    of.bytesOut += bytesOut;
    if (refusal !== null) of.refusals.set(refusal, (of.refusals.get(refusal) ?? 0) + 1);
  }
}
