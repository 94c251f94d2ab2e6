/** A ledger's shell at hand for tests: no sockets, no threads, and a clock to turn. */
import { memoryDisk, memoryEngine } from '../../coordinator/engine/memory-engine.ts';
import type { Adoption } from '../../coordinator/gateway/adoption.ts';
import { type LedgerShellOptions, openLedgerShell } from '../../coordinator/gateway/ledger-shell.ts';
import { silentObserver } from '../../coordinator/gateway/metrics.ts';
import type { Peer } from '../../coordinator/gateway/peer.ts';
import { localTileChecks } from '../../coordinator/gateway/tile-check-pool.ts';
import type { GatewayMessage } from '../../src/core/protocol/messages.ts';
import { kernelSolver } from './in-process-search.ts';

const solver = await kernelSolver();

/** A shell in which every job runs, unless told otherwise. */
export function shellDesk({
  adoption,
  stateOf = () => 'running',
}: {
  adoption?: Adoption;
  stateOf?: LedgerShellOptions['stateOf'];
} = {}) {
  let now = 0;
  const nowMs = (): number => now;
  const shell = openLedgerShell({
    engine: memoryEngine({ disk: memoryDisk() }),
    checks: localTileChecks(),
    solver,
    leaseKey: () => new Uint8Array(32),
    checkOneIn: 1,
    form: 'plain',
    stateOf,
    nowMs,
    log: () => undefined,
    observer: silentObserver,
    ...(adoption === undefined ? {} : { adoption }),
  });
  return {
    shell,
    nowMs,
    pass: (ms: number): void => {
      now += ms;
      shell.tick();
    },
    /** Lets a worker in; returns what it is sent from then on. */
    join: (session: string, workerKind: Peer['workerKind'] = 'trusted'): GatewayMessage[] => {
      const sent: GatewayMessage[] = [];
      shell.join({
        session,
        worker: session,
        workerKind,
        threads: 1,
        holding: [],
        send: (message) => sent.push(message),
        disconnect: () => undefined,
      });
      return sent;
    },
  };
}
