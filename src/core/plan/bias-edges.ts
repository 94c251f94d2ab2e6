/**
 * Which constants' edges a bias block is made of.
 *
 * Where biases are quantised the values of constants are whole numbers, and a bias has to be hit exactly. If they all share a divisor,
 * even numbers say, no row hits any other bias, however many rows there are; with one other edge a row still misses half of
 * them. So a block whose values share a divisor gets some that do not (ours).
 */
import type { ConstantEdge } from './constants.ts';

/** Edges whose values do not share the divisor: each is worthless in one row of two, so all of them in one of 2^8. */
const unevenEdges = 8;
/** Rows added at a time, and at most: ReLU leaves about one in five that is of use and odd. */
const rowStep = 8;
const extraRowsMax = 256;

/** Returns the whole values of edges in bias units that `scale` brings them to; edges with any other value are left out. */
export function wholeValues(
  edges: readonly ConstantEdge[],
  scale: number,
): { readonly edges: readonly ConstantEdge[]; readonly values: readonly number[] } {
  const whole = edges.filter(({ value }) => isWhole(value * scale));
  return { edges: whole, values: whole.map(({ value }) => Math.round(value * scale)) };
}

function isWhole(value: number): boolean {
  return Math.abs(value - Math.round(value)) <= 1e-9 * Math.max(1, Math.abs(value));
}

/** Returns the indices of `size` values for a bias block: the first ones, or some others for the last if the first share a divisor. */
export function unevenBlock(values: readonly number[], size: number): readonly number[] {
  const first = [...values.keys()].slice(0, size);
  const added: number[] = [];
  for (;;) {
    const block = [...first.slice(0, size - added.length), ...added];
    const divisor = commonPrime(block.map((index) => values[index] ?? 0));
    const others = values.flatMap((value, index) =>
      index >= size && divisor !== null && value % divisor !== 0 ? [index] : [],
    );
    if (others.length === 0 || added.length + unevenEdges > size) return block;
    added.push(...others.slice(0, unevenEdges));
  }
}

/**
 * Returns how many rows of constants it takes: `planned`, or more if the values of those share a divisor.
 * @param valuesOf the whole values of the edges that the first `rows` rows of constants give.
 */
export function unevenRows(planned: number, valuesOf: (rows: number) => readonly number[]): number {
  const divisor = commonPrime(valuesOf(planned));
  if (divisor === null) return planned;
  let rows = planned;
  let isEven = true;
  while (isEven && rows < planned + extraRowsMax) {
    rows += rowStep;
    const values = valuesOf(rows);
    const uneven = values.filter((value) => value % divisor !== 0).length;
    isEven = uneven < unevenEdges || commonPrime(values) !== null;
  }
  return rows;
}

/** The smallest prime that divides all values, null if none does; 2 for no values, or nothing but zeros. */
function commonPrime(values: readonly number[]): number | null {
  let divisor = 0;
  for (const value of values) {
    divisor = greatestCommonDivisor(divisor, Math.abs(value));
    if (divisor === 1) return null;
  }
  for (let prime = 2; prime * prime <= divisor; prime++) if (divisor % prime === 0) return prime;
  return divisor === 0 ? 2 : divisor;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
