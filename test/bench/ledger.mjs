/**
 * Events per second of the ledger: 100,000 tiles, 1,000 sessions, every tile granted, checked, stored and acknowledged.
 * Run after `npm run build`: node test/bench/ledger.mjs [tiles] [sessions]
 */
import { apply, createLedger } from '../../dist/coordinator/ledger.js';

const tileCount = Number(process.argv[2] ?? 100_000);
const sessionCount = Number(process.argv[3] ?? 1000);

process.stdout.write(
  '| workers | tiles | sessions | events | events/s | µs/event | slowest tick, ms | heap, MB |\n',
);
process.stdout.write('|---|---|---|---|---|---|---|---|\n');
for (const kind of ['trusted', 'volunteer']) run(kind);

function run(workerKind) {
  const ledger = createLedger();
  const queue = [];
  const started = performance.now();
  let events = 0;
  let done = 0;
  let now = 0;
  let slowestTickMs = 0;
  let results = 0;
  const happen = (event) => {
    events++;
    const effects = apply(ledger, now, event);
    for (const effect of effects) queue.push(effect);
  };
  happen({ kind: 'job-added', job: 'j', priority: 0 });
  const tiles = Array.from({ length: tileCount }, (_, index) => ({
    tile: `${index}`.padStart(64, '0'),
    blocks: 1000,
  }));
  happen({ kind: 'tiles-added', job: 'j', tiles });
  for (let index = 0; index < sessionCount; index++) {
    const session = `s${index}`;
    happen({ kind: 'worker-joined', session, worker: `w${index}`, workerKind, threads: 4 });
    happen({ kind: 'wanted', session, slots: 64 });
  }
  let head = 0;
  while (done < tileCount) {
    if (head === queue.length) {
      now += 500;
      const before = performance.now();
      happen({ kind: 'tick' });
      slowestTickMs = Math.max(slowestTickMs, performance.now() - before);
      for (let index = 0; index < sessionCount; index++) happen({ kind: 'beat', session: `s${index}` });
      continue;
    }
    const effect = queue[head++];
    now += 0.01;
    if (effect.kind === 'grant') {
      for (const { job, tile } of effect.leases)
        happen({
          kind: 'result',
          session: effect.session,
          job,
          tile,
          result: `${results++}`,
          claimsMisses: workerKind === 'volunteer',
        });
      happen({ kind: 'wanted', session: effect.session, slots: 64 });
    } else if (effect.kind === 'verify')
      // Misses have been proved by then.
      happen({ kind: 'verified', result: effect.result, digest: effect.tile, claimsMisses: false });
    else if (effect.kind === 'store') happen({ kind: 'stored', result: effect.result, outcome: 'new' });
    else if (effect.kind === 'solve-here')
      happen({
        kind: 'solved-here',
        job: effect.job,
        tile: effect.tile,
        result: `${results++}`,
        digest: effect.tile,
      });
    else if (effect.kind === 'tile-done') done++;
    if (head > 100_000) {
      queue.splice(0, head);
      head = 0;
    }
  }
  const seconds = (performance.now() - started) / 1000;
  const heap = process.memoryUsage().heapUsed / 1e6;
  process.stdout.write(
    `| ${workerKind} | ${tileCount} | ${sessionCount} | ${events} | ${Math.round(events / seconds)} | ${((seconds * 1e6) / events).toFixed(2)} | ${slowestTickMs.toFixed(1)} | ${heap.toFixed(0)} |\n`,
  );
}
