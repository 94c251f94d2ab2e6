/** Files made by NumPy at test time, from outside our own code. */
import { spawnSync } from 'node:child_process';

/** Whether python3 with NumPy is here. */
export const hasNumpy = spawnSync('python3', ['-c', 'import numpy']).status === 0;

if (!hasNumpy) console.warn('Skipped: tests against NumPy need python3 with numpy');

/** Returns the bytes that a Python program writes to `out` (io.BytesIO), with `numpy as np` and `io` at hand. */
export function numpyBytes(program: string): Uint8Array {
  const whole = `import io, sys\nimport numpy as np\nout = io.BytesIO()\n${program}\nsys.stdout.buffer.write(out.getvalue())`;
  const { status, stdout, stderr } = spawnSync('python3', ['-c', whole], { maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`python3 failed: ${stderr.toString()}`);
  return new Uint8Array(stdout);
}
