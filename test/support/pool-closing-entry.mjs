/** Opens and closes pools of threads, each a little later in the threads' start: argv[2] is {cycles}. */
import { setTimeout as delay } from 'node:timers/promises';
import { openPool } from '../../dist/worker/node/pool.js';

const { cycles } = JSON.parse(process.argv[2]);
for (let cycle = 0; cycle < cycles; cycle++) {
  const pool = openPool({ threads: 2 });
  await delay(20 + (160 * cycle) / cycles);
  await pool.close();
}
