/** What the loader (worker/kernel/kernel.ts) calls. */
import { chosenMask, solveBlock } from './block';
import { allocate } from './memory';
import { generate, scheduleBytes, writeSchedule } from './philox';
import { samples } from './scratch';

export {
  allocateLayer, biasStarts, biasValues, columnStarts, configureBias, configureBlocks, configureSource, groupEnds, groupOffsets,
  groupSizes, groupTargets, multipliers, paddingStart, rowMask, runs, solveRow, targets,
} from './row';
export { samples } from './scratch';

/** Solves the block in `samples` of the last layer set up; returns 1 when it has a subset. For tests and benchmarks. */
export function solveOne(count: i32, target: f64, tolerance: f64, rule: i32): i32 {
  v128.store(samples + (<usize>count << 2), i32x4.splat(0));
  return solveBlock(count, <i64>target, <i64>tolerance, rule) ? 1 : 0;
}

/** Solves blocks of consecutive samples at `from` against `targets`; returns how many have a subset. For benchmarks. */
export function solveMany(from: usize, count: i32, targets: usize, blocks: i32, tolerance: f64, rule: i32): i32 {
  let solved = 0;
  for (let block = 0; block < blocks; block++) {
    memory.copy(samples, from + <usize>(block * count) * 4, <usize>count << 2);
    v128.store(samples + (<usize>count << 2), i32x4.splat(0));
    solved += <i32>solveBlock(count, <i64>load<i32>(targets + (<usize>block << 2)), <i64>tolerance, rule);
  }
  return solved;
}

/** Lower and upper half of the mask of the last block that had a subset. */
export function chosenMaskLow(): u32 {
  return <u32>chosenMask;
}

/** See chosenMaskLow. */
export function chosenMaskHigh(): u32 {
  return <u32>(chosenMask >> 32);
}

/** Returns an area with the grid integers of positions 8·block … of a stream; it lives until the next layer is set up. */
export function numbersOf(seed: u64, stream: u64, block: u64, pairs: i32, gridBits: i32): usize {
  const schedule = allocate(scheduleBytes);
  const out = allocate(<u32>pairs << 6);
  writeSchedule(schedule, seed, stream);
  generate(schedule, block, pairs, out, 32 - gridBits, 1 << (gridBits - 1));
  return out;
}
