/** What idle workers cost a coordinator: sessions that have said hello, asked for work that is not there, and beat. */
import { pause, startProcess } from './processes.mjs';

const sessionCount = 1000;
const watchedSeconds = 25;

/** Runs the group. */
export async function idle({ note }) {
  const coordinator = await startProcess('coordinator.mjs', {}, { execArgv: ['--expose-gc'] });
  const { url } = coordinator.hello;
  let peers;
  try {
    // The first connections load code and fill caches that all later ones share.
    const first = await startProcess('peers.mjs', { url });
    await first.ask('join', { count: 10 });
    await pause(1000);
    await first.end();
    await coordinator.ask('collect');
    const before = await coordinator.ask('figures');
    peers = await startProcess('peers.mjs', { url });
    const joinedFrom = performance.now();
    await peers.ask('join', { count: sessionCount });
    const joinMs = performance.now() - joinedFrom;
    await pause(1000);
    const joined = await coordinator.ask('figures');
    await pause(watchedSeconds * 1000);
    const after = await coordinator.ask('figures');
    await coordinator.ask('collect');
    const collected = await coordinator.ask('figures');
    note(`${after.sessions} sessions, RSS ${before.rss} → ${joined.rss} → ${after.rss} → ${collected.rss}`);
    if (after.sessions !== sessionCount)
      throw new Error(`${after.sessions} sessions, expected ${sessionCount}`);
    const largest = Math.max(joined.rss, after.rss, collected.rss);
    const busyMs = (after.cpu.user + after.cpu.system - joined.cpu.user - joined.cpu.system) / 1000;
    return [
      {
        name: `growth with ${sessionCount} idle workers`,
        value: (largest - before.rss) / 1e6,
        unit: 'MB RSS',
        goal: '< 200',
      },
      { name: '… a worker', value: (largest - before.rss) / sessionCount / 1e3, unit: 'kB RSS' },
      {
        name: '… heap a worker, garbage collected',
        value: (collected.heap - before.heap) / sessionCount / 1e3,
        unit: 'kB',
      },
      {
        name: '… coordinator, with their heartbeats',
        value: (100 * busyMs) / (after.nowMs - joined.nowMs),
        unit: '% of a core',
      },
      { name: `… until all ${sessionCount} were let in`, value: joinMs / 1000, unit: 's' },
    ];
  } finally {
    await peers?.end();
    await coordinator.end();
  }
}
