/**
 * The source network: fixed by (seed, shape, gains) before the search, never stored, every number a function of its place.
 *
 * Stream 2·(λ−1) holds the weights of source layer λ (1-based), stream 2·(λ−1)+1 its biases. Element e of the weights is
 * row·(cols·taps) + col·taps + tap, of the biases the row. With r = (u32 >>> 8)·2⁻²⁴ the grid integer is
 * q = ⌊r·2^b⌋ − 2^(b−1) ∈ [−2^(b−1), 2^(b−1)−1], the weight gain·q/2^(b−1), the bias biasGain·q/2^(b−1)  (mathematics.md §2).
 * In NumPy: `np.random.Generator(np.random.Philox(key=np.array([seed, stream], dtype=np.uint64))).random(shape, dtype=np.float32)` gives r.
 */
import { PhiloxStream } from '../random/philox.ts';

/** How a source's biases are drawn: uniform on [−biasGain, biasGain), or all zero. */
export type BiasInit = 'uniform' | 'zero';

/** One layer of the source: a matrix of rows × cols kernels with `taps` positions each. */
export interface SourceLayer {
  readonly rows: number;
  readonly cols: number;
  readonly taps: number;
  /** Largest size of a weight. */
  readonly gain: number;
  /** Largest size of a bias. */
  readonly biasGain: number;
}

/** Which part of a deeper source is seen as a source of its own (plan/stage.ts). */
export interface SourceSlice {
  /** 0-based layer of the deeper source that is layer 0 here. */
  readonly firstLayer: number;
  /** Weights of a row of that layer in the deeper source. */
  readonly rowLength: number;
  /** The elements col·taps + tap of such a row that are the columns here, in their order; shape [cols]. */
  readonly elements: Int32Array;
}

/** A whole source network; layers[λ−1] is source layer λ. */
export interface SourceNetwork {
  /** Below 2^64. */
  readonly seed: bigint;
  /** Bits b of a grid integer, 2 … 24. */
  readonly gridBits: number;
  readonly biasInit: BiasInit;
  readonly layers: readonly SourceLayer[];
  /** Absent where this is not a part of a deeper source. */
  readonly slice?: SourceSlice;
}

/** Returns the 0-based layer that `index` is in the deeper source, if this is a part of one. */
export function wholeSourceLayer({ slice }: Pick<SourceNetwork, 'slice'>, index: number): number {
  return (slice?.firstLayer ?? 0) + index;
}

/** Returns the grid integer q of a 32-bit random number: its upper b bits, less 2^(b−1). */
export function gridInteger(random: number, gridBits: number): number {
  return (random >>> (32 - gridBits)) - (1 << (gridBits - 1));
}

/** Returns the number of weights and biases of a source; zero biases do not count. */
export function sourceWeightCount(source: SourceNetwork): number {
  return source.layers.reduce(
    (sum, layer) =>
      sum + layer.rows * layer.cols * layer.taps + (source.biasInit === 'zero' ? 0 : layer.rows),
    0,
  );
}

/** Reads one source layer's grid integers by place. */
export class SourceLayerReader {
  private readonly weights: PhiloxStream;
  private readonly biases: PhiloxStream;
  private readonly rowLength: number;
  private readonly gridBits: number;
  /** Where the columns of a sliced layer lie; null where they are the layer's own. */
  private readonly elements: Int32Array | null;

  /** @param index 0-based index of the source layer. */
  constructor(
    source: Pick<SourceNetwork, 'seed' | 'gridBits' | 'slice'>,
    index: number,
    layer: Pick<SourceLayer, 'cols' | 'taps'>,
  ) {
    const stream = 2 * wholeSourceLayer(source, index);
    const slice = index === 0 ? source.slice : undefined;
    this.weights = new PhiloxStream(source.seed, stream);
    this.biases = new PhiloxStream(source.seed, stream + 1);
    this.rowLength = slice?.rowLength ?? layer.cols * layer.taps;
    this.elements = slice?.elements ?? null;
    this.gridBits = source.gridBits;
  }

  /** Returns the grid integer of the weight at `element` = col·taps + tap of a row. */
  weight(row: number, element: number): number {
    const place = this.elements === null ? element : (this.elements[element] as number);
    return gridInteger(this.weights.at(row * this.rowLength + place), this.gridBits);
  }

  /** Returns the grid integer of a row's bias; meaningful for uniform biases only. */
  bias(row: number): number {
    return gridInteger(this.biases.at(row), this.gridBits);
  }
}
