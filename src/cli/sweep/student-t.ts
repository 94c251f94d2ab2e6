/** Means and their 95 % intervals over few repetitions. */

/** A mean; the interval is mean ± halfWidth, null where one value alone says nothing of its spread. */
export interface Estimate {
  readonly mean: number;
  readonly halfWidth: number | null;
}

const confidence = 0.95;

/**
 * Returns the mean and its 95 % interval x̄ ± t·s/√n, t the Student quantile of n − 1 degrees of freedom (Student 1908).
 * @param values at least one.
 */
export function estimateOf(values: readonly number[]): Estimate {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { mean, halfWidth: null };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  return { mean, halfWidth: studentQuantile(count - 1) * Math.sqrt(variance / count) };
}

/** Returns the t for which |T| ≤ t with probability 0.95, by bisection; `freedom` is a whole number from 1. */
export function studentQuantile(freedom: number): number {
  let low = 0;
  let high = 16;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (probabilityWithin(middle, freedom) < confidence) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * P(|T| ≤ t) for whole degrees of freedom ν, with θ = atan(t/√ν) (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4):
 * odd ν: 2/π·(θ + sin θ·(cos θ + 2/3·cos³θ + …)), even ν: sin θ·(1 + 1/2·cos²θ + 1·3/(2·4)·cos⁴θ + …).
 */
function probabilityWithin(t: number, freedom: number): number {
  const angle = Math.atan(t / Math.sqrt(freedom));
  const cosine = Math.cos(angle);
  const isOdd = freedom % 2 === 1;
  let term = isOdd ? cosine : 1;
  let sum = 0;
  for (let power = isOdd ? 1 : 0; power <= freedom - 2; power += 2) {
    sum += term;
    term *= ((power + 1) / (power + 2)) * cosine ** 2;
  }
  return isOdd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
}
