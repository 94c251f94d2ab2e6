/**
 * Forged results of every kind from volunteers, none of which may be accepted: 100,000 at the ledger's shell with the real checks and
 * an engine in memory, where sockets would only slow them down, and 2,400 over real sockets. Forgers change their name when they
 * are quarantined: under one name the fourth would not be looked at.
 */
import { WebSocket } from 'ws';
import { memoryEngine } from '../../../dist/coordinator/engine/memory-engine.js';
import { openLedgerShell } from '../../../dist/coordinator/gateway/ledger-shell.js';
import { silentObserver } from '../../../dist/coordinator/gateway/metrics.js';
import { provingChecks } from '../../../dist/coordinator/gateway/proving-checks.js';
import { localTileChecks } from '../../../dist/coordinator/gateway/tile-check-pool.js';
import { decodeGatewayMessage, encodeMessage } from '../../../dist/src/core/protocol/codec.js';
import { kernelDigest, loadKernel } from '../../../dist/worker/kernel/kernel.js';
import { forgedLayer, forger, forgeryKinds, seededRandom } from './forgery.mjs';
import { pause, startProcess } from './processes.mjs';
import { syntheticLayer } from './synthetic-layer.mjs';

const job = 'bench';
const shellCount = Number(process.env.FORGERIES ?? 100_000);
const socketCount = 2400;
const tileCount = 64;
/** Three bad results put a worker in quarantine; the fourth is to be refused for that. */
const perName = 4;

/** Runs the group. */
export async function forgeries({ note }) {
  const kernel = await loadKernel();
  const layer = syntheticLayer(forgedLayer);
  const tiles = Array.from({ length: tileCount }, (_, index) => layer.tile(index));
  const forge = forger({ layer, kernel, job, random: seededRandom(7) });
  return [...(await atShell({ layer, tiles, forge, note })), ...(await overSockets({ tiles, forge, note }))];
}

/** Keeps count of what forgers are told. */
class Tally {
  accepted = 0;
  codes = new Map();
  notQuarantined = 0;

  see(kind, answer) {
    if (answer.kind === 'committed' && answer.outcome === 'new') this.accepted++;
    const code = answer.kind === 'refused' ? answer.code : answer.kind;
    const counts = this.codes.get(kind) ?? {};
    counts[code] = (counts[code] ?? 0) + 1;
    this.codes.set(kind, counts);
    return code;
  }

  text() {
    return [...this.codes].map(([kind, counts]) => `  ${kind}: ${JSON.stringify(counts)}`).join('\n');
  }
}

/** What is wrong with these is no lie about the work: a late worker may send them. They are refused and not held against it. */
const isBlamed = (kind) => kind !== 'of a job that is gone' && kind !== 'for another layer';

async function atShell({ layer, tiles, forge, note }) {
  const engine = memoryEngine();
  const kernel = await loadKernel();
  const prover = { concurrency: 1, solve: async (problem, tile) => kernel.solveTile(problem, tile) };
  const shell = openLedgerShell({
    engine,
    checks: provingChecks(localTileChecks(), prover),
    solver: { concurrency: 1, solve: () => Promise.reject(new Error('not here')) },
    leaseKey: () => new Uint8Array(32),
    checkOneIn: 16,
    form: 'coded',
    stateOf: (name) => (name === job ? 'running' : undefined),
    nowMs: () => performance.now(),
    log: () => undefined,
    observer: silentObserver,
  });
  shell.port.addJob(job, 0);
  for (const tile of tiles)
    shell.port.addTile(job, { problem: layer.problem, problemDigest: layer.digest, tile });
  const tally = new Tally();
  let sessions = 0;
  let session;
  let hear;
  const rename = (workerKind = 'volunteer') => {
    if (session !== undefined) shell.leave(session);
    session = `s${++sessions}`;
    shell.join({
      session,
      worker: `forger-${sessions}`,
      workerKind,
      threads: 1,
      holding: [],
      send: (message) => hear?.(message),
      disconnect: () => undefined,
    });
  };
  const submit = (message) =>
    new Promise((resolve) => {
      hear = (answer) => (answer.kind === 'refused' || answer.kind === 'committed') && resolve(answer);
      shell.receive(session, message);
    });
  const begin = performance.now();
  for (let count = 0; count < shellCount; count++) {
    const kind = forgeryKinds[Math.floor(count / perName) % forgeryKinds.length];
    if (count % perName === 0) rename();
    const tile = tiles[count % tileCount];
    const code = tally.see(kind, await submit(forge.forge(kind, tile, tiles[(count + 1) % tileCount])));
    if (count % perName === perName - 1 && isBlamed(kind) && code !== 'quarantine') tally.notQuarantined++;
  }
  const seconds = (performance.now() - begin) / 1000;
  const stored = (await engine.committedTiles(job)).size;
  // The honest results of the same tiles are still welcome.
  let honest = 0;
  rename('trusted');
  for (const tile of tiles) {
    const answer = await submit(forge.honest(tile));
    if (answer.outcome === 'new') honest++;
  }
  await engine.close();
  note(`at the ledger's shell, ${seconds.toFixed(1)} s:\n${tally.text()}`);
  return [
    {
      name: `accepted of ${shellCount} forged results, at the shell`,
      value: tally.accepted + stored,
      goal: '0',
    },
    { name: '… forgers not in quarantine after three', value: tally.notQuarantined, goal: '0' },
    { name: '… refused', value: shellCount / seconds, unit: 'results/s' },
    { name: `… then honest results accepted of ${tileCount}`, value: honest, goal: `${tileCount}` },
  ];
}

async function overSockets({ tiles, forge, note }) {
  const coordinator = await startProcess('coordinator.mjs', {
    layer: forgedLayer,
    tileCount,
    needsToken: true,
    // Else it would at once solve the tiles itself that fail again and again, and forgeries of those are not looked at.
    helpsLate: true,
  });
  const { url } = coordinator.hello;
  const tally = new Tally();
  let worker;
  try {
    const names = Array.from({ length: socketCount / perName }, (_, index) => `forger-${index}`);
    const tokens = await coordinator.ask('tokens', { scope: 'volunteer', ids: names });
    const forgeFrom = async (index) => {
      const kind = forgeryKinds[index % forgeryKinds.length];
      const peer = await connectPeer(url, tokens[index], names[index]);
      let code;
      for (let k = 0; k < perName; k++) {
        const count = index * perName + k;
        const forged = forge.forge(kind, tiles[count % tileCount], tiles[(count + 1) % tileCount]);
        code = tally.see(kind, await peer.submit(forged));
      }
      if (isBlamed(kind) && code !== 'quarantine') tally.notQuarantined++;
      peer.close();
    };
    for (let from = 0; from < names.length; from += 8)
      await Promise.all(names.slice(from, from + 8).map((_, k) => forgeFrom(from + k)));
    const forged = await coordinator.ask('figures');
    await coordinator.ask('help');
    const [token] = await coordinator.ask('tokens', { scope: 'worker', ids: ['honest'] });
    worker = await startProcess('worker.mjs', { url, tokens: [token] });
    let { tiles: done } = await coordinator.ask('figures');
    for (let tries = 0; done < tileCount && tries < 150; tries++) {
      await pause(100);
      ({ tiles: done } = await coordinator.ask('figures'));
    }
    const { equal } = await coordinator.ask('audit');
    note(`over sockets:\n${tally.text()}`);
    return [
      {
        name: `accepted of ${socketCount} forged results, over sockets`,
        value: tally.accepted + forged.tiles,
        goal: '0',
      },
      { name: '… forgers not in quarantine after three', value: tally.notQuarantined, goal: '0' },
      {
        name: `… then tiles done by an honest worker and the coordinator, of ${tileCount}`,
        value: done,
        goal: `${tileCount}`,
      },
      { name: '… and stored with the right bytes', value: equal, goal: `${tileCount}` },
    ];
  } finally {
    await worker?.end();
    await coordinator.end();
  }
}

function connectPeer(url, token, workerId) {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws`, {
    perMessageDeflate: false,
    headers: { authorization: `Bearer ${token}` },
  });
  let hear = () => undefined;
  socket.on('message', (data) => hear(decodeGatewayMessage(data)));
  const next = (kinds) =>
    new Promise((resolve, reject) => {
      hear = (message) => kinds.includes(message.kind) && resolve(message);
      socket.once('close', (code, reason) => reject(new Error(`closed with ${code}: ${reason}`)));
      socket.once('error', reject);
    });
  socket.once('open', () =>
    socket.send(
      encodeMessage({
        kind: 'hello',
        protocolMin: 1,
        protocolMax: 1,
        build: kernelDigest,
        runtime: 'node',
        workerId,
        sessionId: workerId,
        threads: 1,
        blocksPerSecond: 0,
        token: '',
        holding: [],
      }),
    ),
  );
  return next(['welcome']).then(() => ({
    submit: (message) => {
      const answer = next(['refused', 'committed']);
      socket.send(encodeMessage(message));
      return answer;
    },
    close: () => socket.terminate(),
  }));
}
