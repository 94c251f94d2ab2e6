/**
 * Command: real processes, killed, paused, cut off and starved of disk.
 *
 *   --kills N [--seed N] [--workers N]   kill -9 at random moments; every acknowledged result must stay, every ticket be the right one
 */
import { parseArgs } from 'node:util';
import { killCycles } from './kill-cycles.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: '2' },
  },
});
const onCycle = (text: string): void => {
  process.stderr.write(`${text}\n`);
};
const report = await killCycles({
  kills: Number(values.kills),
  seed: Number(values.seed),
  workers: Number(values.workers),
  onCycle,
});
process.stdout.write(`${JSON.stringify(report)}\n`);
