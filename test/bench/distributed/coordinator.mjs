/**
 * A coordinator as a process of its own whose job is one synthetic layer: sockets, sessions, ledger, checking threads, engine and
 * the job's own reading back are those of `tombola serve`; only the plan is not. Started by processes.mjs, which asks it for figures.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLocalEngine } from '../../../dist/coordinator/engine/local-engine.js';
import { bodyOf, storedValue } from '../../../dist/coordinator/engine/stored-result.js';
import { accessChecker, originChecker } from '../../../dist/coordinator/gateway/access.js';
import { GatewaySession } from '../../../dist/coordinator/gateway/gateway-session.js';
import { openLedgerShell } from '../../../dist/coordinator/gateway/ledger-shell.js';
import { openMetrics } from '../../../dist/coordinator/gateway/metrics.js';
import { Offences } from '../../../dist/coordinator/gateway/offences.js';
import { provingChecks } from '../../../dist/coordinator/gateway/proving-checks.js';
import { openSocketServer } from '../../../dist/coordinator/gateway/socket-server.js';
import { openTileCheckPool } from '../../../dist/coordinator/gateway/tile-check-pool.js';
import { jobSolver } from '../../../dist/coordinator/jobs/job-solver.js';
import { ledgerStatus } from '../../../dist/coordinator/ledger.js';
import { issueToken, newTokenKey } from '../../../dist/coordinator/tokens.js';
import { tilesInFlightMax } from '../../../dist/src/core/limits.js';
import { kernelDigest, loadKernel } from '../../../dist/worker/kernel/kernel.js';
import { openPool } from '../../../dist/worker/node/pool.js';
import { syntheticLayer } from './synthetic-layer.mjs';

const job = 'bench';
const options = JSON.parse(process.argv[2] ?? '{}');
const directory = mkdtempSync(join(tmpdir(), 'tombola-bench-'));
const engine = await openLocalEngine(directory);
const solver = openPool({ threads: 1 });
const checks = provingChecks(openTileCheckPool({ threads: 1 }), solver);
const metrics = openMetrics();
const figures = { tiles: 0, blocks: 0, firstMs: null, lastMs: 0, refused: {}, acknowledged: 0, closed: {} };
let solvedHere = 0;
/** With `helpsLate` the coordinator solves no tile itself before it is told to. */
let help = () => undefined;
const mayHelp = new Promise((resolve) => {
  help = resolve;
  if (!options.helpsLate) resolve();
});
const nowMs = () => performance.now();
const count = (into, key) => {
  into[key] = (into[key] ?? 0) + 1;
};
const observer = {
  ...metrics,
  refused: (code) => count(figures.refused, code),
  acknowledged: () => {
    figures.acknowledged++;
  },
};
const log = (event, fields) => {
  if (event === 'session-ended') count(figures.closed, `${fields.code} ${fields.reason}`.slice(0, 60));
};
const leaseKey = randomBytes(32);
const shell = openLedgerShell({
  engine,
  checks,
  solver: {
    concurrency: solver.concurrency,
    solve: async (problem, tile) => {
      await mayHelp;
      solvedHere++;
      return solver.solve(problem, tile);
    },
  },
  leaseKey: () => leaseKey,
  checkOneIn: options.checkOneIn ?? 16,
  form: 'coded',
  stateOf: () => 'running',
  nowMs,
  log,
  observer,
});
const ownKeys = { current: newTokenKey(), previous: null };
const keys = options.needsToken ? ownKeys : null;
const checkAccess = accessChecker(keys, ownKeys);
const server = createServer({ maxHeaderSize: 8192, connectionsCheckingInterval: 5000 });
const setting = {
  shell,
  build: kernelDigest,
  checkAccess,
  gateways: () => [],
  offences: new Offences(),
  log,
  nowMs,
};
const sockets = openSocketServer(server, {
  checkAccess,
  checkOrigin: originChecker({ allowedOrigins: [], isOpen: keys === null }),
  openSession: (transport, origin) => new GatewaySession(transport, origin, setting),
  onOutcome: () => undefined,
  offences: setting.offences,
  log,
});
const wires = new Set();
server.on('connection', (socket) => wires.add(socket));
const timer = setInterval(() => {
  shell.tick();
  for (const session of sockets.sessions) session.tick();
}, 250);
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const tokenFor = (scope, id) =>
  keys === null ? '' : issueToken(keys, { scope, id, ttlMs: 3_600_000 }, Date.now());
const stop = new AbortController();
if (options.layer !== undefined) runJob(syntheticLayer(options.layer));

/** Asks for tiles as construct.ts does: so many at a time, each read back when it is done. */
function runJob(layer) {
  const solver = jobSolver({
    job,
    store: engine,
    ledger: shell.port,
    signal: stop.signal,
    committed: new Set(),
  });
  // Cut beforehand, as a layer's tiles are before the first is asked for.
  const tiles = Array.from({ length: options.tileCount }, (_, index) => layer.tile(index));
  const next = async () => {
    for (let tile = tiles.shift(); tile !== undefined; tile = tiles.shift()) {
      await solver.solve(layer.problem, tile);
      figures.tiles++;
      figures.blocks += layer.blocksPerTile;
      figures.lastMs = nowMs();
    }
  };
  shell.port.addJob(job, 0);
  for (let k = 0; k < Math.min(tilesInFlightMax, options.tileCount); k++) next().catch(() => undefined);
}

function wireBytes() {
  let bytes = 0;
  for (const { bytesRead, bytesWritten } of wires) bytes += bytesRead + bytesWritten;
  return bytes;
}

const answers = {
  figures: () => ({
    ...figures,
    solvedHere,
    nowMs: nowMs(),
    cpu: process.cpuUsage(),
    rss: process.memoryUsage.rss(),
    heap: process.memoryUsage().heapUsed,
    wireBytes: wireBytes(),
    sessions: sockets.sessions.size,
    ledger: ledgerStatus(shell.ledger, performance.now()),
  }),
  tokens: ({ scope, ids }) => ids.map((id) => tokenFor(scope, id)),
  /** Solves every tile again and compares it with what is stored. */
  audit: async () => {
    const layer = syntheticLayer(options.layer);
    const kernel = await loadKernel();
    let equal = 0;
    for (let index = 0; index < options.tileCount; index++) {
      const tile = layer.tile(index);
      const stored = await engine.readResult(job, tile.id);
      const result = kernel.solveTile(layer.problem, tile);
      const expected = storedValue(bodyOf(layer.problem, tile, { result, form: 'coded' }), 'coded');
      if (stored !== undefined && Buffer.compare(stored, expected) === 0) equal++;
    }
    return { equal };
  },
  help: () => {
    help();
    return {};
  },
  collect: () => {
    globalThis.gc?.();
    return {};
  },
  end: async () => {
    stop.abort(new Error('over'));
    clearInterval(timer);
    server.close();
    await sockets.close(1012, 'over', 500);
    server.closeAllConnections();
    await checks.close();
    await solver.close();
    await engine.close();
    metrics.close();
    rmSync(directory, { recursive: true, force: true });
    setImmediate(() => process.disconnect());
    return {};
  },
};

process.on('message', async ({ id, ask, ...rest }) => process.send({ id, answer: await answers[ask](rest) }));
process.on('disconnect', () => setTimeout(() => process.exit(0), 2000).unref());
process.send({ id: 0, answer: { url: `http://127.0.0.1:${server.address().port}` } });
