/** The session's shell on Node's clock and timers, solving with a pool of threads. */
import { performance } from 'node:perf_hooks';
import type { BodyForm } from '../../src/core/protocol/transport.ts';
import {
  type SessionShell,
  type SessionShellOptions,
  type ShellPlatform,
  startSessionShell,
} from '../session-shell.ts';
import type { SolverPool } from './pool.ts';

/** What a worker's shell works with; whoever made these closes them. */
export interface WorkerShellOptions extends Pick<SessionShellOptions, 'session' | 'connect' | 'onReport'> {
  readonly pool: Pick<SolverPool, 'solveBody'>;
  readonly form: BodyForm;
}

const platform: ShellPlatform = {
  nowMs: () => performance.now(),
  chance: () => Math.random(),
  startTimer: (delayMs, step) => {
    const timer = setTimeout(step, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Starts the session. */
export function startWorkerShell({ pool, form, ...options }: WorkerShellOptions): SessionShell {
  return startSessionShell({
    ...options,
    platform,
    solve: (problem, tile) => {
      const stop = new AbortController();
      return {
        solved: pool.solveBody(problem, tile, { signal: stop.signal, form }),
        cancel: () => stop.abort(),
      };
    },
  });
}
