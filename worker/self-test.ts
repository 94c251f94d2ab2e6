/**
 * A small fixed piece of work whose answer is known: a machine that gets it wrong (bad memory, another kernel, a broken engine) must
 * not ask for work. It has both rules, plain samples and products, several taps, a long bias block and rows without a subset.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { failure } from '../src/core/errors.ts';
import { encodeTileResult } from '../src/core/format/tile-result.ts';
import { encodeUtf8 } from '../src/core/format/utf8.ts';
import type { LayerProblem, Solver, Tile } from '../src/core/plan/tile.ts';

/** Hex SHA-256 over the encoded results of {@link selfTestCases}; a test recomputes it with the readable solver. */
export const selfTestDigest = '4460e1cf403e9e3a57f043adb9882757939ca32a6b1284b92012842335ad7b7b';

/** The work of the self-test: layers with a tile each. */
export function selfTestCases(): readonly (readonly [LayerProblem, Tile])[] {
  return [selfTestCase('closest', false), selfTestCase('fewest', true)];
}

/**
 * Resolves when the solver gives the known answer.
 * @throws TombolaError (failure) when it does not.
 */
export async function selfTest(solver: Pick<Solver, 'solve'>): Promise<void> {
  const hash = sha256.create();
  for (const [problem, tile] of selfTestCases())
    hash.update(encodeTileResult(await solver.solve(problem, tile)));
  const digest = bytesToHex(hash.digest());
  if (digest !== selfTestDigest)
    throw failure(
      `Cannot trust this machine's results: its self-test gives ${digest.slice(0, 12)}, expected ${selfTestDigest.slice(0, 12)}; check its memory, or install tombola again`,
    );
}

const gridBits = 16;
const blockSize = 11;
const channels = 3;
const constantCount = 45;
const half = 2 ** (gridBits - 1);

function selfTestCase(rule: LayerProblem['rule'], hasProducts: boolean): readonly [LayerProblem, Tile] {
  const taps = 2;
  const columnCount = channels * blockSize;
  const spread = (length: number, factor: number): Int32Array =>
    Int32Array.from({ length }, (_, k) => ((k * factor + 12_345) % (2 * half)) - half);
  const problem: LayerProblem = {
    seed: 0x7061_7065_725f_3031n,
    gridBits,
    sourceLayer: 2,
    rows: 24,
    cols: columnCount + constantCount,
    taps,
    channels,
    groupOffsets: Int32Array.from({ length: channels + 1 }, (_, group) => group * blockSize),
    groupColumns: Int32Array.from({ length: columnCount }, (_, k) => k),
    groupChannels: Int32Array.from({ length: channels }, (_, group) => group),
    groupMultipliers: hasProducts ? spread(columnCount, 7919) : null,
    sampleShift: hasProducts ? gridBits - 1 : 0,
    rule,
    tolerance: hasProducts ? 600 : 400,
    bias: {
      elements: Int32Array.from({ length: constantCount }, (_, k) => (columnCount + k) * taps + 1),
      values: spread(constantCount, 104_729),
      sampleShift: gridBits,
      ownScale: 0.75,
      interceptScale: 0.125,
      tolerance: 2000,
    },
  };
  const neurons = [0, 1, 2].map((neuron) => ({ neuron, firstRow: neuron * 8, rowCount: 8, wanted: 3 }));
  const tile: Tile = {
    id: bytesToHex(sha256(encodeUtf8(`self-test ${rule}`))),
    sourceLayer: problem.sourceLayer,
    pass: 0,
    neurons,
    targets: spread(neurons.length * channels * taps, 31_337).map((value) => value >> 1),
    biasTargets: Float64Array.from(neurons, (_, k) => (k - 1) * 1000),
  };
  return [problem, tile];
}
