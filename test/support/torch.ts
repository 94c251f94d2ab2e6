/** PyTorch, where it is here: Debian's python3-torch belongs to Debian's own python3. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { testFile } from './ticket-samples.ts';

/** The Python that has torch, or null. */
const torchPython =
  ['python3', '/usr/bin/python3'].find((python) => spawnSync(python, ['-c', 'import torch']).status === 0) ??
  null;

/** Whether some python3 with torch is here. */
export const hasTorch = torchPython !== null;

if (!hasTorch) console.warn('Skipped: tests against PyTorch need python3 with torch (Debian: python3-torch)');

/** An exported file and inputs for it. */
export interface TorchJob {
  readonly file: string;
  readonly inputs: readonly number[];
  /** [count, …]. */
  readonly shape: readonly number[];
}

/** What PyTorch made of a job: outputs, and SHA-256 of every mask in order, weight before bias, one byte a weight. */
export interface TorchAnswer {
  readonly outputs: readonly number[];
  readonly masks: readonly string[];
}

/** Runs jobs as numpy/run_torch.py says; `path` names a file for them. */
export function runTorch(jobs: readonly TorchJob[], path: string): readonly TorchAnswer[] {
  writeFileSync(path, JSON.stringify(jobs));
  const { status, stdout, stderr } = spawnSync(
    torchPython ?? 'python3',
    [testFile('numpy/run_torch.py'), path],
    { maxBuffer: 1 << 28 },
  );
  if (status !== 0) throw new Error(`PyTorch failed: ${stderr.toString()}`);
  return JSON.parse(stdout.toString()) as TorchAnswer[];
}
