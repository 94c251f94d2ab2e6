/**
 * Activation functions: value, slope, behaviour near 0 and over an interval.
 *
 * Near 0 every φ here is  φ(z) = d + m₊·z + r(z) for z ≥ 0 and d + m₋·z + r(z) for z < 0  (mathematics.md §4), with
 * intercept d = φ(0), one-sided slopes m₊, m₋ and remainder r. For ReLU, LeakyReLU and the identity r ≡ 0.
 */

/** An activation function with its parameters. GELU: `erf` is the exact form, `tanh` Hendrycks and Gimpel's approximation. */
export type Activation =
  | { readonly kind: 'identity' }
  | { readonly kind: 'relu' }
  | { readonly kind: 'leakyRelu'; readonly slope: number }
  | { readonly kind: 'elu'; readonly alpha: number }
  | { readonly kind: 'selu'; readonly alpha: number; readonly gamma: number }
  | { readonly kind: 'tanh' }
  | { readonly kind: 'sigmoid' }
  | { readonly kind: 'softplus' }
  | { readonly kind: 'softsign' }
  | { readonly kind: 'gelu'; readonly form: 'erf' | 'tanh' }
  | { readonly kind: 'hardSwish' }
  | { readonly kind: 'mish' }
  | { readonly kind: 'silu' };

/** A closed interval [low, high]. */
export type Interval = readonly [number, number];

/** Behaviour at 0: intercept d, slope m₊ on the right, slope m₋ on the left. */
export interface Linearisation {
  readonly intercept: number;
  readonly slopePositive: number;
  readonly slopeNegative: number;
}

/** The constants of SELU (Klambauer et al. 2017), as ONNX rounds them. */
export const seluDefaults = { alpha: 1.6732631921768188, gamma: 1.0507010221481323 } as const;

/** Returns φ(z) in float64. */
export function activate(activation: Activation, z: number): number {
  switch (activation.kind) {
    case 'identity':
      return z;
    case 'relu':
      return z > 0 ? z : 0;
    case 'leakyRelu':
      return z >= 0 ? z : activation.slope * z;
    case 'elu':
      return z >= 0 ? z : activation.alpha * Math.expm1(z);
    case 'selu':
      return activation.gamma * (z >= 0 ? z : activation.alpha * Math.expm1(z));
    case 'tanh':
      return Math.tanh(z);
    case 'sigmoid':
      return logistic(z);
    case 'softplus':
      return Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
    case 'softsign':
      return z / (1 + Math.abs(z));
    case 'gelu':
      return z * (activation.form === 'erf' ? normalCumulative(z) : geluTanhGate(z));
    case 'hardSwish':
      return z * Math.min(1, Math.max(0, z / 6 + 0.5));
    case 'mish':
      return z * Math.tanh(activate({ kind: 'softplus' }, z));
    case 'silu':
      return z * logistic(z);
  }
}

/** Returns φ′(z) in float64; at a kink, the slope on the right. */
export function activationSlope(activation: Activation, z: number): number {
  switch (activation.kind) {
    case 'identity':
      return 1;
    case 'relu':
      return z >= 0 ? 1 : 0;
    case 'leakyRelu':
      return z >= 0 ? 1 : activation.slope;
    case 'elu':
      return z >= 0 ? 1 : activation.alpha * Math.exp(z);
    case 'selu':
      return activation.gamma * (z >= 0 ? 1 : activation.alpha * Math.exp(z));
    case 'tanh':
      return 1 - Math.tanh(z) ** 2;
    case 'sigmoid':
      return logistic(z) * logistic(-z);
    case 'softplus':
      return logistic(z);
    case 'softsign':
      return 1 / (1 + Math.abs(z)) ** 2;
    case 'gelu':
      return activation.form === 'erf'
        ? normalCumulative(z) + (z * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI)
        : geluTanhSlope(z);
    case 'hardSwish':
      return z < -3 ? 0 : z >= 3 ? 1 : (2 * z + 3) / 6;
    case 'mish': {
      const gate = Math.tanh(activate({ kind: 'softplus' }, z));
      return gate + z * (1 - gate * gate) * logistic(z);
    }
    case 'silu':
      return logistic(z) * (1 + z * logistic(-z));
  }
}

/** Returns d, m₊ and m₋. (SELU's slopes differ: γ on the right, γ·α on the left; ELU's differ unless α = 1.) */
export function linearisation(activation: Activation): Linearisation {
  const slopePositive = activationSlope(activation, 0);
  return {
    intercept: activate(activation, 0),
    slopePositive,
    slopeNegative: slopeLeftOfZero(activation, slopePositive),
  };
}

function slopeLeftOfZero(activation: Activation, slopePositive: number): number {
  switch (activation.kind) {
    case 'relu':
      return 0;
    case 'leakyRelu':
      return activation.slope;
    case 'elu':
      return activation.alpha;
    case 'selu':
      return activation.gamma * activation.alpha;
    default:
      return slopePositive;
  }
}

/** Tells whether φ(c·z) = c·φ(z) for every c > 0: then the linearisation is exact everywhere. */
export function isPositivelyHomogeneous(activation: Activation): boolean {
  return activation.kind === 'identity' || activation.kind === 'relu' || activation.kind === 'leakyRelu';
}

/** Returns the remainder r(z) = φ(z) − d − m±·z. */
export function remainder(activation: Activation, z: number): number {
  if (isPositivelyHomogeneous(activation)) return 0;
  const { intercept, slopePositive, slopeNegative } = linearisation(activation);
  return activate(activation, z) - intercept - (z >= 0 ? slopePositive : slopeNegative) * z;
}

/**
 * Returns an interval that holds r(z) for every z in [low, high], however much of r(z) is lost in float64.
 * For each φ here r is monotone (tanh, sigmoid, softsign), or falls to its minimum 0 at z = 0 and rises again (all others),
 * so the ends of the interval and 0 bound it.
 */
export function remainderRange(activation: Activation, [low, high]: Interval): Interval {
  const ends = [low, high].flatMap((z) => {
    const value = remainder(activation, z);
    const rounding = remainderRounding(activation, z);
    return [value - rounding, value + rounding];
  });
  if (low <= 0 && high >= 0) ends.push(0);
  return [Math.min(...ends), Math.max(...ends)];
}

/** φ(z), d and m·z are each good to a few units in the last place, and near 0 they cancel: rounding is relative to them, not to r. */
function remainderRounding(activation: Activation, z: number): number {
  if (z === 0 || isPositivelyHomogeneous(activation)) return 0;
  const { slopePositive, slopeNegative } = linearisation(activation);
  const linear = (z >= 0 ? slopePositive : slopeNegative) * z;
  return 4 * Number.EPSILON * (Math.abs(activate(activation, z)) + Math.abs(linear));
}

/** Returns an interval that holds φ′(z) for every z in [low, high], both one-sided slopes at a kink. */
export function slopeRange(activation: Activation, [low, high]: Interval): Interval {
  const slopes = [activationSlope(activation, low), activationSlope(activation, high)];
  if (low <= 0 && high >= 0) {
    const { slopePositive, slopeNegative } = linearisation(activation);
    slopes.push(slopePositive, slopeNegative);
  }
  for (const turn of slopeTurns(activation)) if (low <= turn.at && turn.at <= high) slopes.push(turn.slope);
  return [Math.min(...slopes), Math.max(...slopes)];
}

/** Returns an interval that holds φ(z) for every z in [low, high]. */
export function valueRange(activation: Activation, [low, high]: Interval): Interval {
  const values = [activate(activation, low), activate(activation, high)];
  const valley = valleyOf(activation);
  if (valley !== undefined && low <= valley && valley <= high) values.push(activate(activation, valley));
  // A kink at 0 is an extremum where the slopes on its two sides differ in sign (negative LeakyReLU slope or ELU α).
  if (low <= 0 && high >= 0) values.push(activate(activation, 0));
  return [Math.min(...values), Math.max(...values)];
}

/** Points where φ′ has an extremum away from 0, or jumps, with the extreme slope there. */
function slopeTurns(activation: Activation): readonly { readonly at: number; readonly slope: number }[] {
  switch (activation.kind) {
    case 'hardSwish':
      return [
        { at: -3, slope: 0 },
        { at: -3, slope: -0.5 },
        { at: 3, slope: 1.5 },
        { at: 3, slope: 1 },
      ];
    case 'gelu':
    case 'silu':
    case 'mish': {
      const steepest = peak((z) => activationSlope(activation, z), [0, 6]);
      const lowest = peak((z) => -activationSlope(activation, z), [-6, 0]);
      return [steepest, lowest].map((at) => ({ at, slope: activationSlope(activation, at) }));
    }
    default:
      return [];
  }
}

/** The point where a φ that first falls and then rises is smallest. */
function valleyOf(activation: Activation): number | undefined {
  switch (activation.kind) {
    case 'hardSwish':
      return -1.5;
    case 'gelu':
    case 'silu':
    case 'mish':
      return peak((z) => -activate(activation, z), [-6, 0]);
    default:
      return undefined;
  }
}

/** Golden-section search for the maximum of a function with one peak in the interval; 80 steps reach float64's limit. */
function peak(value: (z: number) => number, [low, high]: Interval): number {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let left = low;
  let right = high;
  for (let step = 0; step < 80; step++) {
    const a = right - ratio * (right - left);
    const b = left + ratio * (right - left);
    if (value(a) >= value(b)) right = b;
    else left = a;
  }
  return (left + right) / 2;
}

function logistic(z: number): number {
  return z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));
}

/** Φ(z), the normal distribution function. */
function normalCumulative(z: number): number {
  return 0.5 * (1 + errorFunction(z / Math.SQRT2));
}

/**
 * erf(x) = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (2n+1)!!  (all terms of one sign, so nothing cancels); |error| < 1e-15.
 */
export function errorFunction(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

function geluTanhGate(z: number): number {
  return 0.5 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z ** 3)));
}

function geluTanhSlope(z: number): number {
  const inner = Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z ** 3));
  return (
    0.5 * (1 + inner) + 0.5 * z * (1 - inner * inner) * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * z * z)
  );
}
