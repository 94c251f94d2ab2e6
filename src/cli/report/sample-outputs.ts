/**
 * Some inputs of a data set with what target and ticket give for them, by the readable float64 passes.
 */
import { forward } from '../../core/network/forward.ts';
import type { Network } from '../../core/network/network.ts';
import { materialise } from '../../core/ticket/materialise.ts';
import { sparseForward } from '../../core/ticket/sparse-forward.ts';
import type { Ticket } from '../../core/ticket/ticket.ts';
import type { LoadedData } from '../load-data.ts';

/** One input and both networks' outputs. */
export interface SampleOutput {
  /** Index among the inputs given. */
  readonly index: number;
  readonly input: Float32Array;
  readonly label: number | null;
  readonly target: Float64Array;
  readonly ticket: Float64Array;
  /** Largest |ticket − target|. */
  readonly difference: number;
}

/** The samples chosen, in the order of the data, and among how many. */
export interface SampleOutputs {
  readonly samples: readonly SampleOutput[];
  readonly among: number;
  /** How many of the samples, the first in the data, were taken as they come; the others differ most. */
  readonly plain: number;
}

/** Inputs looked at: 40 ms each for a ticket of 7 million edges. */
const lookedAt = 12;
const plainCount = 4;
const worstCount = 2;

/** Returns the first inputs, and of some more those whose outputs differ most: a display should not hide them. */
export function sampleOutputs(ticket: Ticket, network: Network, data: LoadedData): SampleOutputs {
  const sparse = materialise(ticket, network);
  const among = Math.min(lookedAt, data.count);
  const size = data.inputs.length / data.count;
  const all = Array.from({ length: among }, (_, index): SampleOutput => {
    const input = data.inputs.subarray(index * size, (index + 1) * size);
    const found = {
      target: forward(network, Float64Array.from(input)),
      ticket: sparseForward(sparse, Float64Array.from(input)),
    };
    const difference = found.target.reduce(
      (max, value, k) => Math.max(max, Math.abs(value - (found.ticket[k] ?? 0))),
      0,
    );
    return { index, input, label: data.labels?.[index] ?? null, ...found, difference };
  });
  const plain = all.slice(0, plainCount);
  const worst = all
    .slice(plainCount)
    .sort((a, b) => b.difference - a.difference)
    .slice(0, worstCount);
  return {
    samples: [...plain, ...worst.sort((a, b) => a.index - b.index)],
    among,
    plain: plain.length,
  };
}
