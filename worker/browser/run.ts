/** One stretch of volunteering, from Start or the end of a pause to Stop or the next: threads, a session, and the results on their way. */
import { blocksPerRow, type LayerProblem, type Tile } from '../../src/core/plan/tile.ts';
import type { RejectCode } from '../../src/core/protocol/messages.ts';
import { createSession, type Session, type SessionEvent } from '../session.ts';
import { startSessionShell, type TileAtWork } from '../session-shell.ts';
import type { Contribution } from './contribution.ts';
import { volunteerToken } from './membership.ts';
import { openOutboxStore } from './outbox-store.ts';
import { openPagePlatform } from './page-platform.ts';
import { openSolverThreads } from './solver-threads.ts';
import { connectWebSocket } from './web-socket.ts';

/** What a run works with. */
export interface RunOptions {
  readonly cores: number;
  readonly coresMax: number;
  /** In (0, 1]. */
  readonly duty: number;
  readonly contribution: Contribution;
  /** Called after everything that happens. */
  readonly onChange: () => void;
}

/** Why a run has ended by itself. */
export interface RunEnd {
  /** What the last gateway said, if that was no. */
  readonly code: RejectCode | null;
  readonly reason: string;
}

/** A run. */
export interface Run {
  readonly session: Session;
  /** Hex SHA-256 of the kernel that its threads run and have tested. */
  readonly kernelDigest: string;
  /** The job of the tile that was granted last; null: none yet. */
  job(): string | null;
  setCores(count: number): void;
  setDuty(duty: number): void;
  setHidden(hidden: boolean): void;
  /** Frees the processor at once and gives unfinished tiles back; waits so long for results on their way to be acknowledged. */
  stop(graceMs: number): void;
  readonly ended: Promise<RunEnd>;
}

/** Leases and results to hold beyond one tile at work and one waiting per core: those on their way to a durable store. */
const slotsOnTheWay = 8;

/**
 * Returns a run whose threads have passed their self-test and whose session has begun to connect.
 * @throws JoinRefusal when the coordinator wants no volunteer now, another Error when this browser cannot do the work, and the signal's
 * reason when it aborts first.
 */
export async function startRun(options: RunOptions, signal: AbortSignal): Promise<Run> {
  const threads = openSolverThreads({ count: options.cores, duty: options.duty });
  const stopThreads = (): void => threads.close();
  signal.addEventListener('abort', stopThreads, { once: true });
  try {
    const [kernelDigest, token, outbox] = await Promise.all([
      threads.ready,
      volunteerToken(),
      openOutboxStore(),
    ]);
    const results = await outbox.read();
    signal.throwIfAborted();
    const session = createSession({
      gateways: [`${location.protocol.replace('http', 'ws')}//${location.host}/ws`],
      build: kernelDigest,
      runtime: 'browser',
      workerId: randomName(),
      sessionPrefix: randomName(),
      threads: options.cores,
      blocksPerSecond: 0,
      token,
      slots: 2 * options.coresMax + slotsOnTheWay,
      results,
    });
    return runSession(session, { options, threads, outbox, kernelDigest });
  } catch (error) {
    threads.close();
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', stopThreads);
  }
}

interface Parts {
  readonly options: RunOptions;
  readonly threads: ReturnType<typeof openSolverThreads>;
  readonly outbox: Awaited<ReturnType<typeof openOutboxStore>>;
  readonly kernelDigest: string;
}

function runSession(session: Session, { options, threads, outbox, kernelDigest }: Parts): Run {
  const { contribution, onChange } = options;
  const platform = openPagePlatform();
  let job: string | null = null;
  let rejectCode: RejectCode | null = null;
  const see = (event: SessionEvent): void => {
    if (event.kind === 'message') {
      const { message } = event;
      if (message.kind === 'grant') job = message.leases[0]?.job ?? job;
      else if (message.kind === 'welcome') rejectCode = null;
      else if (message.kind === 'reject') rejectCode = message.code;
      else if (message.kind === 'committed') contribution.commit(message.tile);
      else if (message.kind === 'refused' && message.retryMs === 0) contribution.forget(message.tile);
    }
    outbox.keep(session.outbox);
    onChange();
  };
  const solve = (problem: LayerProblem, tile: Tile): TileAtWork => {
    const { solved, cancel } = threads.solve(problem, tile);
    const counted = solved.then((body) => {
      contribution.solve(tile.id, blockCount(problem, tile), performance.now());
      return body;
    });
    return { solved: counted, cancel };
  };
  contribution.begin(performance.now());
  const shell = startSessionShell({
    session,
    connect: connectWebSocket,
    solve,
    platform,
    onReport: () => undefined,
    onEvent: see,
  });
  let lostReason: string | null = null;
  // Without grace: results on their way wait in the outbox, and timers may be what is lost.
  const lose = (reason: string): void => {
    lostReason = reason;
    shell.happen({ kind: 'drain', graceMs: 0 });
  };
  Promise.race([threads.lost, platform.lost]).then(lose);
  const ended = shell.ended.then((reason) => {
    threads.close();
    platform.close();
    outbox.close();
    return { code: rejectCode, reason: lostReason ?? reason };
  });
  return {
    session,
    kernelDigest,
    job: () => job,
    setCores: (count) => threads.setCount(count),
    setDuty: (duty) => threads.setDuty(duty),
    setHidden: (hidden) => shell.happen({ kind: 'hidden', hidden }),
    stop: (graceMs) => {
      threads.close();
      shell.happen({ kind: 'drain', graceMs });
    },
    ended,
  };
}

function blockCount(problem: LayerProblem, { neurons }: Tile): number {
  return neurons.reduce((sum, { wanted }) => sum + wanted, 0) * blocksPerRow(problem);
}

function randomName(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
