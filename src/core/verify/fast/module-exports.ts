/** The module's interface as assembly/index.ts exports it. */

/** The address of an area in the module's memory. */
interface AreaVariable {
  readonly value: number;
}

/**
 * What the WebAssembly module exports, as assembly/index.ts documents it.
 * @internal
 */
export interface ModuleExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  reserveLayer(
    bytesMax: number,
    bits: number,
    rowElements: number,
    weightBits: number,
    blocks: number,
    entries: number,
    channels: number,
  ): number;
  setStream(seed: bigint, stream: bigint, gridBits: number, rowElements: number): void;
  setBlocks(withMultipliers: number, divisor: number, largestResidual: number): void;
  setErrors(
    sumScale: number,
    weightScale: number,
    signGroups: number,
    taps: number,
    slopePositive: number,
    slopeNegative: number,
  ): void;
  checkRow(row: number): number;
  measureRow(row: number): number;
  readonly mask: AreaVariable;
  readonly elements: AreaVariable;
  readonly kept: AreaVariable;
  readonly weights: AreaVariable;
  readonly blocksOfBits: AreaVariable;
  readonly multipliers: AreaVariable;
  readonly targets: AreaVariable;
  readonly spreadsOfBits: AreaVariable;
  readonly edgeSpreads: AreaVariable;
  readonly inputSpreads: AreaVariable;
  readonly channelsOfBlocks: AreaVariable;
  readonly report: AreaVariable;
}
