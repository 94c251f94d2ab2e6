/** What the dashboard is told, worked out from jobs, ledger and sessions. Numbers that wobble are rounded, so that they need not be sent. */
import { liveJobsMax, liveWorkersMax } from '../../../src/core/limits.ts';
import type {
  LiveEngine,
  LiveJob,
  LiveJobRow,
  LiveLayer,
  LiveOverview,
  LiveReport,
  LiveTrouble,
  LiveWorker,
  LiveWorkers,
} from '../../../src/core/live/views.ts';
import type { LayerProgress } from '../../jobs/job-progress.ts';
import type { JobStatus } from '../../jobs/job-status.ts';
import type { Jobs } from '../../jobs/jobs.ts';
import type { LedgerStatus, TileStatus } from '../../ledger/status.ts';
import type { WorkerView } from '../gateway-session.ts';
import { type JobBoard, rateEveryMs } from './job-boards.ts';
import type { LayerPicture } from './layer-board.ts';
import { rounded } from './rate-history.ts';

/** What a state is made of. */
export interface LiveSources {
  readonly jobs: Pick<Jobs, 'latest' | 'counts' | 'status'>;
  readonly ledger: () => LedgerStatus;
  readonly workers: () => readonly WorkerView[];
  readonly tilesInHand: (job: string) => readonly TileStatus[];
  readonly boardOf: (job: string) => JobBoard | undefined;
  readonly troubles: () => Readonly<Record<string, LiveTrouble>>;
  readonly counts: () => { readonly stored: number; readonly refused: number };
  /** The report of a job that is done; null until it has been read. */
  readonly reportOf: (status: JobStatus) => LiveReport | null;
  readonly nowMs: () => number;
}

/** Seconds to which another sign of life is told. */
const seenStepMs = 2000;

/** Returns the whole at a glance. O(jobs · log jobs + sessions). */
export function liveOverview(sources: LiveSources): LiveOverview {
  const { jobs, troubles, nowMs } = sources;
  const atMs = Math.round(nowMs());
  const ledger = sources.ledger();
  return {
    atMs,
    jobs: Object.fromEntries(jobs.latest(liveJobsMax).map((status) => [status.job, jobRow(status)])),
    jobCounts: jobs.counts(),
    workers: liveWorkers(sources.workers(), { ledger, atMs }),
    engine: liveEngine(ledger, sources.counts()),
    troubles: troubles(),
  };
}

/** Returns one job in full; null where there is none. O(tiles of the layer in hand). */
export function liveJob(sources: LiveSources, job: string): LiveJob | null {
  const status = sources.jobs.status(job);
  if (status === undefined) return null;
  const board = sources.boardOf(job);
  const hand = status.state === 'running' ? sources.tilesInHand(job) : [];
  const progress = status.progress?.layers ?? [];
  const options = status.request?.options;
  return {
    ...jobRow(status),
    job,
    targetSha256: status.request?.targetSha256 ?? '',
    options: options === undefined ? null : { ...options },
    layers: progress.map((layer, index) => liveLayer(layer, board?.layers[index]?.view(hand))),
    ...(board?.rates.view() ?? { rates: [], rateEveryMs }),
    ticketBytes: status.result?.ticketBytes ?? null,
    report: sources.reportOf(status),
  };
}

function jobRow({ name, state, phase, reason, priority, sequence, progress }: JobStatus): LiveJobRow {
  const isRunning = state === 'running';
  const secondsLeft = progress?.secondsLeft ?? null;
  return {
    name,
    state,
    phase,
    reason,
    priority,
    sequence,
    share: state === 'done' ? 1 : progress === null ? null : Math.round(1e4 * progress.share) / 1e4,
    blocksPerSecond: isRunning ? rounded(progress?.blocksPerSecond ?? 0) : 0,
    secondsLeft: isRunning && secondsLeft !== null ? Math.round(secondsLeft) : null,
  };
}

const noPicture: LayerPicture = {
  tileCount: 0,
  cells: '',
  tilesPerCell: 1,
  working: 0,
  retried: 0,
  failed: 0,
  blocks: 0,
  keptEdges: 0,
  misses: 0,
  residuals: [],
};

function liveLayer(layer: LayerProgress, { tileCount, ...picture }: LayerPicture = noPicture): LiveLayer {
  const { name, copies, copiesWanted, tilesDone, pass, isDone } = layer;
  const tilesKnown = Math.max(layer.tilesKnown, tileCount);
  return { name, copies, copiesWanted, tilesDone, tilesKnown, pass, isDone, ...picture };
}

function liveWorkers(
  views: readonly WorkerView[],
  { ledger, atMs }: { ledger: LedgerStatus; atMs: number },
): LiveWorkers {
  const standing = new Map(ledger.sessions.map((session) => [session.session, session]));
  const rows = views.map((view): [string, LiveWorker] => {
    const session = standing.get(view.session);
    const silentMs = session?.silentMs ?? 0;
    const { worker, kind, runtime, threads, address } = view;
    return [
      view.session,
      {
        worker,
        kind,
        runtime,
        threads,
        address,
        leases: session?.leases ?? 0,
        tilesDone: session?.tilesDone ?? 0,
        blocksPerSecond: rounded(session?.blocksPerSecond ?? 0),
        quota: session?.quota ?? 0,
        good: session?.good ?? 0,
        isQuarantined: session?.isQuarantined ?? false,
        seenAtMs: seenStepMs * Math.round((atMs - silentMs) / seenStepMs),
      },
    ];
  });
  const count = (isSo: (row: LiveWorker) => boolean): number => rows.filter(([, row]) => isSo(row)).length;
  const sum = (of: (row: LiveWorker) => number): number =>
    rows.reduce((total, [, row]) => total + of(row), 0);
  return {
    count: rows.length,
    threads: sum(({ threads }) => threads),
    trusted: count(({ kind }) => kind === 'trusted'),
    volunteers: count(({ kind }) => kind === 'volunteer'),
    quarantined: count(({ isQuarantined }) => isQuarantined),
    blocksPerSecond: rounded(sum(({ blocksPerSecond }) => blocksPerSecond)),
    fastest: Object.fromEntries(
      rows.sort(([, a], [, b]) => b.blocksPerSecond - a.blocksPerSecond).slice(0, liveWorkersMax),
    ),
  };
}

function liveEngine(
  ledger: LedgerStatus,
  { stored, refused }: { stored: number; refused: number },
): LiveEngine {
  const { isPaused, openTiles, pendingResults, heldResults, localSolves, stalledMs } = ledger;
  return {
    isPaused,
    openTiles,
    pendingResults,
    heldResults,
    localSolves,
    stalledMs: Math.round(stalledMs),
    resultsStored: stored,
    resultsRefused: refused,
  };
}
