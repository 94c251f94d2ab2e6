/**
 * How the blocks of a ticket came out: residuals and kept edges, over rows taken evenly from every layer. For display: the
 * verifier (core/verify) judges every block of every row, this looks at some.
 */
import type { Network } from '../../core/network/network.ts';
import { keptBits } from '../../core/ticket/layout.ts';
import type { Ticket, TicketLayer } from '../../core/ticket/ticket.ts';
import {
  type LayerContext,
  layerContext,
  stageContext,
  ticketContext,
} from '../../core/verify/layer-context.ts';
import { neuronsOfCopies } from '../../core/verify/verify-ticket.ts';

/** What the sampled blocks of one target layer show; blocks of zero weights are left out. */
export interface BlockStatistics {
  readonly rows: number;
  readonly blocks: number;
  /** Counts of (sum − weight) / allowed in {@link residualBins} equal bins over [−1, 1]; null in exact mode, where all are 0. */
  readonly residuals: readonly number[] | null;
  /** Counts of blocks by how many edges they keep, from 0. */
  readonly kept: readonly number[];
}

/** Bins of a residual histogram. */
export const residualBins = 40;

/** Rows looked at per layer: some 100,000 blocks, a tenth of a second. */
const rowsMax = 120;

/** Returns the statistics of every target layer of a sound ticket. */
export function blockStatistics(ticket: Ticket, network: Network): BlockStatistics[] {
  const first = ticketContext(ticket, network);
  return first.whole.stages.flatMap((_, index) => {
    const context = stageContext(first, index);
    return context.ticket.layers.map((layer, local) =>
      layerStatistics(layer, layerContext(context, local), ticket),
    );
  });
}

function layerStatistics(
  layer: TicketLayer,
  context: LayerContext,
  { epsilon, mode }: Pick<Ticket, 'epsilon' | 'mode'>,
): BlockStatistics {
  const { layout, view } = context;
  const allowed = epsilon * (view.scale || 1);
  const neurons = neuronsOfCopies(layer);
  const rows = Math.min(rowsMax, neurons.length);
  const bits = new Int32Array(8 * layout.rowBytes);
  const residuals = new Array<number>(residualBins).fill(0);
  const kept: number[] = [];
  let blocks = 0;
  for (let k = 0; k < rows; k++) {
    const copy = Math.floor((k * neurons.length) / rows);
    const count = keptBits(layer.masks, copy * layout.rowBytes, layout, bits);
    let cursor = 0;
    layout.blockWeights.forEach((position, block) => {
      const end = layout.blockStarts[block + 1] ?? 0;
      const target = view.weights[(neurons[copy] ?? 0) * view.channels * view.taps + position] ?? 0;
      const first = cursor;
      while (cursor < count && (bits[cursor] ?? end) < end) cursor++;
      if (target === 0) return;
      const sum = blockSum(context, layer.copyRows[copy] ?? 0, bits.subarray(first, cursor));
      blocks++;
      kept[cursor - first] = (kept[cursor - first] ?? 0) + 1;
      const share = (sum * context.sampleScale - target) / allowed;
      const bin = Math.min(residualBins - 1, Math.max(0, Math.floor(((share + 1) / 2) * residualBins)));
      residuals[bin] = (residuals[bin] ?? 0) + 1;
    });
  }
  return {
    rows,
    blocks,
    residuals: mode === 'exact' ? null : residuals,
    kept: Array.from(kept, (value) => value ?? 0),
  };
}

function blockSum({ layout, reader }: LayerContext, row: number, bits: Int32Array): number {
  return bits.reduce(
    (sum, bit) => sum + reader.weight(row, layout.elements[bit] ?? 0) * (layout.multipliers[bit] ?? 1),
    0,
  );
}
