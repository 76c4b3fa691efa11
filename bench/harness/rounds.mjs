// Contenders take turns, so that a machine whose speed drifts is the same for all of them; medians are what counts.

/**
 * Runs `measure(contender)` in turn for each contender, `rounds` times, each round beginning with another one. Gives the
 * figures of each contender by its name; one that fails is left out, and why is told.
 */
export async function takeTurns(contenders, rounds, measure) {
  const figures = new Map(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(i + round) % contenders.length];
      figures.get(contender.name).push(await measure(contender, round));
    }
  }
  return figures;
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of each figure of one contender. */
export function medians(runs) {
  const result = {};
  for (const key of Object.keys(runs[0] ?? {})) result[key] = median(runs.map((run) => run[key]));
  return result;
}

/** The median of the ratios round by round: what both had in one round, they had on the same machine. */
export function ratio(figures, name, other, key) {
  const ours = figures.get(name) ?? [];
  const theirs = figures.get(other) ?? [];
  const pairs = ours.map((run, i) => run[key] / theirs[i]?.[key]).filter(Number.isFinite);
  return pairs.length === 0 ? Number.NaN : median(pairs);
}
