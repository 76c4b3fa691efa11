// Contenders take turns, so that a machine whose speed drifts is the same for all of them; medians are what counts.

/**
 * Runs `measure(contender)` in turn for each contender, `rounds` times, each round beginning with another one. Gives the
 * figures of each contender by its name; null where it failed, which is told. Berthgate must not fail.
 */
export async function takeTurns(contenders, rounds, measure) {
  const figures = new Map(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(i + round) % contenders.length];
      figures.get(contender.name).push(await measureOnce(contender, round, measure));
    }
  }
  return figures;
}

async function measureOnce(contender, round, measure) {
  try {
    return await measure(contender, round);
  } catch (fault) {
    if (contender.name === 'berthgate') throw fault;
    console.error(`${contender.name} failed in round ${round + 1}: ${fault.message}`);
    return null;
  }
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of each figure of one contender. */
export function medians(runs) {
  const whole = runs.filter((run) => run !== null);
  const result = {};
  for (const key of Object.keys(whole[0] ?? {})) result[key] = median(whole.map((run) => run[key]));
  return result;
}

/** The median of the ratios round by round: what both had in one round, they had on the same machine. */
export function ratio(figures, name, other, key) {
  const ours = figures.get(name) ?? [];
  const theirs = figures.get(other) ?? [];
  const pairs = ours
    .map((run, i) => (run?.[key] ?? Number.NaN) / (theirs[i]?.[key] ?? Number.NaN))
    .filter(Number.isFinite);
  return pairs.length === 0 ? Number.NaN : median(pairs);
}
