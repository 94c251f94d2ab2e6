/**
 * Chooses the TensorFlow.js backend: TensorFlow's own library where `@tensorflow/tfjs-node` is installed and works, else
 * WebAssembly, whose binary lies in its npm package, so nothing is downloaded. Both have one interface, tfjs-core's.
 */
import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import util from 'node:util';
import { failure } from '../../src/core/errors.ts';

/** The interface of TensorFlow.js. */
export type TensorFlow = typeof import('@tensorflow/tfjs-core');

/** TensorFlow.js, ready for use. */
export interface LoadedTensorFlow {
  readonly tf: TensorFlow;
  readonly backend: 'tensorflow' | 'wasm';
  /** Version of tfjs-core. */
  readonly version: string;
  /** One line on why `nativePackage` is not in use; null when it is. */
  readonly fallbackReason: string | null;
}

/**
 * Returns TensorFlow.js with its fastest backend that works here. WebAssembly multiplies about 10⁹·10 pairs a second on one
 * core; TensorFlow.js keeps its threads off in Node, so a caller who wants two cores starts two worker threads.
 * @param nativePackage the optional package that is tried first.
 * @throws TombolaError (failure) when no backend works.
 */
export async function loadTensorFlow(nativePackage = '@tensorflow/tfjs-node'): Promise<LoadedTensorFlow> {
  const native = await loadNative(nativePackage);
  if (typeof native !== 'string') return describe(native, 'tensorflow', null);
  wasmOnce ??= loadWasm();
  return describe(await wasmOnce, 'wasm', native);
}

/** The WebAssembly backend's paths may be set only once in a process. */
let wasmOnce: Promise<TensorFlow> | undefined;

function describe(
  tf: TensorFlow,
  backend: LoadedTensorFlow['backend'],
  fallbackReason: string | null,
): LoadedTensorFlow {
  return { tf, backend, version: tf.version_core, fallbackReason };
}

/** Returns TensorFlow's own library, or why it cannot be used: it is optional, so its absence is an answer. */
async function loadNative(specifier: string): Promise<TensorFlow | string> {
  try {
    restoreIsNullOrUndefined();
    const module: TensorFlow & { readonly default?: TensorFlow } = await import(specifier);
    const tf = module.default ?? module;
    if (!(await tf.setBackend('tensorflow'))) return `${specifier} has no working backend`;
    return tf;
  } catch (cause) {
    const [line] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    return `${specifier} cannot be loaded: ${line}`;
  }
}

/** Node 23 dropped a function that tfjs-node 4.22 still calls. */
function restoreIsNullOrUndefined(): void {
  const target: { isNullOrUndefined?: (value: unknown) => boolean } = util;
  target.isNullOrUndefined ??= (value) => value === null || value === undefined;
}

async function loadWasm(): Promise<TensorFlow> {
  try {
    const tf = await import('@tensorflow/tfjs-core');
    tf.enableProdMode();
    const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
    const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
    setWasmPaths(dirname(entry) + sep);
    if (!(await tf.setBackend('wasm'))) throw new Error('its WebAssembly module did not start');
    return tf;
  } catch (cause) {
    throw failure(
      'Cannot load @tensorflow/tfjs-backend-wasm: no TensorFlow.js backend works, expected an installed package; run npm ci',
      cause,
    );
  }
}
