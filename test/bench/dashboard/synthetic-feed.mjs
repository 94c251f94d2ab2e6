/**
 * A feed of a large search that nobody computes: the coordinator's own boards, states and feed, told of 100,000 tiles and 1,000
 * workers that finish 2,000 tiles a second; and a server for it and the built page.
 */
import { createServer } from 'node:http';
import { performance } from 'node:perf_hooks';
import { JobBoards } from '../../../dist/coordinator/gateway/live/job-boards.js';
import { LiveFeed } from '../../../dist/coordinator/gateway/live/live-feed.js';
import { liveJob, liveOverview } from '../../../dist/coordinator/gateway/live/live-state.js';
import { openPages } from '../../../dist/coordinator/gateway/pages.js';

const layerTiles = [20_000, 60_000, 20_000];
const workerCount = 1000;
const inHandCount = 2000;
const tilesPerSecond = 2000;
const job = 'synthetic';
const nowMs = () => performance.now();

/** Returns the URL of a server, what it has sent to viewers, and what ends it. */
export async function openSyntheticFeed({ done = 0.45 } = {}) {
  const search = syntheticSearch(done);
  const figures = { sentBytes: 0, stepMs: [] };
  const timed = (read) => {
    const start = nowMs();
    const value = read();
    figures.stepMs.push(nowMs() - start);
    return value;
  };
  const feed = new LiveFeed(
    {
      overview: () => timed(() => liveOverview(search.sources)),
      job: (id) => timed(() => liveJob(search.sources, id)),
    },
    nowMs,
  );
  const pages = openPages({ hasVolunteers: false, gateways: [], isEncrypted: false });
  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://local');
    const page = pages.answer(url.pathname, request);
    if (page !== undefined) {
      response.writeHead(page.status, page.headers).end(page.body);
      return;
    }
    if (url.pathname !== '/api/live') {
      response.writeHead(404).end('{}');
      return;
    }
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    const write = response.write.bind(response);
    response.write = (text) => {
      figures.sentBytes += Buffer.byteLength(text);
      return write(text);
    };
    const session = { scope: 'admin', maySubmit: true, mayFetch: true };
    feed.open({ response, session, job: url.searchParams.get('job'), isAllowed: () => true });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const timers = [setInterval(search.pass, 100), setInterval(() => feed.step(), 1000)];
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    figures,
    close: () => {
      timers.forEach(clearInterval);
      feed.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

function syntheticSearch(done) {
  const retried = new Set();
  const boards = new JobBoards({
    nowMs,
    statusOf: (_, tile) => ({ tile, state: 'done', isRetried: retried.has(tile) }),
  });
  const observer = boards.observer(job);
  const problem = { groupChannels: new Int32Array(784), taps: 1, tolerance: 0 };
  const masks = new Uint8Array(4096).fill(17);
  const total = layerTiles.reduce((sum, count) => sum + count, 0);
  const layers = layerTiles.map(() => ({ tilesDone: 0, tilesKnown: 0, copies: 0, misses: 0, isDone: false }));
  let [layer, next, finished] = [-1, 0, 0];
  let isFilling = true;
  const inHand = new Map();
  const enter = () => {
    if (layer >= 0) layers[layer].isDone = true;
    layer++;
    next = 0;
    if (layer === layerTiles.length) return;
    observer.begun(layer);
    const tileIds = Array.from({ length: layerTiles[layer] }, (_, k) => `${layer}/${k}`);
    observer.cut(layer, tileIds);
    layers[layer].tilesKnown = tileIds.length;
  };
  const finish = (tile) => {
    inHand.delete(tile);
    layers[layer].tilesDone++;
    layers[layer].copies += 40;
    finished++;
    const misses = new Int32Array(chance() < 0.1 ? 2 : 0);
    const result = { copyRows: new Int32Array(40), copyCounts: new Int32Array(1), masks, misses };
    observer.done(layer, { problem, tile: { id: tile }, result, blocks: 31_400, isResumed: isFilling });
    if (finished % 20 === 0) boards.find(job).layers[layer].addResiduals(Array.from({ length: 64 }, chance));
  };
  const take = (count) => {
    for (let k = 0; k < count && layer < layerTiles.length; k++) {
      while (inHand.size < inHandCount && next < layerTiles[layer]) {
        const tile = `${layer}/${next++}`;
        if (chance() < 0.004) retried.add(tile);
        inHand.set(tile, { tile, state: 'leased', isRetried: retried.has(tile) });
      }
      // Workers differ in speed, so tiles do not end in the order in which they were granted.
      const names = inHand.keys();
      let tile = names.next().value;
      for (let skip = Math.floor(chance() * 60); skip > 0; skip--) tile = names.next().value ?? tile;
      finish(tile);
      if (inHand.size === 0 && next >= layerTiles[layer]) enter();
    }
  };
  enter();
  take(Math.floor(done * total));
  isFilling = false;
  let last = nowMs();
  const pass = () => {
    const now = nowMs();
    take(Math.round(((now - last) * tilesPerSecond) / 1000));
    last = now;
    boards.pass(job);
  };
  const status = () => ({
    job,
    name: 'wide-mlp-4096',
    state: layer < layerTiles.length ? 'running' : 'done',
    phase: layer < layerTiles.length ? 'solving' : null,
    reason: '',
    priority: 0,
    sequence: 1,
    progress: {
      layers: layers.map((each, index) => ({
        ...each,
        name: `dense${index + 1}`,
        copiesWanted: layerTiles[index] * 40,
        pass: 0,
      })),
      share: finished / total,
      blocksPerSecond: tilesPerSecond * 31_400,
      secondsLeft: (total - finished) / tilesPerSecond,
    },
    result: null,
    request: {
      networkBlob: '',
      targetSha256: 'a'.repeat(64),
      options: {
        mode: 'tolerance',
        epsilon: 0.01,
        rule: 'fewest',
        seed: '1',
        copies: 'auto',
        inputRange: [0, 1],
      },
    },
  });
  return { pass, sources: sourcesOf({ boards, inHand, status }) };
}

function sourcesOf({ boards, inHand, status }) {
  const workers = Array.from({ length: workerCount }, (_, k) => ({
    session: `s${k}`,
    worker: `node-${k}`,
    kind: k % 3 === 0 ? 'volunteer' : 'trusted',
    runtime: k % 3 === 0 ? 'browser' : 'node',
    threads: 1 + (k % 16),
    address: `10.0.${k >> 8}.${k & 255}`,
  }));
  return {
    jobs: {
      latest: () => [status()],
      counts: () => ({ running: 1, done: 0, failed: 0, incomplete: 0, cancelled: 0 }),
      status: (id) => (id === job ? status() : undefined),
    },
    ledger: () => ({
      jobs: [],
      sessions: workers.map(({ session }, k) => ({
        session,
        leases: 2,
        tilesDone: Math.floor(nowMs() / 500) + k,
        blocksPerSecond: 40_000 + 40 * k + 5000 * chance(),
        quota: 64,
        good: 100 + k,
        isQuarantined: k === 77,
        silentMs: 10_000 * chance(),
      })),
      openTiles: 48,
      pendingResults: 31,
      heldResults: 2,
      localSolves: 0,
      isPaused: false,
      stalledMs: 0,
    }),
    workers: () => workers,
    tilesInHand: () => [...inHand.values()],
    boardOf: (id) => boards.find(id),
    troubles: () => ({
      1: {
        atMs: 0,
        event: 'result-refused',
        text: 'node-77: neuron 12, row 480: channel 3, tap 0: residual 912, tolerance 160',
      },
    }),
    counts: () => ({ stored: 48_211, refused: 3 }),
    reportOf: () => null,
    nowMs,
  };
}

let state = 1;
/** xorshift32: the same search every time. */
function chance() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32;
}
