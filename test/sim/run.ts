/**
 * Command: simulates many seeds on all cores, replays one, or plants bugs.
 *
 *   --seeds N --first-seed N   runs seeds, 5 % of them twice; prints violations
 *   --seed N [--bug NAME]      replays one seed and prints its last 200 lines
 *   --mutants [--seeds N]      plants every bug in turn and prints the first seed that finds it
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { bugs } from './bugs.ts';
import { type Outcome, simulate } from './world.ts';

interface Batch {
  readonly first: number;
  readonly count: number;
  readonly bug: string | null;
}

interface BatchReport {
  seeds: number;
  events: number;
  virtualMs: number;
  doubled: number;
  lies: number;
  deceptions: number;
  committed: number;
  quarantines: number;
  violations: string[];
  firstFound: number | null;
}

function emptyReport(): BatchReport {
  return {
    seeds: 0,
    events: 0,
    virtualMs: 0,
    doubled: 0,
    lies: 0,
    deceptions: 0,
    committed: 0,
    quarantines: 0,
    violations: [],
    firstFound: null,
  };
}

function runBatch({ first, count, bug: name }: Batch): BatchReport {
  const report = emptyReport();
  const bug = bugs.find((known) => known.name === name) ?? null;
  for (let seed = first; seed < first + count; seed++) {
    const outcome = simulate(seed, bug);
    add(report, outcome);
    if (outcome.violation !== null) {
      report.violations.push(`SEED=${seed} ${outcome.violation}`);
      report.firstFound ??= seed;
      if (bug !== null) return report;
    }
    if (bug !== null || seed % 20 !== 0) continue;
    report.doubled++;
    if (simulate(seed).traceHash !== outcome.traceHash)
      report.violations.push(`SEED=${seed} two runs of one seed differ`);
  }
  return report;
}

function add(report: BatchReport, { events, virtualMs, tally }: Outcome): void {
  report.seeds++;
  report.events += events;
  report.virtualMs += virtualMs;
  report.lies += tally.lies;
  report.deceptions += tally.deceptions;
  report.committed += tally.committed;
  report.quarantines += tally.quarantines;
}

/** Hands batches to threads, each the next when it is done with one. */
async function runBatches(
  batches: readonly Batch[],
  onReport: (report: BatchReport, batch: Batch) => void,
): Promise<void> {
  const queue = [...batches];
  const threads = Math.min(availableParallelism(), batches.length);
  await Promise.all(
    Array.from({ length: threads }, async () => {
      const thread = new Worker(new URL(import.meta.url), { workerData: 'simulate' });
      for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) {
        const given = batch;
        const report = await new Promise<BatchReport>((resolve, reject) => {
          thread.once('message', resolve);
          thread.once('error', reject);
          thread.postMessage(given);
        });
        thread.removeAllListeners('error');
        onReport(report, given);
      }
      await thread.terminate();
    }),
  );
}

async function runSeeds(first: number, count: number): Promise<boolean> {
  const total = emptyReport();
  const size = 50;
  const batches = Array.from({ length: Math.ceil(count / size) }, (_, index) => ({
    first: first + index * size,
    count: Math.min(size, count - index * size),
    bug: null,
  }));
  const started = performance.now();
  await runBatches(batches, (report) => {
    for (const key of [
      'seeds',
      'events',
      'virtualMs',
      'doubled',
      'lies',
      'deceptions',
      'committed',
      'quarantines',
    ] as const)
      total[key] += report[key];
    total.violations.push(...report.violations);
    for (const line of report.violations) console.log(line);
  });
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `${total.seeds} schedules from seed ${first}: ${total.violations.length} violations, ${seconds.toFixed(1)} s, ` +
      `${(total.seeds / seconds).toFixed(0)} schedules/s, ${(total.events / total.seeds).toFixed(0)} events each, ` +
      `${(total.virtualMs / 1000 / seconds).toFixed(0)} times real time, ${total.doubled} run twice with equal traces`,
  );
  console.log(
    `${total.committed} tiles committed, ${total.lies} wrong results sent, ${total.deceptions} of them false claims of misses that ` +
      `were not disproved on arrival; none believed unless a violation says so`,
  );
  return total.violations.length === 0;
}

async function runMutants(seeds: number): Promise<boolean> {
  const batches = bugs.map(({ name }) => ({ first: 1, count: seeds, bug: name }));
  const found: number[] = [];
  await runBatches(batches, (report, { bug }) => {
    if (report.firstFound !== null) found.push(report.firstFound);
    const verdict = report.firstFound === null ? `NOT FOUND in ${seeds} seeds` : `seed ${report.firstFound}`;
    console.log(
      `${(bug ?? '').padEnd(28)} ${verdict.padEnd(12)} ${report.violations[0]?.replace(/^SEED=\d+ /, '') ?? ''}`,
    );
  });
  found.sort((a, b) => a - b);
  console.log(
    `${found.length} of ${bugs.length} planted bugs found, median seed ${found[found.length >> 1]}, last ${found.at(-1)}`,
  );
  return found.length === bugs.length;
}

function replay(seed: number, bugName: string | undefined, lineCount: number): boolean {
  const bug = bugs.find(({ name }) => name === bugName) ?? null;
  const outcome = simulate(seed, bug, true);
  for (const line of outcome.lines.slice(-lineCount)) console.log(line);
  console.log(
    `SEED=${seed} ${outcome.violation ?? 'no violation'}, trace ${outcome.traceHash.toString(16)}, ${outcome.events} events`,
  );
  return outcome.violation === null;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1000' },
      'first-seed': { type: 'string', default: '1' },
      seed: { type: 'string' },
      bug: { type: 'string' },
      lines: { type: 'string', default: '200' },
      mutants: { type: 'boolean', default: false },
    },
  });
  let isWell: boolean;
  if (values.seed !== undefined) isWell = replay(Number(values.seed), values.bug, Number(values.lines));
  else if (values.mutants) isWell = await runMutants(Number(values.seeds));
  else isWell = await runSeeds(Number(values['first-seed']), Number(values.seeds));
  process.exitCode = isWell ? 0 : 1;
}

if (isMainThread) await main();
else if (workerData === 'simulate')
  parentPort?.on('message', (batch: Batch) => parentPort?.postMessage(runBatch(batch)));
