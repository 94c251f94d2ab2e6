/**
 * One instance of the fast verifier's WebAssembly module (assembly/), with a layer set up: which edges its mask bits stand for and
 * how they fall into blocks. It has no source in common with the kernel that solves; what it finds wrong is never believed
 * without the readable verifier.
 */
import { decodeBase64 } from '../../format/decode-base64.ts';
import { fastVerifierBytesMax } from '../../limits.ts';
import { verifierModule } from './generated/verifier-bytes.ts';
import type { ModuleExports } from './module-exports.ts';

/** The bits, edges and blocks of the rows of one layer. */
export interface RowShape {
  readonly seed: bigint;
  readonly gridBits: number;
  /** 0-based source layer. */
  readonly sourceLayer: number;
  readonly rows: number;
  /** cols · taps. */
  readonly rowElements: number;
  /** Shape [bits]: col·taps + tap; anything for the bit of a row's own bias. */
  readonly elements: Int32Array;
  /** Shape [blocks + 1]: first bit of each weight block; behind the last one the bias block begins. */
  readonly blockStarts: Int32Array;
  /** Shape [bits of weight blocks], or null where samples are plain. */
  readonly multipliers: Int32Array | null;
  /** Entries of edgeSpreads and inputSpreads, if errors are measured. */
  readonly spreads?: { readonly edges: number; readonly channels: number };
}

/** Float64 fields of the module's report, in order. */
export const reportFields = {
  keptCount: 0,
  edgeCount: 1,
  keptSum: 2,
  residualMax: 3,
  edges: 4,
  residuals: 8,
} as const;
const reportLength = 11;

/** Positions in a stream that float64 holds exactly, and elements of a row that the module counts in 31 bits. */
const positionCountMax = 2 ** 53;
const rowElementsMax = 2 ** 31 - 64;

/** The module with views of its memory. Not for several threads: each makes its own. */
export class RowModule {
  readonly exports: ModuleExports;
  mask = new Uint8Array(0);
  /** The last row's kept bits and their grid integers. */
  kept = new Int32Array(0);
  weights = new Int32Array(0);
  /** Shape [blocks]: to be set before a row is looked at. */
  targets = new Float64Array(0);
  report = new Float64Array(0);
  private owner: object | undefined;

  constructor() {
    const module = new WebAssembly.Module(decodeBase64(verifierModule.base64));
    this.exports = new WebAssembly.Instance(module, {}).exports as unknown as ModuleExports;
  }

  /** Returns whether the layer that is set up is `owner`'s. */
  isSetUpFor(owner: object): boolean {
    return this.owner === owner;
  }

  /** Returns a copy in the module's memory. */
  write(area: { readonly value: number }, values: Int32Array): void {
    new Int32Array(this.exports.memory.buffer, area.value, values.length).set(values);
  }

  /** Sets a layer up, in `owner`'s name; returns false when it is too large for the module. */
  setUp(owner: object, shape: RowShape): boolean {
    this.owner = undefined;
    const { exports } = this;
    const { elements, blockStarts, rowElements, multipliers, spreads } = shape;
    if (rowElements > rowElementsMax || shape.rows * rowElements > positionCountMax) return false;
    const bits = elements.length;
    const blocks = blockStarts.length - 1;
    const weightBits = blockStarts[blocks] ?? 0;
    const { edges = 0, channels = 0 } = spreads ?? {};
    const max = fastVerifierBytesMax;
    if (exports.reserveLayer(max, bits, rowElements, weightBits, blocks, edges, channels) === 0) return false;
    const stream = BigInt(2 * shape.sourceLayer);
    exports.setStream(shape.seed, stream, shape.gridBits, rowElements);
    this.write(
      exports.elements,
      elements.map((element) => (element >= 0 && element < rowElements ? element : 0)),
    );
    this.write(exports.blocksOfBits, blocksOfBits(blockStarts));
    if (multipliers !== null) this.write(exports.multipliers, multipliers);
    const { buffer } = exports.memory;
    this.mask = new Uint8Array(buffer, exports.mask.value, Math.ceil(bits / 8));
    this.kept = new Int32Array(buffer, exports.kept.value, bits);
    this.weights = new Int32Array(buffer, exports.weights.value, bits);
    this.targets = new Float64Array(buffer, exports.targets.value, blocks);
    this.report = new Float64Array(buffer, exports.report.value, reportLength);
    this.owner = owner;
    return true;
  }
}

function blocksOfBits(blockStarts: Int32Array): Int32Array {
  const blocks = blockStarts.length - 1;
  const all = new Int32Array(blockStarts[blocks] ?? 0);
  for (let block = 0; block < blocks; block++) all.fill(block, blockStarts[block], blockStarts[block + 1]);
  return all;
}
