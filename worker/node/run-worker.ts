/** A worker of this machine: threads that solve what gateways grant. */
import { randomUUID } from 'node:crypto';
import { misuse } from '../../src/core/errors.ts';
import type { BodyForm, Connect } from '../../src/core/protocol/transport.ts';
import { kernelDigest } from '../kernel/kernel.ts';
import { selfTest } from '../self-test.ts';
import { createSession } from '../session.ts';
import { openPool, type SolverPool } from './pool.ts';
import { gatewayUrl, webSocketConnect } from './web-socket.ts';
import { startWorkerShell } from './worker-shell.ts';

/** Leases and unacknowledged results to hold: one at work and one waiting per thread, and those on their way to a durable store. */
const slotsPerThread = 2;
/** See {@link slotsPerThread}. */
const slotsOnTheWay = 8;

/** What a worker runs with. */
export interface WorkerOptions {
  /** Gateways, in the order to try them. */
  readonly urls: readonly string[];
  readonly threads: number;
  /** An access token, or '' where none is needed. */
  readonly token: string;
  /** Allows ws:// to other machines. */
  readonly insecure: boolean;
  /** Told what people should know: connections, refusals, progress. */
  readonly onReport: (text: string) => void;
  /** Stable across restarts, if given. */
  readonly workerId?: string;
  /** How to connect, if not over WebSockets, and what the bodies of results look like there. */
  readonly link?: { readonly connect: Connect; readonly form: BodyForm };
  /** Solves, if not a pool of its own; whoever gives it closes it. */
  readonly pool?: SolverPool;
}

/** A worker that runs. */
export interface RunningWorker {
  /** Takes no more work, hands in what it has within the time, and resolves when it has ended. Idempotent. */
  drain(graceMs: number): Promise<void>;
  /** Ends at once and resolves when the threads have ended. Idempotent. */
  close(): Promise<void>;
  /** Resolves with the reason when it has ended, for whatever cause. */
  readonly ended: Promise<string>;
}

/**
 * Returns a worker that has passed its self-test and has begun to connect.
 * @throws TombolaError (misuse) when a URL cannot be used, (failure) when the self-test fails.
 */
export async function runWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { threads, token, onReport, link } = options;
  if (options.urls.length === 0) throw misuse('Cannot run a worker without a gateway: name its URL');
  const urls = link === undefined ? options.urls.map((url) => gatewayUrl(url, options)) : options.urls;
  const { connect, form } = link ?? { connect: webSocketConnect(options), form: 'coded' };
  const pool = options.pool ?? openPool({ threads });
  const closePool = async (): Promise<void> => {
    if (options.pool === undefined) await pool.close();
  };
  try {
    await selfTest(pool);
  } catch (error) {
    await closePool();
    throw error;
  }
  const session = createSession({
    gateways: urls,
    build: kernelDigest,
    runtime: 'node',
    workerId: options.workerId ?? randomUUID(),
    threads,
    blocksPerSecond: 0,
    token,
    sessionPrefix: randomUUID().slice(0, 18),
    slots: slotsPerThread * threads + slotsOnTheWay,
  });
  const shell = startWorkerShell({ session, connect, form, pool, onReport });
  const ended = shell.ended.then(async (reason) => {
    await closePool();
    return reason;
  });
  return {
    drain: async (graceMs) => {
      shell.happen({ kind: 'drain', graceMs });
      await ended;
    },
    close: async () => {
      shell.cut();
      await ended;
    },
    ended,
  };
}
