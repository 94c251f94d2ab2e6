/**
 * Searches, verifies and evaluates every shared target through the command line, and prints the README's results table.
 *
 *     node test/bench/targets.mjs [--json] [--threads N] [--only NAME]
 *
 * Targets and images come from ../shared beside the repository; a checkout without it has nothing to measure and says so.
 * Each search is a process of its own, so its peak memory is that of a whole run. Images 8000–9999 were not trained on.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isMain, markdownTable } from './report.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const shared = join(root, '..', 'shared');

if (isMain(import.meta.url)) {
  const { values: options } = parseArgs({
    options: { json: { type: 'boolean' }, threads: { type: 'string' }, only: { type: 'string' } },
  });
  const searches = targetSearches();
  if (searches.length === 0) {
    console.error(
      'Cannot measure the shared targets: ../shared/targets is not there; `npm start` searches the bundled example',
    );
    process.exit(1);
  }
  const rows = [];
  for (const { target, mode } of searches) {
    if (options.only && !target.file.includes(options.only)) continue;
    rows.push(measure(target, mode, options.threads));
    console.error(`${rows.at(-1).target}, ${mode}: ${rows.at(-1).wholeSeconds.toFixed(1)} s`);
  }
  console.log(options.json ? JSON.stringify(rows, null, 2) : markdown(rows));
}

/** Returns every shared target with the modes that suit it; none where there are no shared targets. */
export function targetSearches() {
  const list = join(shared, 'targets', 'targets.json');
  if (!existsSync(list)) return [];
  return JSON.parse(readFileSync(list, 'utf8')).flatMap((target) =>
    (target.file.includes('relu') ? ['tolerance', 'exact'] : ['tolerance']).map((mode) => ({ target, mode })),
  );
}

/** Searches one target in a process of its own; returns the run's summary and how long the whole process took. */
export function measure(target, mode, threads) {
  const out = mkdtempSync(join(tmpdir(), 'tombola-bench-'));
  const normalised = /\(pixel\/255-([\d.]+)\)\/([\d.]+)/.exec(target.input);
  const started = performance.now();
  const run = spawnSync(
    process.execPath,
    [
      join(root, 'src', 'cli', 'tombola.mjs'),
      'search',
      join(shared, target.file),
      ...['--out', join(out, 'run'), '--json', '--scale', '255'],
      ...['--images', join(shared, 'mnist', 't10k-images-idx3-ubyte.gz')],
      ...['--labels', join(shared, 'mnist', 't10k-labels-idx1-ubyte.gz')],
      ...['--skip', '8000', '--limit', '2000'],
      ...(normalised ? ['--mean', normalised[1], '--std', normalised[2]] : []),
      ...(mode === 'exact' ? ['--exact'] : ['--epsilon', '0.01']),
      ...(threads ? ['--threads', threads] : []),
    ],
    { encoding: 'utf8', maxBuffer: 2 ** 26 },
  );
  rmSync(out, { recursive: true, force: true });
  if (run.status !== 0) throw new Error(`${target.file}, ${mode}: ${run.stderr.trim().split('\n').at(-1)}`);
  const wholeSeconds = (performance.now() - started) / 1000;
  return { target: basename(target.file, '.onnx'), wholeSeconds, ...JSON.parse(run.stdout) };
}

function markdown(rows) {
  const head = [
    'target',
    'mode',
    'depth',
    'source weights',
    'kept edges',
    'agreement',
    'accuracy target / ticket',
  ];
  head.push('largest error', 'plan + solve + verify', 'ticket');
  const lines = rows.map((row) => [
    row.target,
    row.mode === 'exact' ? 'exact, 8 bits' : 'ε = 0.01',
    `${row.targetDepth} → ${row.sourceDepth}`,
    `${(row.sourceWeights / 1e6).toFixed(0)} M`,
    `${(row.keptEdges / 1e6).toFixed(2)} M`,
    `${(100 * row.agreement).toFixed(2)} %`,
    `${(100 * row.accuracy.target).toFixed(2)} / ${(100 * row.accuracy.ticket).toFixed(2)} %`,
    `${((100 * row.maxAbsError) / row.outputScale).toFixed(2)} %`,
    `${row.seconds.plan.toFixed(1)} + ${row.seconds.solve.toFixed(1)} + ${row.seconds.verify.toFixed(1)} s`,
    `${(row.ticketBytes / 1e6).toFixed(1)} MB`,
  ]);
  return markdownTable([head, ...lines]);
}
