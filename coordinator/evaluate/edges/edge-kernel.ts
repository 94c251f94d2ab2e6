/** Loads the WebAssembly module that sums over edges, and divides its memory. */
import { decodeBase64 } from '../../../src/core/format/decode-base64.ts';
import { edgesModule } from './generated/edges-bytes.ts';

/** The module's functions; see assembly/index.ts. Addresses are bytes in `memory`. */
interface EdgeExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  reserve(bytes: number): void;
  addEdges(
    rows: number,
    positions: number,
    ends: number,
    shifts: number,
    weightsFromShifts: number,
    starts: number,
    input: number,
    output: number,
  ): void;
}

/** Lengths of what a sum over edges works on. */
export interface EdgeSizes {
  readonly ends: number;
  readonly edges: number;
  readonly positions: number;
  readonly inputLanes: number;
  readonly outputLanes: number;
}

/** Arrays in the module's memory, good until the next call of {@link edgeArena}. */
export interface EdgeArena {
  /** Int32, any number of lists of [rows + 1] ends one after the other. */
  readonly ends: Int32Array;
  /** In bytes. */
  readonly shifts: Int32Array;
  readonly weights: Float32Array;
  /** In bytes. */
  readonly starts: Int32Array;
  /** Lanes of {@link imagesPerGroup} numbers. */
  readonly input: Float32Array;
  readonly output: Float32Array;
  /** Adds the edges that the list of ends beginning at `firstEnd` gives to the first `rows` rows. */
  add(rows: number, firstEnd: number): void;
}

/** Inputs that are summed at a time: the kernel's lanes. */
export const imagesPerGroup = 32;

/** The stack and data of the module lie below. */
const arenaStart = 1 << 16;
let loaded: EdgeExports | undefined;

/** Returns arrays of these sizes; what they hold is left over from before. One arena per thread. */
export function edgeArena({ ends, edges, positions, inputLanes, outputLanes }: EdgeSizes): EdgeArena {
  loaded ??= new WebAssembly.Instance(new WebAssembly.Module(decodeBase64(edgesModule.base64)))
    .exports as unknown as EdgeExports;
  const { addEdges, memory, reserve } = loaded;
  const at: number[] = [];
  let end = arenaStart;
  for (const count of [
    ends,
    edges,
    edges,
    positions,
    inputLanes * imagesPerGroup,
    outputLanes * imagesPerGroup,
  ]) {
    at.push(end);
    end += Math.ceil((4 * count) / 16) * 16;
  }
  const [endsAt = 0, shiftsAt = 0, weightsAt = 0, startsAt = 0, inputAt = 0, outputAt = 0] = at;
  reserve(end);
  const { buffer } = memory;
  return {
    ends: new Int32Array(buffer, endsAt, ends),
    shifts: new Int32Array(buffer, shiftsAt, edges),
    weights: new Float32Array(buffer, weightsAt, edges),
    starts: new Int32Array(buffer, startsAt, positions),
    input: new Float32Array(buffer, inputAt, inputLanes * imagesPerGroup),
    output: new Float32Array(buffer, outputAt, outputLanes * imagesPerGroup),
    add: (rows, firstEnd) =>
      addEdges(
        rows,
        positions,
        endsAt + 4 * firstEnd,
        shiftsAt,
        weightsAt - shiftsAt,
        startsAt,
        inputAt,
        outputAt,
      ),
  };
}
