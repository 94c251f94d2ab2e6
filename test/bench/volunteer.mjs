/**
 * What a volunteer's tab costs and gives, in Chromium against a coordinator process on loopback:
 *
 *     npm run build && node test/bench/volunteer.mjs [--json] [--runs N]
 *
 *     load   from opening the page, nothing cached, through Start to the first tile that the coordinator has stored
 *     rate   blocks per second of one of the page's threads over one of a native worker, tile by tile in turns: the same tiles,
 *            solved and encoded, messages to and from the thread included
 *     stop   from the click on Stop until the system has none of the threads that solve any more, and the processor time they took
 *            meanwhile, which other programs do not lengthen (Linux: /proc)
 *
 * The load of the machine is printed with the figures; other programs make every time an upper bound, and ratios of wall time noisy.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { openPool } from '../../dist/worker/node/pool.js';
import { syntheticLayer } from './distributed/synthetic-layer.mjs';
import { startVolunteerCoordinator } from './distributed/volunteer-coordinator.mjs';
import { median } from './measure.mjs';
import { markdownTable } from './report.mjs';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, runs: { type: 'string', default: '5' } },
});
const runs = Number(values.runs);
if (!existsSync(executablePath)) {
  console.error(
    `Cannot measure without a browser: none at ${executablePath}, expected Chromium (or name it with CHROMIUM)`,
  );
  process.exit(1);
}
const loadBefore = loadavg()[0];
const browser = await chromium.launch({
  executablePath,
  args: ['--headless=new', '--no-sandbox', '--disable-gpu'],
});
const coordinator = await startVolunteerCoordinator();
const rows = [];
try {
  const { loads, stops, spents } = await measureTabs();
  rows.push(
    { name: 'cold load to the first stored tile', wanted: '< 5 s', value: median(loads) / 1000, unit: 's' },
    { name: 'the slowest of them', wanted: '< 5 s', value: Math.max(...loads) / 1000, unit: 's' },
    { name: 'Stop until its threads are gone', wanted: '< 250 ms', value: median(stops), unit: 'ms' },
    { name: 'the slowest of them', wanted: '< 250 ms', value: Math.max(...stops), unit: 'ms' },
    {
      name: '… processor time until then, at most',
      wanted: '< 250 ms',
      value: Math.max(...spents),
      unit: 'ms',
    },
  );
  for (const setting of [
    { name: 'closest, n = 24', layer: { rule: 'closest', size: 24, epsilon: 0.01 } },
    { name: 'fewest, n = 20', layer: { rule: 'fewest', size: 20, epsilon: 0.01 } },
  ]) {
    const { inPage, native } = await measureRates(setting.layer);
    rows.push(
      {
        name: `${setting.name}: a native thread`,
        value: native.processorRate,
        unit: 'blocks per processor second',
      },
      {
        name: `${setting.name}: a thread of the page`,
        value: inPage.processorRate,
        unit: 'blocks per processor second',
      },
      {
        name: '… of the native one, processor time',
        wanted: '≥ 85 %',
        value: (100 * inPage.processorRate) / native.processorRate,
        unit: '%',
      },
      { name: '… wall time', wanted: '≥ 85 %', value: (100 * inPage.rate) / native.rate, unit: '%' },
    );
  }
} finally {
  await browser.close();
  await coordinator.end();
}
const machine = {
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  node: process.version,
  browser: browser.version(),
  load: [loadBefore, loadavg()[0]],
};
if (values.json) console.log(JSON.stringify({ machine, rows }));
else {
  const load = machine.load.map((each) => each.toFixed(1)).join(' → ');
  console.log(
    `${machine.cores} × ${machine.cpu}, Node ${machine.node}, Chromium ${machine.browser}, load ${load}\n`,
  );
  console.log(
    markdownTable([
      ['what', 'wanted', 'measured'],
      ...rows.map(({ name, wanted = '', value, unit }) => [
        name,
        wanted,
        `${value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)} ${unit}`,
      ]),
    ]),
  );
}

/** Opens the page in a fresh profile, starts, waits for a tile, and stops it in the middle of another. */
async function measureTabs() {
  const [loads, stops, spents] = [[], [], []];
  for (let run = 0; run < runs; run++) {
    const others = workerThreads();
    const context = await browser.newContext();
    const page = await context.newPage();
    const start = Date.now();
    await page.goto(`${coordinator.url}/volunteer`);
    await page.getByRole('button', { name: 'Start' }).click();
    await page.waitForFunction(() => Number(document.querySelector('#tiles')?.textContent) > 0, undefined, {
      polling: 5,
    });
    loads.push(Date.now() - start);
    await page.locator('.status', { hasText: 'Working' }).waitFor();
    const cores = Number(await page.locator('#cores').inputValue());
    // One more keeps timers, and stays until the last results are acknowledged.
    const mine = workerThreads()
      .filter((thread) => !others.includes(thread))
      .sort((a, b) => processorMs(b) - processorMs(a))
      .slice(0, cores);
    if (mine.length < cores)
      throw new Error(`${mine.length} threads of the page are to be seen, not ${cores}`);
    const stoppedAt = await page.evaluate(() => {
      document.querySelector('button.stop').click();
      return Date.now();
    });
    const spentBefore = mine.map(processorMs);
    const spent = mine.map(() => 0);
    while (mine.some((thread) => processorMs(thread) > 0)) {
      mine.forEach((thread, k) => {
        spent[k] = Math.max(spent[k], processorMs(thread) - spentBefore[k]);
      });
      await new Promise(setImmediate);
    }
    stops.push(Date.now() - stoppedAt);
    spents.push(Math.max(...spent));
    console.error(`load ${loads.at(-1)} ms, stop ${stops.at(-1)} ms, of which at work ${spents.at(-1)} ms`);
    await context.close();
  }
  return { loads, stops, spents };
}

/** Paths of all threads that the pages' workers have, those for timers included. */
function workerThreads() {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && read(`/proc/${name}/cmdline`).includes('--type=renderer'))
    .flatMap((pid) => entries(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}`))
    .filter((task) => read(`${task}/comm`).startsWith('DedicatedWorker'));
}

/** Time that a thread has been on a processor; 0 when it is gone. */
function processorMs(thread) {
  return Number(read(`${thread}/schedstat`).split(' ')[0]) / 1e6;
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It ended meanwhile.
    return '';
  }
}

function entries(path) {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Solves tiles in turns here and there; returns blocks per second of each, of wall time and of processor time, over all tiles. */
async function measureRates(setting) {
  const layer = syntheticLayer(setting);
  const tiles = Array.from({ length: 2 * runs + 1 }, (_, index) => layer.tile(index));
  const pool = openPool({ threads: 1 });
  const context = await browser.newContext({ bypassCSP: true });
  const page = await context.newPage();
  await page.goto(`${coordinator.url}/volunteer`);
  const { problem } = layer;
  const before = workerThreads();
  await page.evaluate(startThread, { url: solverUrl(), problem: plain(problem) });
  const [thread] = workerThreads().filter((each) => !before.includes(each));
  const [inPage, native] = [
    { wallMs: 0, processorMs: 0 },
    { wallMs: 0, processorMs: 0 },
  ];
  for (const [index, tile] of tiles.entries()) {
    const spentThere = processorMs(thread);
    const there = await page.evaluate(solveInPage, plain(tile));
    const spentInPage = processorMs(thread) - spentThere;
    const start = performance.now();
    const spentHere = process.cpuUsage();
    await pool.solveBody(problem, tile, { form: 'coded' });
    // The first sets the layer up.
    if (index === 0) continue;
    const { user, system } = process.cpuUsage(spentHere);
    native.wallMs += performance.now() - start;
    native.processorMs += (user + system) / 1000;
    inPage.wallMs += there;
    inPage.processorMs += spentInPage;
  }
  await context.close();
  await pool.close();
  const blocks = layer.blocksPerTile * (tiles.length - 1);
  const ratesOf = (spent) => ({
    rate: (1000 * blocks) / spent.wallMs,
    processorRate: (1000 * blocks) / spent.processorMs,
  });
  return { inPage: ratesOf(inPage), native: ratesOf(native) };
}

function solverUrl() {
  const folder = new URL('../../dist/pages/volunteer/assets/', import.meta.url);
  const name = readdirSync(folder).find((file) => file.startsWith('solver-thread-'));
  return `/volunteer/assets/${name}`;
}

/** What page.evaluate carries over: numbers, and arrays of numbers with their kind. */
function plain(value) {
  if (typeof value === 'bigint') return { bigint: String(value) };
  if (ArrayBuffer.isView(value)) return { kind: value.constructor.name, values: [...value] };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]));
}

/** In the page: starts one of its threads and hands it a layer with the first tile. */
function startThread({ url, problem }) {
  const whole = (value) => {
    if (Array.isArray(value)) return value.map(whole);
    if (typeof value !== 'object' || value === null) return value;
    if ('bigint' in value) return BigInt(value.bigint);
    if ('kind' in value) return new globalThis[value.kind](value.values);
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, whole(each)]));
  };
  const worker = new Worker(url, { type: 'module' });
  let layer = whole(problem);
  let id = 0;
  globalThis.solveTile = (tile) =>
    new Promise((resolve, reject) => {
      const order = { kind: 'solve', id: id++, problem: layer, tile: whole(tile) };
      layer = null;
      const start = performance.now();
      worker.onmessage = ({ data }) =>
        data.kind === 'solved' ? resolve(performance.now() - start) : reject(new Error(JSON.stringify(data)));
      worker.postMessage(order);
    });
  return new Promise((resolve) => {
    worker.onmessage = ({ data }) => resolve(data.kind);
  });
}

function solveInPage(tile) {
  return globalThis.solveTile(tile);
}
