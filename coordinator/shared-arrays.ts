/**
 * Data in shared memory: sending it to a thread then costs a few words, whatever its size.
 */

/**
 * Returns a copy of plain data (objects, arrays, numbers, texts) whose typed arrays lie in shared memory. Whoever reads them
 * in another thread sees later changes, so nobody should make any. Arrays that lie there already are not copied.
 */
export function withSharedArrays<T>(value: T): T {
  return shared(value) as T;
}

function shared(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value) && value.buffer instanceof SharedArrayBuffer) return value;
  if (value instanceof Float64Array)
    return filled(new Float64Array(new SharedArrayBuffer(value.byteLength)), value);
  if (value instanceof Float32Array)
    return filled(new Float32Array(new SharedArrayBuffer(value.byteLength)), value);
  if (value instanceof Int32Array)
    return filled(new Int32Array(new SharedArrayBuffer(value.byteLength)), value);
  if (value instanceof Uint8Array)
    return filled(new Uint8Array(new SharedArrayBuffer(value.byteLength)), value);
  if (Array.isArray(value)) return value.map(shared);
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, shared(part)]));
}

function filled<T extends { set(values: T): void }>(copy: T, values: T): T {
  copy.set(values);
  return copy;
}
