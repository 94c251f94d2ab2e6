/**
 * A wide layer: a network of `width` → `width` → 10 with ReLU and seeded weights is planned, solved and verified on all threads.
 * Prints seconds and peak memory as JSON. A process of its own, so that its peak memory is that of the run:
 *
 *     node test/bench/wide.mjs [width] [threads] [log]
 */
import { availableParallelism } from 'node:os';
import { construct } from '../../dist/coordinator/construct.js';
import { openVerifyPool } from '../../dist/coordinator/verify-pool.js';
import { makePlan } from '../../dist/src/core/plan/make-plan.js';
import { verifyTicket } from '../../dist/src/core/verify/verify-ticket.js';
import { openPool } from '../../dist/worker/node/pool.js';
import { defaultOptions } from './default-options.mjs';
import { denseLayer, relu } from './search-tiles.mjs';

const width = Number(process.argv[2] ?? 4096);
const threads = Number(process.argv[3] ?? availableParallelism());
const isTelling = process.argv[4] === 'log';

/** Every how many copies a result is rechecked on arrival, as the command line has it. */
const checkOneIn = 16;
const outputs = 10;
const digest = '0'.repeat(64);

const target = () => ({
  inputShape: [width],
  inputSteps: [],
  layers: [
    denseLayer('wide', { inputs: width, outputs: width, stream: 0, steps: relu }),
    denseLayer('last', { inputs: width, outputs, stream: 1, steps: [] }),
  ],
});

const peakMegabytes = () => (process.resourceUsage().maxRSS * 1024) / 1e6;
const found = { width, threads, seconds: {}, peakMegabytes: {} };
let started = performance.now();
function lap(name) {
  found.seconds[name] = (performance.now() - started) / 1e3;
  found.peakMegabytes[name] = peakMegabytes();
  if (isTelling)
    console.error(`${name}: ${found.seconds[name].toFixed(1)} s, ${peakMegabytes().toFixed(0)} MB`);
  started = performance.now();
}

async function solve(network) {
  const pool = openPool({ threads });
  try {
    const plan = await makePlan(network, defaultOptions, pool);
    lap('plan');
    const construction = await construct(plan, network, {
      solver: pool,
      store: { read: () => Promise.resolve(undefined), write: () => Promise.resolve() },
      targetSha256: digest,
      checkOneIn,
      onEvent: () => undefined,
      signal: new AbortController().signal,
    });
    lap('solve');
    return construction;
  } finally {
    await pool.close();
  }
}

async function verify(network, ticket) {
  const pool = openVerifyPool({ ticket, network, threads });
  try {
    return await verifyTicket(ticket, { network, sha256: digest }, pool.check);
  } finally {
    await pool.close();
    lap('verify');
  }
}

const network = target();
lap('target');
const { ticket, blocks, missingCopies } = await solve(network);
const verdict = await verify(network, ticket);
if (verdict.fault !== null) throw new Error(`the ticket does not verify: ${verdict.fault}`);
const { keptEdges } = verdict;
process.stdout.write(`${JSON.stringify({ ...found, blocks, missingCopies, keptEdges })}\n`);
