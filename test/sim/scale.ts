/**
 * Command: thousands of virtual workers against real ledgers and real sessions, in virtual time; prints what a gateway would carry.
 *
 *   npm run sim:scale -- --workers 10000 --gateways 1 --blocks hard [--block-ms 0.0125] [--tile-seconds 0.5]
 *                        [--threads 4] [--seconds 30] [--jobs 4] [--no-herd]
 *
 * Real: the ledger, the session, the codec and its bytes. Modelled: compute time of a tile, the sizes of leases and bodies, and a
 * gateway's time per message and per byte (in scale-gateway.ts and scale-swarm.ts, measured on this project's own benchmarks with one
 * core of 2.45 GHz).
 * First everybody connects and works; then gateway 0 is killed and comes back ten seconds later: who is back at work when?
 */
import { parseArgs } from 'node:util';
import { blockKinds, type Setting, Swarm, tileOf } from './scale-swarm.ts';

function readSetting(): Setting & { readonly isHerdless: boolean } {
  const { values } = parseArgs({
    options: {
      workers: { type: 'string', default: '1000' },
      gateways: { type: 'string', default: '1' },
      threads: { type: 'string', default: '4' },
      seconds: { type: 'string', default: '30' },
      jobs: { type: 'string', default: '4' },
      blocks: { type: 'string', default: 'hard' },
      'block-ms': { type: 'string' },
      'no-herd': { type: 'boolean', default: false },
      'tile-seconds': { type: 'string', default: '0.5' },
    },
  });
  const { blocks, 'block-ms': blockMs, 'tile-seconds': tileSeconds } = values;
  if (!(blocks in blockKinds))
    throw new Error(
      `Cannot simulate blocks that are ${blocks}, expected one of ${Object.keys(blockKinds).join(', ')}`,
    );
  const kind = blocks as keyof typeof blockKinds;
  return {
    workers: Number(values.workers),
    gateways: Number(values.gateways),
    threads: Number(values.threads),
    seconds: Number(values.seconds),
    jobs: Number(values.jobs),
    isHerdless: values['no-herd'],
    tile: tileOf(kind, Number(tileSeconds), blockMs === undefined ? undefined : Number(blockMs)),
  };
}

function main(): void {
  const setting = readSetting();
  const { workers, gateways, threads, seconds, tile } = setting;
  const swarm = new Swarm(setting);
  const started = performance.now();
  for (const gateway of swarm.gateways) gateway.boot();
  for (const member of swarm.members)
    swarm.clockwork.after(swarm.random.between(0, 10_000), () => member.start());
  // All have come, and have solved their first tiles.
  const warmMs = 20_000 + 2 * tile.solveMs;
  swarm.runUntil(warmMs);
  swarm.take();
  swarm.takeEngine();
  swarm.runUntil(warmMs + seconds * 1000);
  const steady = swarm.take();
  const engine = swarm.takeEngine();
  const wanted = (workers * threads * 1000) / tile.solveMs;
  const perSecond = (value: number): number => value / seconds;
  console.log(
    `${workers} workers × ${threads} threads, ${gateways} gateways, ${setting.jobs} jobs, tiles of ${(tile.solveMs / 1000).toFixed(2)} s and ${(tile.upBytes / 1000).toFixed(1)} kB`,
  );
  console.log(
    `  results      ${perSecond(steady.results).toFixed(0)} /s of ${wanted.toFixed(0)} that the threads could (${((100 * perSecond(steady.results)) / wanted).toFixed(0)} %), ${steady.doubled} doubled`,
  );
  console.log(
    `  per gateway  loop ${((100 * steady.loopMs) / (gateways * seconds * 1000)).toFixed(0)} % busy, waits up to ${steady.waitMsMax.toFixed(0)} ms; ${perSecond(steady.messages / gateways).toFixed(0)} messages/s, ${perSecond(steady.bytesUp / gateways / 1e6).toFixed(1)} MB/s in, ${perSecond(steady.bytesDown / gateways / 1e6).toFixed(1)} MB/s out`,
  );
  if (swarm.engine !== null)
    console.log(
      `  engine       ${((100 * engine.busyMs) / (seconds * 1000)).toFixed(0)} % busy, commits wait up to ${engine.waitMsMax.toFixed(0)} ms`,
    );
  console.log(
    `  checking     ${((perSecond(steady.results) * tile.checkMs) / 1000 / gateways).toFixed(1)} cores a gateway; ledger and encoding as measured here ${((100 * steady.ledgerMs) / (gateways * seconds * 1000)).toFixed(0)} % of a core a gateway`,
  );
  if (!setting.isHerdless) herd(swarm);
  console.log(
    `  (${swarm.clockwork.eventCount} events in ${((performance.now() - started) / 1000).toFixed(0)} s)`,
  );
}

/** Kills gateway 0 for ten seconds. */
function herd(swarm: Swarm): void {
  const [gateway] = swarm.gateways;
  if (gateway === undefined) return;
  const struck = [...gateway.members.values()];
  const killedAt = swarm.clockwork.now;
  gateway.crash();
  swarm.runUntil(killedAt + 10_000);
  gateway.boot();
  swarm.runUntil(killedAt + 120_000);
  const tally = swarm.take();
  const times = struck.map(({ backAt }) => (backAt - killedAt) / 1000).sort((a, b) => a - b);
  const at = (share: number): string => {
    const time = times[Math.ceil(share * times.length) - 1] ?? Number.POSITIVE_INFINITY;
    return time < Number.POSITIVE_INFINITY ? `after ${time.toFixed(1)} s` : 'not within two minutes';
  };
  console.log(
    `  herd         gateway 0 is away for 10 s: of its ${struck.length} workers half are granted work again ${at(0.5)}, 95 % ${at(0.95)}, all ${at(1)}; at most ${tally.hellosPerSecondMax} hellos a second, loop waits up to ${tally.waitMsMax.toFixed(0)} ms`,
  );
}

main();
