/**
 * How many rows a layer needs so that every neuron gets its copies, up to a failure probability (mathematics.md §6).
 *
 * A neuron that wants ρ copies from rows that succeed with probability s tries N rows, negative binomially distributed. Each
 * neuron owns a pool of the mean number; what all neurons together need beyond their pools, Σ (N_j − pool)⁺, is the
 * reserve: its mean plus a Bernstein-like margin √(2·variance·ln 1/δ) + largest step · ln 1/δ (ours).
 *
 * δ is the chance over the source's rows, which miss independently, as often as the probes say. It does not count what rows share: bias
 * blocks, whose constants are the same for all, and in the first layer the univariate weights of an input. With few inputs
 * in exact mode an unlucky set of those can make every row miss; the probes believe the worst of a few sets (probe.ts), no more.
 */

/** Rows of a layer. */
export interface RowBudget {
  /** Rows each neuron owns. */
  readonly pool: number;
  readonly reserve: number;
}

/** The sampled success rate is itself uncertain; the reserve is sized for at least this many times the misses. */
const missFactorMin = 1.3;

/**
 * Returns pool and reserve.
 * @param missFactorMax by how much the true miss probability may exceed the one that `success` was computed from.
 * @param success probability that a row of each neuron is a copy; shape [neurons], neurons that want none left out.
 */
export function rowBudget(
  success: readonly number[],
  { copies, delta, missFactorMax }: { copies: number; delta: number; missFactorMax: number },
): RowBudget {
  if (success.length === 0) return { pool: 0, reserve: 0 };
  const mean = success.reduce((sum, s) => sum + copies / s, 0) / success.length;
  const pool = Math.max(copies, Math.ceil(mean - 1e-9));
  let overflow = 0;
  let variance = 0;
  let worst = 0;
  for (const s of success) {
    const careful = s ** Math.max(missFactorMin, missFactorMax);
    const moments = excessMoments({ copies, success: careful, pool });
    overflow += moments.mean;
    variance += moments.square - moments.mean ** 2;
    worst = Math.max(worst, 1 / careful);
  }
  const logOdds = Math.log(1 / delta);
  return {
    pool,
    reserve: Math.ceil(overflow + Math.sqrt(2 * variance * logOdds) + worst * Math.max(1, logOdds / 4)),
  };
}

/** Mean and mean square of (N − pool)⁺ for N negative binomial. */
function excessMoments({ copies, success, pool }: { copies: number; success: number; pool: number }): {
  mean: number;
  square: number;
} {
  let probability = success ** copies;
  let mean = 0;
  let square = 0;
  let rest = 1;
  for (let tries = copies; rest > 1e-12 && tries < 1000 * copies; tries++) {
    const excess = Math.max(0, tries - pool);
    mean += probability * excess;
    square += probability * excess * excess;
    rest -= probability;
    probability *= ((1 - success) * tries) / (tries - copies + 1);
  }
  return { mean, square };
}
