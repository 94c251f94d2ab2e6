/** The dashboard's side of a coordinator: listens to log, results and tiles, and serves the feed (src/core/live/views.ts). */
import type { LiveReport } from '../../../src/core/live/views.ts';
import type { Engine } from '../../engine/engine.ts';
import type { JobSharing } from '../../jobs/job-sharing.ts';
import type { JobStatus } from '../../jobs/job-status.ts';
import type { Jobs } from '../../jobs/jobs.ts';
import { ledgerStatus, statusOfTile, tilesInHand } from '../../ledger/status.ts';
import type { Ledger } from '../../ledger.ts';
import type { TileObserver } from '../../tile-observer.ts';
import type { GatewaySession } from '../gateway-session.ts';
import type { Log } from '../log.ts';
import type { ShellObserver } from '../metrics.ts';
import { JobBoards, rateEveryMs } from './job-boards.ts';
import { LiveFeed } from './live-feed.ts';
import { type LiveSources, liveJob, liveOverview } from './live-state.ts';
import { Troubles } from './troubles.ts';

/** What listens while a coordinator runs. */
export interface LiveListener {
  /** Writes to the log, and remembers troubles. */
  readonly log: Log;
  /** Reports on results, and counts them. */
  readonly observer: ShellObserver;
  readonly tileObserver: (job: string) => TileObserver;
  /** Returns the sharing, and notices when this gateway's work on a job ends. */
  noticing(sharing: JobSharing): JobSharing;
  /** Opens the feed, once what it shows is there. */
  serve(shown: Shown): LiveFeed;
}

/** What a feed shows. */
export interface Shown {
  readonly jobs: Jobs;
  readonly ledger: Ledger;
  readonly sessions: ReadonlySet<GatewaySession>;
  readonly engine: Pick<Engine, 'readBlob'>;
}

/** Milliseconds between two lines on one topic. */
const stepMs = 1000;
/** Reports kept in memory: a kilobyte each. */
const reportsMax = 100;

/** Returns what listens; close what `serve` returns. */
export function listenLive(options: {
  readonly log: Log;
  readonly observer: ShellObserver;
  readonly nowMs: () => number;
}): LiveListener {
  const { nowMs } = options;
  const troubles = new Troubles(nowMs());
  const counts = { stored: 0, refused: 0 };
  let ledger: Ledger | undefined;
  const boards = new JobBoards({
    nowMs,
    statusOf: (job, tile) => (ledger === undefined ? undefined : statusOfTile(ledger, job, tile)),
  });
  return {
    log: (event, fields = {}) => {
      options.log(event, fields);
      troubles.see(event, fields, nowMs());
      if (event === 'tile-dead') boards.fail(String(fields.job), String(fields.tile));
      if (event === 'job' && fields.state !== 'running') boards.close(String(fields.job));
      if (event === 'job' && fields.state === 'removed') boards.remove(String(fields.job));
    },
    observer: {
      ...options.observer,
      acknowledged: (outcome) => {
        options.observer.acknowledged(outcome);
        if (outcome === 'new') counts.stored++;
      },
      refused: (code) => {
        options.observer.refused(code);
        counts.refused++;
      },
    },
    tileObserver: (job) => boards.observer(job),
    noticing: (sharing) => ({
      ...sharing,
      claim: async (job) => {
        const claim = await sharing.claim(job);
        if (claim === null) return null;
        const release = (): Promise<void> => {
          boards.leave(job);
          return claim.release();
        };
        return { signal: claim.signal, release };
      },
    }),
    serve: (shown) => {
      ledger = shown.ledger;
      const sources: LiveSources = {
        jobs: shown.jobs,
        ledger: () => ledgerStatus(shown.ledger, nowMs()),
        workers: () => [...shown.sessions].flatMap(({ view }) => view ?? []),
        tilesInHand: (job) => tilesInHand(shown.ledger, job),
        boardOf: (job) => boards.find(job),
        troubles: () => troubles.view(),
        counts: () => ({ ...counts }),
        reportOf: reportReader(shown.engine),
        nowMs,
      };
      const states = { overview: () => liveOverview(sources), job: (id: string) => liveJob(sources, id) };
      const timers = [
        setInterval(() => {
          for (const { job } of ledgerStatus(shown.ledger, nowMs()).jobs) boards.pass(job);
        }, rateEveryMs),
        setInterval(() => feed.step(), stepMs),
      ];
      const feed = new LiveFeed(states, nowMs, () => timers.forEach(clearInterval));
      return feed;
    },
  };
}

/** Reads reports when they are first asked for; they are there the next second. */
function reportReader(engine: Shown['engine']): LiveSources['reportOf'] {
  const reports = new Map<string, LiveReport | null>();
  const read = async (blob: string): Promise<void> => {
    const bytes = await engine.readBlob(blob);
    if (bytes !== undefined) reports.set(blob, JSON.parse(new TextDecoder().decode(bytes)) as LiveReport);
  };
  return ({ result }: JobStatus) => {
    if (result === null) return null;
    const { summaryBlob } = result;
    const known = reports.get(summaryBlob);
    if (known !== undefined) return known;
    const [oldest] = reports.keys();
    if (reports.size >= reportsMax && oldest !== undefined) reports.delete(oldest);
    reports.set(summaryBlob, null);
    // One that cannot be read is not shown; a job whose ticket is lost is submitted again anyway.
    read(summaryBlob).catch(() => undefined);
    return null;
  };
}
