/**
 * Two worker processes of one thread each through a coordinator process, against a pool of two threads: the same tiles, in turns.
 *
 * On a machine with two cores the coordinator's own work is taken from the workers, and other programs take from both; so besides
 * blocks per second of wall time there is a second ratio, of blocks per second of processor time of all processes together.
 */
import { availableParallelism } from 'node:os';
import { median } from '../measure.mjs';
import { pause, startProcess } from './processes.mjs';
import { profileText } from './profile.mjs';
import { syntheticLayer } from './synthetic-layer.mjs';

const threads = 2;
/** Blocks per second and thread, at most: tiles are cut beforehand. */
const rateMax = { closest: 60_000, fewest: 6_000_000 };

const settings = [
  { name: 'compute-heavy: closest, n = 24', layer: { rule: 'closest', size: 24, epsilon: 0.01 }, goal: 0.9 },
  {
    name: 'easiest: fewest, n = 20, ε = 0.01',
    layer: { rule: 'fewest', size: 20, epsilon: 0.01 },
    goal: 0.6,
  },
];

/** Runs the group. */
export async function throughput({ seconds, runs, note, profileFolder, pattern }) {
  const rows = [];
  for (const setting of settings) {
    if (pattern !== undefined && !setting.name.includes(pattern)) continue;
    const layer = syntheticLayer(setting.layer);
    const blocks = rateMax[setting.layer.rule] * threads * (seconds + 8);
    const tileCount = Math.min(layer.tileCount, Math.ceil(blocks / layer.blocksPerTile));
    const job = { layer: setting.layer, tileCount };
    const pairs = [];
    for (let run = 0; run < runs; run++) {
      const pool = await measurePool(job, seconds);
      const apart = await measureApart(job, seconds);
      note(`${setting.name}: pool ${text(pool)}; distributed ${text(apart)}`);
      pairs.push({ pool, apart });
    }
    const of = (read) => median(pairs.map(read));
    const ratio = of(({ pool, apart }) => apart.rate / pool.rate);
    const processorRatio = of(({ pool, apart }) => apart.processorRate / pool.processorRate);
    const common = { cores: availableParallelism() };
    rows.push(
      {
        name: `${setting.name}: pool, 2 threads`,
        value: of(({ pool }) => pool.rate),
        unit: 'blocks/s',
        ...common,
      },
      { name: `${setting.name}: 2 workers`, value: of(({ apart }) => apart.rate), unit: 'blocks/s' },
      { name: '… of the pool, wall time', value: 100 * ratio, unit: '%', goal: `≥ ${100 * setting.goal}` },
      {
        name: '… of the pool, processor time',
        value: 100 * processorRatio,
        unit: '%',
        goal: `≥ ${100 * setting.goal}`,
      },
      {
        name: '… coordinator',
        value: of(({ apart }) => apart.coordinatorShare) * 100,
        unit: '% of a core',
        ...(setting.layer.rule === 'closest' ? { goal: '< 10' } : {}),
      },
      {
        name: '… on the wire, both ways',
        value: of(({ apart }) => apart.bitsPerBlock),
        unit: 'bits/block',
        ...(setting.layer.rule === 'fewest' ? { goal: '≤ 12' } : {}),
      },
      {
        name: '… memory of the coordinator',
        value: of(({ apart }) => apart.rss) / 1e6,
        unit: 'MB RSS',
      },
    );
    if (profileFolder !== undefined) {
      await measureApart(job, seconds, profileFolder);
      note(profileText(profileFolder));
    }
  }
  return rows;
}

function text({ rate, processorRate }) {
  return `${Math.round(rate)} blocks/s, ${Math.round(processorRate)} per processor second`;
}

async function measurePool(job, seconds) {
  const pool = await startProcess('pool.mjs', { ...job, threads });
  try {
    return (await window([pool], seconds)).rates;
  } finally {
    await pool.end();
  }
}

async function measureApart(job, seconds, profileFolder) {
  const profileTo = (who) => ({
    execArgv: profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}/${who}`],
  });
  const coordinator = await startProcess('coordinator.mjs', job, profileTo('coordinator'));
  const workers = [];
  try {
    for (let k = 0; k < threads; k++)
      workers.push(await startProcess('worker.mjs', { url: coordinator.hello.url }, profileTo('worker')));
    const { rates, first, last } = await window([coordinator, ...workers], seconds);
    const elapsedMs = last.nowMs - first.nowMs;
    const bytes = last.wireBytes - first.wireBytes;
    return {
      ...rates,
      coordinatorShare: processorMs(first, last) / elapsedMs,
      bitsPerBlock: (8 * bytes) / (last.blocks - first.blocks),
      rss: last.rss,
    };
  } finally {
    await Promise.all(workers.map((worker) => worker.end()));
    await coordinator.end();
  }
}

/** Blocks and processor time between two moments, both at the end of a tile, when everything is at work. The first process counts. */
async function window(processes, seconds) {
  const [counter] = processes;
  while ((await counter.ask('figures')).tiles < 8) await pause(100);
  const begin = await atEndOfTile(processes);
  await pause(seconds * 1000);
  const end = await atEndOfTile(processes);
  const blocks = end[0].blocks - begin[0].blocks;
  const elapsedMs = end[0].lastMs - begin[0].lastMs;
  const spentMs = processes.reduce((sum, _, index) => sum + processorMs(begin[index], end[index]), 0);
  return {
    first: begin[0],
    last: end[0],
    rates: { rate: (blocks * 1000) / elapsedMs, processorRate: (blocks * 1000) / spentMs },
  };
}

async function atEndOfTile(processes) {
  const { tiles } = await processes[0].ask('figures');
  for (;;) {
    const figures = await Promise.all(processes.map((each) => each.ask('figures')));
    if (figures[0].tiles > tiles) return figures;
    await pause(5);
  }
}

function processorMs(first, last) {
  return (last.cpu.user + last.cpu.system - first.cpu.user - first.cpu.system) / 1000;
}
