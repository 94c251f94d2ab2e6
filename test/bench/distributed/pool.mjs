/** The pool of one process on a synthetic layer: what the distributed search is measured against. */
import { openPool } from '../../../dist/worker/node/pool.js';
import { syntheticLayer } from './synthetic-layer.mjs';

const { layer: setting, tileCount, threads } = JSON.parse(process.argv[2] ?? '{}');
const layer = syntheticLayer(setting);
const tiles = Array.from({ length: tileCount }, (_, index) => layer.tile(index));
const pool = openPool({ threads });
const figures = { blocks: 0, tiles: 0, lastMs: 0 };
let isOver = false;
const next = async () => {
  for (let tile = tiles.shift(); tile !== undefined && !isOver; tile = tiles.shift()) {
    await pool.solve(layer.problem, tile);
    figures.tiles++;
    figures.blocks += layer.blocksPerTile;
    figures.lastMs = performance.now();
  }
};
for (let k = 0; k < pool.concurrency; k++) next().catch(() => undefined);

const answers = {
  figures: () => ({ ...figures, nowMs: performance.now(), cpu: process.cpuUsage() }),
  end: async () => {
    isOver = true;
    await pool.close();
    setImmediate(() => process.disconnect());
    return {};
  },
};
process.on('message', async ({ id, ask }) => process.send({ id, answer: await answers[ask]() }));
process.on('disconnect', () => setTimeout(() => process.exit(0), 2000).unref());
process.send({ id: 0, answer: {} });
