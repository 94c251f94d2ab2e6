/**
 * One core's solver. It tests itself before it is ready, and solves in slices of some 40 ms with a look at its messages in between: a
 * browser ends a thread only when it comes to look, and a busy one after two seconds.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { decodeBase64 } from '../../src/core/format/decode-base64.ts';
import type { LayerProblem } from '../../src/core/plan/tile.ts';
import { encodeResultBody } from '../../src/core/protocol/mask-code.ts';
import { kernelModule } from '../kernel/generated/kernel-bytes.ts';
import { type Kernel, kernelDigest, loadKernel } from '../kernel/kernel.ts';
import { selfTest } from '../self-test.ts';
import { SlicedTile } from '../sliced-tile.ts';
import type { SolveOrder, SolverOrder, SolverReport } from './thread-messages.ts';

const sliceMs = 40;

let kernel: Kernel | undefined;
let layer: LayerProblem | undefined;
let duty = 1;
let cancelledId = -1;
const channel = new MessageChannel();

self.onmessage = ({ data: order }: MessageEvent<SolverOrder>): void => {
  if (order.kind === 'duty') duty = order.duty;
  else if (order.kind === 'cancel') cancelledId = order.id;
  else
    solve(order).catch((error: unknown) => report({ kind: 'failed', id: order.id, reason: textOf(error) }));
};

prepare().then(report, (error: unknown) => report({ kind: 'unfit', reason: textOf(error) }));

async function prepare(): Promise<SolverReport> {
  const digest = bytesToHex(sha256(decodeBase64(kernelModule.base64)));
  if (digest !== kernelDigest) throw new Error(`the kernel is ${digest}, expected ${kernelDigest}`);
  const loaded = await loadKernel();
  await selfTest({ solve: async (problem, tile) => loaded.solveTile(problem, tile) });
  kernel = loaded;
  return { kind: 'ready', digest };
}

async function solve({ id, problem, tile }: SolveOrder): Promise<void> {
  layer = problem ?? layer;
  if (kernel === undefined || layer === undefined) throw new Error('a tile came before its layer');
  const sliced = new SlicedTile(kernel.solveTile, { problem: layer, tile });
  let computeMs = 0;
  let rowCount = 1;
  while (!sliced.isDone) {
    const start = performance.now();
    sliced.solveSome(rowCount);
    const tookMs = performance.now() - start;
    computeMs += tookMs;
    rowCount = Math.max(1, Math.min(4 * rowCount, Math.floor((rowCount * sliceMs) / Math.max(tookMs, 1))));
    await rest(tookMs / duty - tookMs);
    if (cancelledId === id) return report({ kind: 'failed', id, reason: 'cancelled' });
  }
  const start = performance.now();
  const body = encodeResultBody(layer, tile, sliced.result());
  computeMs += performance.now() - start;
  report({ kind: 'solved', id, body, computeMs });
}

/** Lets messages in, and time pass. A timer of 0 ms would take 4. */
function rest(restMs: number): Promise<void> {
  return new Promise((resolve) => {
    if (restMs >= 1) setTimeout(resolve, restMs);
    else {
      channel.port1.onmessage = () => resolve();
      channel.port2.postMessage(null);
    }
  });
}

function report(message: SolverReport): void {
  self.postMessage(message, { transfer: message.kind === 'solved' ? [message.body.buffer] : [] });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
