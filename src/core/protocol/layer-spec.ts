/**
 * What the tiles of one layer share, as the message that carries it. A gateway is not trusted: everything that a solver would
 * index, allocate or loop by is checked here, and the digest last, so that what passes is a layer some plan could have made.
 */
import {
  exactBlockSizeMax,
  longBlockSizeMax,
  specColumnCountMax,
  specRowElementCountMax,
} from '../limits.ts';
import type { LayerProblem } from '../plan/tile.ts';
import { layerProblemDigest } from '../plan/tiles.ts';
import { bytesOf, int32Of } from './little-endian.ts';
import type { Spec } from './messages.ts';
import { ProtocolError } from './protocol-error.ts';

/** Largest size of a multiplier or a constant: with 24 grid bits the product of a sample stays below 2^48. */
const factorSizeMax = 2 ** 24;

/** Returns the message for a layer. `digest` is its layerProblemDigest. */
export function specOf(problem: LayerProblem, digest: string): Spec {
  const { bias, groupMultipliers } = problem;
  return {
    kind: 'spec',
    digest,
    seed: problem.seed.toString(),
    gridBits: problem.gridBits,
    sourceLayer: problem.sourceLayer,
    rows: problem.rows,
    cols: problem.cols,
    taps: problem.taps,
    channels: problem.channels,
    groupOffsets: bytesOf(problem.groupOffsets),
    groupColumns: bytesOf(problem.groupColumns),
    groupChannels: bytesOf(problem.groupChannels),
    groupMultipliers: groupMultipliers === null ? new Uint8Array(0) : bytesOf(groupMultipliers),
    hasMultipliers: groupMultipliers !== null,
    sampleShift: problem.sampleShift,
    rule: problem.rule,
    tolerance: problem.tolerance,
    biasElements: bytesOf(bias.elements),
    biasValues: bytesOf(bias.values),
    biasSampleShift: bias.sampleShift,
    biasOwnScale: bias.ownScale,
    biasInterceptScale: bias.interceptScale,
    biasTolerance: bias.tolerance,
  };
}

/**
 * Returns the layer that a message carries, in arrays of its own.
 * @param spec a message that the schema has let through.
 * @throws ProtocolError 1002 when its parts do not fit each other or a bound, 1008 when they are not what the digest says.
 */
export function problemOf(spec: Spec): LayerProblem {
  expect('rows', spec.rows, spec.rows >= 1);
  expect('taps', spec.taps, spec.taps >= 1);
  expect('elements of a row', spec.cols * spec.taps, spec.cols * spec.taps <= specRowElementCountMax);
  expect('channels', spec.channels, spec.channels * spec.taps <= specRowElementCountMax);
  const groups = countOf(spec.groupChannels, 'group channels');
  const columns = countOf(spec.groupColumns, 'group columns');
  expect('edges of a row', columns * spec.taps, columns * spec.taps <= specRowElementCountMax);
  expect('blocks', groups * spec.taps, groups * spec.taps < specRowElementCountMax);
  if (!spec.hasMultipliers)
    expect('multipliers', spec.groupMultipliers.length, spec.groupMultipliers.length === 0);
  const edges = countOf(spec.biasElements, 'bias elements');
  expect('bias block', edges, edges + (spec.biasOwnScale === 0 ? 0 : 1) <= longBlockSizeMax);
  const problem: LayerProblem = {
    seed: BigInt(spec.seed),
    gridBits: spec.gridBits,
    sourceLayer: spec.sourceLayer,
    rows: spec.rows,
    cols: spec.cols,
    taps: spec.taps,
    channels: spec.channels,
    groupOffsets: int32Of(spec.groupOffsets, groups + 1, 'group offsets'),
    groupColumns: int32Of(spec.groupColumns, columns, 'group columns'),
    groupChannels: int32Of(spec.groupChannels, groups, 'group channels'),
    groupMultipliers: spec.hasMultipliers ? int32Of(spec.groupMultipliers, columns, 'multipliers') : null,
    sampleShift: spec.sampleShift,
    rule: spec.rule,
    tolerance: spec.tolerance,
    bias: {
      elements: int32Of(spec.biasElements, edges, 'bias elements'),
      values: int32Of(spec.biasValues, edges, 'bias values'),
      sampleShift: spec.biasSampleShift,
      ownScale: spec.biasOwnScale,
      interceptScale: spec.biasInterceptScale,
      tolerance: spec.biasTolerance,
    },
  };
  checkGroups(problem);
  const { elements, values } = problem.bias;
  expectWithin(elements, { what: 'bias element', from: 0, to: spec.cols * spec.taps - 1 });
  expectWithin(values, { what: 'bias value', from: -factorSizeMax, to: factorSizeMax });
  const digest = layerProblemDigest(problem);
  if (digest !== spec.digest)
    throw new ProtocolError(1008, `Cannot accept a layer: its digest is ${digest}, expected ${spec.digest}`);
  return problem;
}

/** Offsets from 0 to the number of columns, blocks of a size that can be solved, columns ascending in the row, channels that exist. */
function checkGroups({
  groupOffsets,
  groupColumns,
  groupChannels,
  groupMultipliers,
  cols,
  channels,
}: LayerProblem): void {
  expect('first group', groupOffsets[0], groupOffsets[0] === 0);
  for (let group = 0; group < groupChannels.length; group++) {
    const from = groupOffsets[group] ?? 0;
    const to = groupOffsets[group + 1] ?? 0;
    expect('block', to - from, to >= from && to - from <= exactBlockSizeMax && to <= groupColumns.length);
    for (let index = from + 1; index < to; index++)
      expect('column', groupColumns[index], (groupColumns[index] ?? 0) > (groupColumns[index - 1] ?? 0));
  }
  expect('last group', groupOffsets.at(-1), groupOffsets.at(-1) === groupColumns.length);
  expectWithin(groupColumns, { what: 'column', from: 0, to: cols - 1 });
  expectWithin(groupChannels, { what: 'channel', from: 0, to: channels - 1 });
  if (groupMultipliers !== null)
    expectWithin(groupMultipliers, { what: 'multiplier', from: -factorSizeMax, to: factorSizeMax });
}

function countOf(bytes: Uint8Array, what: string): number {
  expect(what, bytes.length / 4, bytes.length % 4 === 0 && bytes.length / 4 <= specColumnCountMax);
  return bytes.length / 4;
}

function expectWithin(
  array: Int32Array,
  { what, from, to }: { what: string; from: number; to: number },
): void {
  for (const value of array) expect(what, value, value >= from && value <= to);
}

function expect(what: string, value: number | undefined, isWithin: boolean): void {
  if (!isWithin)
    throw new ProtocolError(
      1002,
      `Cannot accept a layer: ${what} ${value}, expected one that fits the others and the bounds`,
    );
}
