/**
 * What checking costs beside solving: a layer of a ticket (verifyRows) and the tiles it came from (verifyTile), against the kernel
 * on the same rows, bias blocks included; by the fast verifier, and the ticket by the readable one too.
 */
import { networkDigest } from '../../../dist/src/core/format/network-file.js';
import { blocksPerRow } from '../../../dist/src/core/plan/tile.js';
import { openFastVerifier } from '../../../dist/src/core/verify/fast/fast-verifier.js';
import { layerContext, ticketContext } from '../../../dist/src/core/verify/layer-context.js';
import { verifyRows } from '../../../dist/src/core/verify/verify-rows.js';
import { neuronsOfCopies } from '../../../dist/src/core/verify/verify-ticket.js';
import { verifyTile } from '../../../dist/src/core/verify/verify-tile.js';
import { loadKernel } from '../../../dist/worker/kernel/kernel.js';
import { callsPerSecond, interleaved } from '../measure.mjs';
import { denseLayer, relu, searchTiles } from '../search-tiles.mjs';

/** Runs the group. */
export async function verifier({ quick, note }) {
  const rows = [];
  for (const [rule, copies] of [
    ['fewest', 20],
    ['closest', 24],
  ]) {
    rows.push(...(await compare({ rule, copies, quick })));
    note(rows.at(-1).name);
  }
  return rows;
}

/** A layer of 200 inputs with `copies` copies each: blocks of that many plain samples. */
async function compare({ rule, copies, quick }) {
  const outputs = rule === 'closest' ? 20 : 100;
  const network = {
    inputShape: [4],
    inputSteps: [],
    layers: [
      denseLayer('first', { inputs: 4, outputs: 200, stream: 0, steps: relu }),
      denseLayer('second', { inputs: 200, outputs, stream: 1, steps: [] }),
    ],
  };
  const kernel = await loadKernel();
  const sha256 = networkDigest(network);
  const { ticket, solved } = await searchTiles(kernel, { network, sha256 }, { rule, copies });
  const tiles = solved.filter(({ problem }) => problem.sourceLayer === 2);
  const layer = ticket.layers[1];
  const blocks = layer.copyRows.length * blocksPerRow(tiles[0].problem);
  const range = { from: 0, to: layer.copyRows.length, neurons: neuronsOfCopies(layer) };
  const context = layerContext(ticketContext(ticket, network), 1);
  const columns = tiles[0].problem.cols;
  const errors = { low: new Float64Array(columns), high: new Float64Array(columns) };
  const fast = openFastVerifier();
  const verify = (verifier) => () => {
    const { fault } = verifyRows({ ticket, context, errors }, range, verifier);
    if (fault !== null) throw new Error(fault);
  };
  const verifyTiles = () => {
    for (const each of tiles) {
      const verdict = verifyTile(each.problem, { ...each, isChecked: () => true, fast });
      if (verdict.kind === 'refused') throw new Error(verdict.reason);
    }
  };
  const solve = () => {
    for (const { problem, tile } of tiles) kernel.solveTile(problem, tile);
  };
  const rate = (call) => () => callsPerSecond(call, quick ? 50 : 300) * blocks;
  const measurers = [verify(fast), verifyTiles, verify(undefined), solve].map(rate);
  for (const measurer of measurers) measurer();
  const [ofTicket, ofTiles, readable, baseline] = await interleaved(measurers, quick ? 1 : 5);
  const row = (what, value) => ({
    name: `${what}, baseline: solve; ${rule}, n = ${copies}, ε = 1e-2`,
    value,
    unit: 'blocks/s',
    baseline,
  });
  return [row('verify', ofTicket), row('verify tiles', ofTiles), row('verify readably', readable)];
}
