/** Searches whose tiles benchmarks look at: every problem, tile and result of a construction on this thread. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { construct } from '../../dist/coordinator/construct.js';
import { loadTarget } from '../../dist/src/cli/load-target.js';
import { makePlan } from '../../dist/src/core/plan/make-plan.js';
import { PhiloxStream } from '../../dist/src/core/random/philox.js';
import { defaultOptions } from './default-options.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const places = ['../shared/targets/mlp-300-100-relu.onnx', 'src/cli/example/digits-mlp.onnx'];

/** Returns the target that benchmarks use when none is named: a shared one, or the bundled example. */
export function defaultTarget() {
  const path = places.map((place) => `${root}${place}`).find((each) => existsSync(each));
  return { name: path.replace(/.*\//, ''), ...loadTarget(path, undefined) };
}

/** Returns plan, ticket and all solved tiles, those of the planner's probes left out. */
export async function searchTiles(kernel, { network, sha256 }, options) {
  const solved = [];
  const solver = {
    concurrency: 1,
    solve: (problem, tile) => {
      const result = kernel.solveTile(problem, tile);
      solved.push({ problem, tile, result });
      return Promise.resolve(result);
    },
  };
  const plan = await makePlan(network, { ...defaultOptions, ...options }, solver);
  solved.length = 0;
  const { ticket } = await construct(plan, network, {
    solver,
    store: { read: () => Promise.resolve(undefined), write: () => Promise.resolve() },
    targetSha256: sha256,
    checkOneIn: 0,
    onEvent: () => undefined,
    signal: new AbortController().signal,
  });
  return { plan, ticket, solved };
}

/** Returns a dense layer with weights and biases uniform on ±1/√inputs; `stream` names its numbers. */
export function denseLayer(name, { inputs, outputs, stream, steps }) {
  const numbers = new PhiloxStream(2026n, stream);
  const values = (count, first) =>
    Float64Array.from({ length: count }, (_, k) => (numbers.at(first + k) * 2 ** -31) / Math.sqrt(inputs));
  const weights = values(outputs * inputs, 0);
  const linear = { kind: 'dense', outputs, inputs, weights, bias: values(outputs, outputs * inputs) };
  return { name, linear, steps };
}

/** The steps behind a layer with ReLU. */
export const relu = [{ kind: 'activation', activation: { kind: 'relu' } }];
