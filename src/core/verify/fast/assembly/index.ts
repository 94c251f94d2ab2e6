/** What the loader (src/core/verify/fast/fast-verifier.ts) calls. */
import { reserveBlocks, reserveSpreads } from './blocks';
import { forgetAreas, haveRoom } from './memory';
import { reserveRow } from './row';

export {
  blocksOfBits, channelsOfBlocks, checkRow, edgeSpreads, inputSpreads, measureRow, multipliers, report, setBlocks, setErrors,
  spreadsOfBits, targets,
} from './blocks';
export { elements, kept, mask, setStream, weights } from './row';

/**
 * Makes room for the rows of another layer within `bytesMax` of memory, and returns whether there is that much; what the last layer had
 * is gone.
 * @param entries spreads of what edges read, 0 for a tile's rows; @param channels likewise of the inputs.
 */
export function reserveLayer(
  bytesMax: u32, bits: i32, rowElements: i32, weightBits: i32, blocks: i32, entries: i32, channels: i32,
): bool {
  forgetAreas(bytesMax);
  reserveRow(bits, rowElements);
  reserveBlocks(weightBits, blocks);
  reserveSpreads(entries, channels);
  return haveRoom();
}
