/**
 * Honest workers beside 200 abusive connections. The honest ones are as machines of their own: a tile takes each of them 50 ms, little
 * of which is processor time of this machine, so what slows them down is the coordinator, not the attackers' share of two cores.
 */
import { median } from '../measure.mjs';
import { pause, startProcess } from './processes.mjs';

const honestCount = 4;
const paceMs = 50;
const abusiveCount = 200;
const layer = { rule: 'fewest', size: 20, epsilon: 0.01, tileBlocks: 3200 };

/** Runs the group. */
export async function flood({ seconds, note }) {
  const tileCount = Math.ceil((honestCount * 1000 * (7 * seconds + 30)) / paceMs);
  const coordinator = await startProcess('coordinator.mjs', { layer, tileCount, needsToken: true });
  const { url } = coordinator.hello;
  const others = [];
  try {
    const ids = Array.from({ length: honestCount }, (_, k) => `honest-${k}`);
    const tokens = await coordinator.ask('tokens', { scope: 'worker', ids });
    others.push(await startProcess('worker.mjs', { url, count: honestCount, tokens, paceMs }));
    while ((await coordinator.ask('figures')).tiles < 20) await pause(100);
    const calm = [];
    const flooded = [];
    let rssMost = 0;
    let last;
    const rssCalm = [];
    let counts = { frames: 0, connections: 0 };
    for (let round = 0; round < 3; round++) {
      calm.push(await rateOf(coordinator, seconds));
      rssCalm.push((await coordinator.ask('figures')).rss);
      const attackers = await startProcess('peers.mjs', { url });
      others.push(attackers);
      const volunteers = Array.from({ length: abusiveCount }, (_, k) => `abuser-${round}-${k}`);
      const stolen = await coordinator.ask('tokens', { scope: 'volunteer', ids: volunteers });
      await attackers.ask('abuse', { tokens: stolen });
      await pause(1000);
      const watch = watchRss(coordinator);
      flooded.push(await rateOf(coordinator, seconds));
      rssMost = Math.max(rssMost, await watch.most());
      const seen = await attackers.ask('figures');
      counts = { frames: counts.frames + seen.frames, connections: counts.connections + seen.connections };
      note(
        `flood: calm ${calm.at(-1).rate.toFixed(1)}, flooded ${flooded.at(-1).rate.toFixed(1)} tiles/s; closed ${JSON.stringify(seen.closed)}`,
      );
      await others.pop().end();
      last = await coordinator.ask('figures');
    }
    note(`ended by the coordinator: ${JSON.stringify(last.closed)}`);
    const [before, during] = [calm, flooded].map((each) => median(each.map(({ rate }) => rate)));
    return [
      { name: `${honestCount} honest workers, calm`, value: before, unit: 'tiles/s' },
      { name: `… beside ${abusiveCount} abusive connections`, value: during, unit: 'tiles/s' },
      { name: '… of the calm rate', value: (100 * during) / before, unit: '%', goal: '≥ 80' },
      {
        name: '… coordinator, calm',
        value: 100 * median(calm.map(({ share }) => share)),
        unit: '% of a core',
      },
      {
        name: '… coordinator, flooded',
        value: 100 * median(flooded.map(({ share }) => share)),
        unit: '% of a core',
      },
      { name: '… growth of its memory', value: (rssMost - rssCalm[0]) / 1e6, unit: 'MB RSS', goal: '≤ 128' },
      { name: '… connections made by attackers', value: counts.connections },
      { name: '… frames sent by attackers', value: counts.frames },
    ];
  } finally {
    await Promise.all(others.map((each) => each.end()));
    await coordinator.end();
  }
}

async function rateOf(coordinator, seconds) {
  const first = await coordinator.ask('figures');
  await pause(seconds * 1000);
  const last = await coordinator.ask('figures');
  const elapsedMs = last.nowMs - first.nowMs;
  const busyMs = (last.cpu.user + last.cpu.system - first.cpu.user - first.cpu.system) / 1000;
  return { rate: ((last.tiles - first.tiles) * 1000) / elapsedMs, share: busyMs / elapsedMs };
}

/** Asks for the memory again and again. */
function watchRss(coordinator) {
  let most = 0;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      most = Math.max(most, (await coordinator.ask('figures')).rss);
      await pause(250);
    }
  })();
  return {
    most: async () => {
      isOver = true;
      await watching;
      return most;
    },
  };
}
