/**
 * Which activations an elementwise expression is.
 *
 * An expression is cut at the parts that everything else depends on (in x·σ(x) none but x; in tanh(relu(x)) also relu(x)),
 * and each piece between two cuts must be an operator that is an activation, or compute, at the points below, what one of
 * the known functions or an affine map a·z + b computes. Comparing values instead of node patterns accepts every order and
 * spelling in which exporters write GELU, SiLU, Mish or hard swish, and cannot mistake one function for another.
 */
import { type Activation, activate } from '../../network/activation.ts';
import { dependsOnVariable, type Expression, evaluateExpression, variable } from './expression.ts';

/** A piece of an expression: an activation, or scale·z + offset (which is to be folded into a layer). */
export type Piece =
  | { readonly kind: 'activation'; readonly activation: Activation }
  | { readonly kind: 'affine'; readonly scale: number; readonly offset: number };

/** Functions that exporters write out as several operators. */
const knownActivations: readonly Activation[] = [
  { kind: 'relu' },
  { kind: 'tanh' },
  { kind: 'sigmoid' },
  { kind: 'softplus' },
  { kind: 'softsign' },
  { kind: 'gelu', form: 'erf' },
  { kind: 'gelu', form: 'tanh' },
  { kind: 'hardSwish' },
  { kind: 'mish' },
  { kind: 'silu' },
];

/** What an expression may turn out to be. */
interface Candidate {
  readonly pieces: readonly Piece[];
  readonly value: (z: number) => number;
  readonly tolerance: number;
}

/** Where functions are compared: both signs, near 0 and far out, so that a Clip at 6 or at 1000 shows; first where most functions differ. */
const points: readonly number[] = [
  2.23, 0.83, 1.29, 4.13, 0, 0.003, 0.11, 0.37, 1.71, 2.77, 3.01, 3.41, 5.03, 6.07, 7.9, 11, 17, 41, 130,
  1100, 9e4, 1e6, 1e12,
].flatMap((size) => [size, -1.0625 * size]);

/** Beyond it written-out exponentials overflow (e^z of softplus); such points say nothing and are left out. */
const overflowFrom = 20;

/**
 * Largest relative difference of values. Constants of GELU rounded to float16 move it by 3e-5; its two forms, the closest pair
 * of functions here, are 4.7e-4 apart.
 */
const tolerance = 5e-5;

/**
 * Returns the pieces whose composition, first to last, is the expression, the fewest there are; the identity gives none.
 * Returns undefined when the expression is no composition of known functions. Time grows with the cube of its size.
 */
export function recognisePieces(expression: Expression): readonly Piece[] | undefined {
  const cuts = cutsOf(expression);
  const best: (readonly Piece[] | undefined)[] = [[]];
  for (let end = 1; end < cuts.length; end++)
    for (let start = 0; start < end; start++) {
      const before = best[start];
      const [from, to] = [cuts[start], cuts[end]];
      const least = best[end]?.length ?? Number.POSITIVE_INFINITY;
      if (before === undefined || from === undefined || to === undefined || before.length >= least) continue;
      const piece = recognisePiece(to, from);
      if (piece !== undefined && before.length + piece.length < least) best[end] = [...before, ...piece];
    }
  return best[cuts.length - 1];
}

/** The parts that all occurrences of z lie in, from z itself to the whole expression. */
function cutsOf(expression: Expression): Expression[] {
  const parts = new Set<Expression>();
  const collect = (part: Expression): void => {
    if (part.kind !== 'apply' || parts.has(part)) return;
    part.operands.forEach(collect);
    parts.add(part);
  };
  collect(expression);
  const cuts = [...parts].filter((part) => dependsOnVariable(part) && !dependsOnVariable(expression, part));
  return [variable, ...cuts];
}

/** One piece (none for the identity) that `part` is as a function of `unknown`, undefined when it is not known. */
function recognisePiece(part: Expression, unknown: Expression): readonly Piece[] | undefined {
  if (part.kind === 'apply' && part.activation !== undefined && part.operands[0] === unknown)
    return [{ kind: 'activation', activation: part.activation }];
  const offset = evaluateExpression(part, unknown, 0);
  const scale = nearestFloat32(evaluateExpression(part, unknown, 1) - offset);
  const candidates: readonly Candidate[] = [
    ...knownActivations.map(
      (activation): Candidate => ({
        pieces: [{ kind: 'activation', activation }],
        value: (z) => activate(activation, z),
        tolerance,
      }),
    ),
    {
      pieces: scale === 1 && offset === 0 ? [] : [{ kind: 'affine', scale, offset }],
      value: (z) => scale * z + offset,
      tolerance: 1e-9,
    },
  ];
  return agreeing(candidates, (z) => evaluateExpression(part, unknown, z))?.pieces;
}

/** The first candidate that agrees with `compute` at all points; most fall out at the first, so few points are computed. */
function agreeing(candidates: readonly Candidate[], compute: (z: number) => number): Candidate | undefined {
  let left = candidates;
  for (const z of points) {
    const value = compute(z);
    if (!Number.isFinite(value) && Math.abs(z) > overflowFrom) continue;
    left = left.filter((candidate) => {
      const wanted = candidate.value(z);
      return Math.abs(value - wanted) <= candidate.tolerance * Math.max(1, Math.abs(wanted));
    });
    if (left.length === 0) return undefined;
  }
  return left[0];
}

/** Constants are float32 nearly always; the subtraction that found this one may have cost its last bits. */
function nearestFloat32(value: number): number {
  const rounded = Math.fround(value);
  return Math.abs(rounded - value) <= 1e-12 * Math.abs(value) ? rounded : value;
}
