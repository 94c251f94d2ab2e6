/**
 * Sums over edges for 32 inputs at a time: eight vectors of four float32 stay in registers while a row's edges go by. One product
 * and one sum in four lanes cost about 0.12 ns together; edges are few, so there is no dense matrix to read.
 */

/** Bytes of 32 float32. */
const laneBytes: usize = 128;

/** Grows the memory to hold that many bytes. */
export function reserve(bytes: usize): void {
  const missing = i32((bytes + 0xffff) >>> 16) - memory.size();
  if (missing > 0) memory.grow(missing);
}

/**
 * output[row, position] += Σ weight · input[start(position) + shift] over the row's edges, in all 32 lanes.
 * @param ends int32 [rows + 1]: row r owns the edges ends[r] … ends[r+1] − 1
 * @param shifts int32 [edges], in bytes; `weights` float32 [edges] lie weightsFromShifts bytes behind
 * @param starts int32 [positions], in bytes
 */
export function addEdges(
  rows: i32,
  positions: i32,
  ends: usize,
  shifts: usize,
  weightsFromShifts: usize,
  starts: usize,
  input: usize,
  output: usize,
): void {
  for (let row: usize = 0; row < <usize>rows; row++) {
    const first = shifts + ((<usize>load<i32>(ends + (row << 2))) << 2);
    const last = shifts + ((<usize>load<i32>(ends + (row << 2), 4)) << 2);
    if (first === last) {
      output += <usize>positions * laneBytes;
      continue;
    }
    for (let position: usize = 0; position < <usize>positions; position++) {
      const start = input + load<i32>(starts + (position << 2));
      let a = v128.load(output, 0);
      let b = v128.load(output, 16);
      let c = v128.load(output, 32);
      let d = v128.load(output, 48);
      let e = v128.load(output, 64);
      let f = v128.load(output, 80);
      let g = v128.load(output, 96);
      let h = v128.load(output, 112);
      for (let shift = first; shift < last; shift += 4) {
        const at = start + load<i32>(shift);
        const weight = v128.load_splat<f32>(shift + weightsFromShifts);
        a = f32x4.add(a, f32x4.mul(weight, v128.load(at, 0)));
        b = f32x4.add(b, f32x4.mul(weight, v128.load(at, 16)));
        c = f32x4.add(c, f32x4.mul(weight, v128.load(at, 32)));
        d = f32x4.add(d, f32x4.mul(weight, v128.load(at, 48)));
        e = f32x4.add(e, f32x4.mul(weight, v128.load(at, 64)));
        f = f32x4.add(f, f32x4.mul(weight, v128.load(at, 80)));
        g = f32x4.add(g, f32x4.mul(weight, v128.load(at, 96)));
        h = f32x4.add(h, f32x4.mul(weight, v128.load(at, 112)));
      }
      v128.store(output, a, 0);
      v128.store(output, b, 16);
      v128.store(output, c, 32);
      v128.store(output, d, 48);
      v128.store(output, e, 64);
      v128.store(output, f, 80);
      v128.store(output, g, 96);
      v128.store(output, h, 112);
      output += laneBytes;
    }
  }
}
