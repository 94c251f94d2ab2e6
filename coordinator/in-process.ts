/** Ledger, checking threads and gateway sessions within one process: what `serve` runs, without sockets, HTTP and jobs of its own. */
import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { workerFrameBytesMax } from '../src/core/limits.ts';
import type { Solver } from '../src/core/plan/tile.ts';
import { type BodyForm, type Connect, linkedTransports } from '../src/core/protocol/transport.ts';
import type { Engine } from './engine/engine.ts';
import { localAccess } from './gateway/access.ts';
import { GatewaySession } from './gateway/gateway-session.ts';
import { openLedgerShell } from './gateway/ledger-shell.ts';
import { silentObserver } from './gateway/metrics.ts';
import { Offences } from './gateway/offences.ts';
import { localTileChecks, openTileCheckPool } from './gateway/tile-check-pool.ts';
import type { LedgerPort } from './jobs/ledger-port.ts';

/** What it works with; whoever made these closes them. */
export interface InProcessOptions {
  readonly engine: Engine;
  /** Solves what no worker could. */
  readonly solver: Solver;
  /** Hex SHA-256 of the kernel that workers have to run. */
  readonly build: string;
  /** Threads that check results; 0: the caller's own. */
  readonly checkThreads: number;
  /** One copy in so many is checked on arrival. */
  readonly checkOneIn: number;
}

/** A coordinator within this process. Whoever opens it closes it. */
export interface InProcessCoordinator {
  /** Has tiles solved. */
  readonly port: LedgerPort;
  /** How this process's worker connects, whatever the URL. */
  readonly link: { readonly connect: Connect; readonly form: BodyForm };
  /** Stores what is being checked, and ends the threads. */
  close(): Promise<void>;
}

const tickMs = 250;

/** Returns a coordinator for the workers of this process, all of them trusted. */
export function openInProcess(options: InProcessOptions): InProcessCoordinator {
  const { engine, solver, build, checkOneIn } = options;
  const { checkThreads } = options;
  const checks = checkThreads === 0 ? localTileChecks() : openTileCheckPool({ threads: checkThreads });
  const nowMs = (): number => performance.now();
  const log = (): void => undefined;
  const leaseKey = randomBytes(32);
  const shell = openLedgerShell({
    engine,
    checks,
    solver,
    leaseKey: () => leaseKey,
    checkOneIn,
    form: 'plain',
    stateOf: () => 'running',
    nowMs,
    log,
    observer: silentObserver,
  });
  const timer = setInterval(() => shell.tick(), tickMs);
  const checkAccess = () => localAccess;
  const setting = { shell, build, checkAccess, gateways: () => [], offences: new Offences(), log, nowMs };
  let count = 0;
  return {
    port: shell.port,
    link: {
      form: 'plain',
      connect: linkedTransports((transport) => {
        const origin = {
          session: `s${++count}`,
          address: '',
          access: null,
          isPage: false,
          frameBytesMax: workerFrameBytesMax,
        } as const;
        const session = new GatewaySession(transport, origin, setting);
        return { onMessage: (bytes) => session.onMessage(bytes), onClose: () => session.onClose() };
      }),
    },
    close: async () => {
      await shell.settled();
      clearInterval(timer);
      await checks.close();
    },
  };
}
