/** Chance that can be repeated: every case of a run has a seed of its own, printed where it fails. */

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** mulberry32: from 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}

/** The seed of this run: given by BERTHGATE_FUZZ_SEED to repeat one. */
export function runSeed(): number {
  const given = process.env.BERTHGATE_FUZZ_SEED;
  return given === undefined ? Date.now() >>> 0 : Number(given) >>> 0;
}
