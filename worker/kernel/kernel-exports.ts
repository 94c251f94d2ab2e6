/** The kernel's interface as assembly/index.ts exports it. Areas are byte addresses in its memory. */

/** A variable of the kernel. */
interface KernelVariable {
  readonly value: number;
}

/** What the WebAssembly module exports. */
export interface KernelExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  allocateLayer(
    groups: number,
    paddedColumns: number,
    rowElements: number,
    taps: number,
    targetCount: number,
    runCount: number,
    biasElements: number,
    bits: number,
    largestBlock: number,
  ): void;
  configureSource(
    seed: bigint,
    gridBits: number,
    sourceLayer: number,
    rowElements: number,
    taps: number,
  ): void;
  configureBlocks(withMultipliers: number, shift: number, rule: number, tolerance: number): void;
  configureBias(shift: number, ownScale: number, interceptScale: number, tolerance: number): void;
  solveRow(row: number, biasTarget: number): number;
  solveOne(count: number, target: number, tolerance: number, rule: number): number;
  solveMany(
    from: number,
    count: number,
    targets: number,
    blocks: number,
    tolerance: number,
    rule: number,
  ): number;
  chosenMaskLow(): number;
  chosenMaskHigh(): number;
  numbersOf(seed: bigint, stream: bigint, block: bigint, pairs: number, gridBits: number): number;
  readonly samples: KernelVariable;
  readonly groupOffsets: KernelVariable;
  readonly groupSizes: KernelVariable;
  readonly groupTargets: KernelVariable;
  readonly groupEnds: KernelVariable;
  readonly columnStarts: KernelVariable;
  readonly paddingStart: KernelVariable;
  readonly multipliers: KernelVariable;
  readonly runs: KernelVariable;
  readonly biasStarts: KernelVariable;
  readonly biasValues: KernelVariable;
  readonly targets: KernelVariable;
  readonly rowMask: KernelVariable;
}
