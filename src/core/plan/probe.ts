/**
 * Sizes by sampling: how often a block of n samples has no subset for a layer's own weights (mathematics.md §7).
 *
 * A probe draws weights of the layer and solves each against a fresh block: one row of a small source layer with a stream of its
 * own, solved by the same solver that will do the search. Misses are counted by the size of the weight, because most of them
 * are large weights out of reach; a row's chance to become a copy is then the product over its own weights.
 */
import { PhiloxStream } from '../random/philox.ts';
import { gridInteger } from '../source/source-network.ts';
import type { Rule } from '../subset-sum/problem.ts';
import { countBits } from './count-bits.ts';
import type { LayerView } from './layer-view.ts';
import type { LayerProblem, Solver, Tile, TileNeuron } from './tile.ts';

/** One choice of block to try. */
export interface ProbeSpec {
  readonly blockSize: number;
  /** Target weight of one sample unit. */
  readonly weightUnit: number;
  readonly tolerance: number;
  readonly sampleShift: number;
  /**
   * Null for plain samples; else how many input channels share the univariate weights, and the share of those weights that can be
   * of the preferred kind (plan/univariate.ts).
   */
  readonly univariate: { readonly preferredShare: number; readonly channels: number } | null;
  readonly trials: number;
}

/** What all probes of one layer share. */
export interface ProbeSetting {
  readonly solver: Solver;
  readonly seed: bigint;
  readonly gridBits: number;
  readonly rule: Rule;
  readonly exact: boolean;
  /** Target layer. */
  readonly index: number;
}

/** What a probe found. */
export interface ProbeResult {
  /** Mean probability that a block with a nonzero target has no subset. */
  readonly missProbability: number;
  /** By how much the true miss probability may exceed the sampled one: three standard deviations of the count of misses. */
  readonly missFactorMax: number;
  /** Mean number of samples in the subsets found. */
  readonly meanSubsetSize: number;
  /** Probability that each neuron's row becomes a copy, its bias block left aside; shape [neurons]. */
  readonly rowSuccess: Float64Array;
}

/** Probes read streams from here on, far from any source layer's. */
const firstProbeLayer = 1 << 20;
const bucketCount = 16;
/** Weight of the layer's mean miss rate in each bucket's estimate, in trials. */
const priorTrials = 200;

/** A layer's nonzero weights, as a probe needs them. One pass over the weights for all probes of a layer. */
export interface WeightCensus {
  /** What a probe draws its targets from: the weights themselves where none is 0. */
  readonly population: Float64Array;
  /** How many weights each neuron has in each bucket of sizes; shape [neurons, buckets]. */
  readonly bucketCounts: Int32Array;
}

/** Returns the census of a layer's weights. */
export function weightCensus(view: LayerView): WeightCensus {
  const { neurons, weights, weightMax } = view;
  const size = view.channels * view.taps;
  const bucketCounts = new Int32Array(neurons * bucketCount);
  let found = 0;
  for (let index = 0; index < weights.length; index++) {
    const weight = weights[index] ?? 0;
    if (weight === 0) continue;
    found++;
    const place = Math.floor(index / size) * bucketCount + bucketOf(weight, weightMax);
    bucketCounts[place] = (bucketCounts[place] ?? 0) + 1;
  }
  return { population: found === weights.length ? weights : nonzero(weights, found), bucketCounts };
}

/** Not `filter`, which keeps what it has found as objects until it knows how many they are. */
function nonzero(weights: Float64Array, count: number): Float64Array {
  const found = new Float64Array(count);
  let place = 0;
  for (const weight of weights) if (weight !== 0) found[place++] = weight;
  return found;
}

/** What a probe draws its targets from. */
export type ProbePopulation = { readonly census: WeightCensus; readonly blocksPerWeight: 1 | 2 };

/**
 * Solves `spec.trials` blocks for weights drawn from the layer. Where few channels share their univariate weights, one unlucky
 * set of them spoils every row, so several sets are tried and the worst is believed.
 */
export async function probe(
  setting: ProbeSetting,
  view: LayerView,
  spec: ProbeSpec & ProbePopulation,
): Promise<ProbeResult> {
  const sets = spec.univariate === null ? 1 : Math.max(1, Math.floor(8 / spec.univariate.channels));
  const results: ProbeResult[] = [];
  const trials = Math.ceil(spec.trials / sets);
  for (let set = 0; set < sets; set++) results.push(await probeOnce(setting, view, { ...spec, trials, set }));
  return results.reduce((worst, result) => (result.missProbability > worst.missProbability ? result : worst));
}

async function probeOnce(
  setting: ProbeSetting,
  view: LayerView,
  spec: ProbeSpec & ProbePopulation & { readonly set: number },
): Promise<ProbeResult> {
  const { population, bucketCounts } = spec.census;
  const draws = new PhiloxStream(setting.seed, 2 * (firstProbeLayer + setting.index) + 1);
  const weights = Float64Array.from(
    { length: population.length === 0 ? 0 : spec.trials },
    (_, trial) => population[Math.floor(((draws.at(trial) >>> 0) / 2 ** 32) * population.length)] ?? 0,
  );
  const problem = probeProblem(setting, spec, weights.length);
  const result = await setting.solver.solve(problem, probeTile(problem, weights, spec.weightUnit));
  const table = new MissTable(view.weightMax);
  weights.forEach((weight, trial) => {
    table.count(weight, result.copyCounts[trial] === 0);
  });
  return {
    missProbability: table.mean(),
    missFactorMax: table.factorMax(),
    meanSubsetSize: result.copyRows.length === 0 ? 0 : countBits(result.masks) / result.copyRows.length,
    rowSuccess: rowSuccess(bucketCounts, table, spec.blocksPerWeight),
  };
}

function probeProblem(
  setting: ProbeSetting,
  spec: ProbeSpec & { readonly set: number },
  rows: number,
): LayerProblem {
  const { blockSize } = spec;
  return {
    seed: setting.seed,
    gridBits: setting.gridBits,
    sourceLayer: firstProbeLayer + setting.index,
    rows,
    cols: blockSize,
    taps: 1,
    channels: 1,
    groupOffsets: Int32Array.of(0, blockSize),
    groupColumns: Int32Array.from({ length: blockSize }, (_, column) => column),
    groupChannels: Int32Array.of(0),
    groupMultipliers:
      spec.univariate === null ? null : multipliers(setting, spec, spec.univariate.preferredShare),
    sampleShift: spec.sampleShift,
    rule: setting.rule,
    tolerance: spec.tolerance,
    bias: {
      elements: new Int32Array(0),
      values: new Int32Array(0),
      sampleShift: 0,
      ownScale: 0,
      interceptScale: 0,
      tolerance: 0,
    },
  };
}

/** Univariate weights as the assignment of plan/univariate.ts would leave them. */
function multipliers(
  setting: ProbeSetting,
  { blockSize, set }: { readonly blockSize: number; readonly set: number },
  preferredShare: number,
): Int32Array {
  const draws = new PhiloxStream(setting.seed, 2 * (firstProbeLayer + setting.index) + 3);
  const half = 2 ** (setting.gridBits - 1);
  return Int32Array.from({ length: blockSize }, (_, k) => {
    const any = gridInteger(draws.at(set * blockSize + k), setting.gridBits) || 1;
    if (k >= Math.round(preferredShare * blockSize)) return any;
    if (setting.exact) return any < 0 ? -1 : 1;
    return Math.abs(any) >= half / 2 ? any : any < 0 ? any - half / 2 : any + half / 2 - 1;
  });
}

function probeTile(problem: LayerProblem, weights: Float64Array, unit: number): Tile {
  const neurons: TileNeuron[] = Array.from(weights, (_, trial) => ({
    neuron: trial,
    firstRow: trial,
    rowCount: 1,
    wanted: 1,
  }));
  return {
    id: 'probe',
    sourceLayer: problem.sourceLayer,
    pass: 0,
    neurons,
    targets: Int32Array.from(weights, (weight) => Math.round(weight / unit)),
    biasTargets: new Float64Array(weights.length),
  };
}

/** Misses by the size of the weight, in buckets that are finer for small weights. */
class MissTable {
  private readonly misses = new Float64Array(bucketCount);
  private readonly trials = new Float64Array(bucketCount);
  private readonly weightMax: number;

  constructor(weightMax: number) {
    this.weightMax = weightMax;
  }

  count(weight: number, isMiss: boolean): void {
    const bucket = bucketOf(weight, this.weightMax);
    this.trials[bucket] = (this.trials[bucket] ?? 0) + 1;
    if (isMiss) this.misses[bucket] = (this.misses[bucket] ?? 0) + 1;
  }

  mean(): number {
    const trials = this.trials.reduce((sum, count) => sum + count, 0);
    return (this.misses.reduce((sum, count) => sum + count, 0) + 0.5) / (trials + 1);
  }

  factorMax(): number {
    const misses = this.misses.reduce((sum, count) => sum + count, 0);
    return (misses + 3 * Math.sqrt(misses) + 4) / (misses + 0.5);
  }

  /** log(1 − P(miss)) by bucket: each bucket's own rate, drawn to the mean where trials are few, with the mean kept. */
  logHits(): Float64Array {
    const mean = this.mean();
    const rates = this.misses.map(
      (count, bucket) => (count + priorTrials * mean) / ((this.trials[bucket] ?? 0) + priorTrials),
    );
    const trials = this.trials.reduce((sum, count) => sum + count, 0);
    const expected = rates.reduce((sum, rate, bucket) => sum + rate * (this.trials[bucket] ?? 0), 0);
    const scale = trials === 0 ? 1 : (mean * trials) / expected;
    return rates.map((rate) => Math.log1p(-Math.min(0.999999, rate * scale)));
  }
}

/** Returns the bucket of a nonzero weight. */
function bucketOf(weight: number, weightMax: number): number {
  return Math.min(bucketCount - 1, Math.floor(Math.sqrt(Math.abs(weight) / weightMax) * bucketCount));
}

function rowSuccess(bucketCounts: Int32Array, table: MissTable, blocksPerWeight: number): Float64Array {
  const logHits = table.logHits();
  return Float64Array.from({ length: bucketCounts.length / bucketCount }, (_, neuron) => {
    const counts = bucketCounts.subarray(neuron * bucketCount, (neuron + 1) * bucketCount);
    return Math.exp(
      blocksPerWeight * counts.reduce((log, count, bucket) => log + count * (logHits[bucket] ?? 0), 0),
    );
  });
}

/** Returns the solver until it is ended, which rejects what is asked then: where one layer is refused nothing more is to be known of others. */
export function endingSolver(solver: Solver): Solver & { end(): void } {
  let isEnded = false;
  return {
    concurrency: solver.concurrency,
    solve: async (problem, tile) => {
      if (isEnded) throw new Error('the plan is made, or refused');
      return solver.solve(problem, tile);
    },
    end: () => {
      isEnded = true;
    },
  };
}
