/** What the person at the page wants, what the machine allows, and what comes of it: the page's state, as signals to show. */
import { signal } from '@preact/signals';
import { backoffMsMax, backoffMsMin } from '../../src/core/limits.ts';
import type { SearchView } from '../../src/core/protocol/search-view.ts';
import { Contribution, type ContributionView } from './contribution.ts';
import { forgetToken, JoinRefusal } from './membership.ts';
import { type PauseReason, pauseReason, type Surroundings, watchSurroundings } from './pause.ts';
import { type Run, type RunEnd, startRun } from './run.ts';
import { followSearch } from './search-feed.ts';

/** What is going on. */
export type Status =
  | { readonly kind: 'idle' | 'starting' | 'connecting' | 'offline' }
  /** For work, or for the coordinator's word on so many results. */
  | { readonly kind: 'waiting'; readonly results: number }
  | { readonly kind: 'working'; readonly tiles: number }
  | { readonly kind: 'paused'; readonly reason: PauseReason }
  /** It did not work, and is tried again. */
  | { readonly kind: 'retrying'; readonly reason: string }
  /** It did not work, and is not tried again. */
  | { readonly kind: 'refused'; readonly reason: string };

/** More cores than this a tab does not take. */
const coreCountMax = 16;
/** Time for results on their way, once stopped. */
const stopMs = 2_000;
/** Figures are shown anew so often. */
const refreshMs = 1_000;

/** The page's state. */
export class Volunteer {
  /** Cores there are to choose from. */
  readonly coresMax = Math.min(coreCountMax, navigator.hardwareConcurrency || 1);
  readonly cores = signal(Math.max(1, this.coresMax - 1));
  /** Percent of the time to work. */
  readonly dutyPercent = signal(100);
  /** Pauses by itself; see pause.ts. */
  readonly isGentle = signal(true);
  readonly isWanted = signal(false);
  readonly status = signal<Status>({ kind: 'idle' });
  readonly kernelDigest = signal<string | null>(null);
  readonly contribution = signal<ContributionView>({ tiles: 0, blocks: 0, blocksPerSecond: 0 });
  /** Undefined before the first answer, null while there is none. */
  readonly search = signal<SearchView | null | undefined>(undefined);
  /** The job being worked on; null: not known yet. */
  readonly job = signal<string | null>(null);

  private readonly counted = new Contribution();
  private surroundings: Surroundings | undefined;
  private attempt: { readonly abort: AbortController; run: Run | undefined } | undefined;
  private refusal: string | null = null;
  private retry: { readonly reason: string; readonly timer: ReturnType<typeof setTimeout> } | undefined;
  private failureCount = 0;

  /** Begins to watch; solves nothing yet. */
  open(): void {
    watchSurroundings((surroundings) => {
      this.surroundings = surroundings;
      this.attempt?.run?.setHidden(surroundings.isHidden);
      this.reconcile();
    });
    followSearch((view) => {
      this.search.value = view;
    });
    setInterval(() => this.show(), refreshMs);
    // What a page does as it goes may be cut short: leases go back at once, results wait in the outbox.
    addEventListener('pagehide', () => this.halt(0));
    addEventListener('pageshow', () => this.reconcile());
  }

  start(): void {
    this.isWanted.value = true;
    this.refusal = null;
    this.reconcile();
  }

  stop(): void {
    this.isWanted.value = false;
    this.reconcile();
  }

  setCores(count: number): void {
    this.cores.value = count;
    this.attempt?.run?.setCores(count);
  }

  setDutyPercent(percent: number): void {
    this.dutyPercent.value = percent;
    this.attempt?.run?.setDuty(percent / 100);
  }

  setGentle(isGentle: boolean): void {
    this.isGentle.value = isGentle;
    this.reconcile();
  }

  /** Runs when that is wanted and nothing stands against it, and not otherwise. */
  private reconcile(): void {
    const shouldRun = this.isWanted.value && this.reasonToPause() === null && this.refusal === null;
    if (!shouldRun) this.halt(stopMs);
    else if (this.attempt === undefined && this.retry === undefined) this.begin();
    this.show();
  }

  private begin(): void {
    const attempt: NonNullable<Volunteer['attempt']> = { abort: new AbortController(), run: undefined };
    this.attempt = attempt;
    const options = {
      cores: this.cores.value,
      coresMax: this.coresMax,
      duty: this.dutyPercent.value / 100,
      contribution: this.counted,
      onChange: () => this.show(),
    };
    startRun(options, attempt.abort.signal).then(
      (run) => {
        if (this.attempt !== attempt) return run.stop(0);
        attempt.run = run;
        // What was chosen while it started, and whether anybody looks; it has asked for nothing yet.
        run.setCores(this.cores.value);
        run.setDuty(this.dutyPercent.value / 100);
        run.setHidden(document.hidden);
        this.show();
        return run.ended.then((end) => this.finish(attempt, end));
      },
      (error: unknown) => this.fail(attempt, error),
    );
  }

  private halt(graceMs: number): void {
    const { attempt } = this;
    this.attempt = undefined;
    attempt?.abort.abort();
    attempt?.run?.stop(graceMs);
    clearTimeout(this.retry?.timer);
    this.retry = undefined;
  }

  private finish(attempt: Volunteer['attempt'], { code, reason }: RunEnd): void {
    if (this.attempt !== attempt) return;
    this.attempt = undefined;
    if (code === 'build' || code === 'version') this.refuse('this page is out of date; load it again');
    else {
      if (code === 'token') forgetToken();
      this.tryAgain(code === 'token' ? 'the coordinator wants us to join again' : reason, 0);
    }
  }

  private fail(attempt: Volunteer['attempt'], error: unknown): void {
    if (this.attempt !== attempt) return;
    this.attempt = undefined;
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof JoinRefusal && error.retryMs !== null) this.tryAgain(reason, error.retryMs);
    else this.refuse(error instanceof JoinRefusal ? reason : `this browser cannot do the work: ${reason}`);
  }

  private refuse(reason: string): void {
    this.refusal = reason;
    this.isWanted.value = false;
    this.reconcile();
  }

  private tryAgain(reason: string, retryMs: number): void {
    const boundMs = Math.min(backoffMsMax, backoffMsMin * 2 ** this.failureCount++);
    const timer = setTimeout(
      () => {
        this.retry = undefined;
        this.reconcile();
      },
      Math.max(retryMs, backoffMsMin) + Math.random() * boundMs,
    );
    this.retry = { reason, timer };
    this.reconcile();
  }

  private reasonToPause(): PauseReason | null {
    return this.isGentle.value && this.surroundings !== undefined ? pauseReason(this.surroundings) : null;
  }

  private show(): void {
    const run = this.attempt?.run;
    if (run !== undefined) {
      this.kernelDigest.value = run.kernelDigest;
      this.job.value = run.job();
      if (run.session.state === 'open') this.failureCount = 0;
    }
    const status = this.currentStatus();
    if (JSON.stringify(status) !== JSON.stringify(this.status.value)) this.status.value = status;
    const figures = this.counted.read(performance.now());
    this.contribution.value = run === undefined ? { ...figures, blocksPerSecond: 0 } : figures;
  }

  private currentStatus(): Status {
    if (this.refusal !== null) return { kind: 'refused', reason: this.refusal };
    if (!this.isWanted.value) return { kind: 'idle' };
    const reason = this.reasonToPause();
    if (reason !== null) return { kind: 'paused', reason };
    if (this.retry !== undefined) return { kind: 'retrying', reason: this.retry.reason };
    const session = this.attempt?.run?.session;
    if (session === undefined) return { kind: 'starting' };
    if (session.state === 'opening') return { kind: 'connecting' };
    if (session.state !== 'open') return { kind: 'offline' };
    const tiles = session.leases.size;
    return tiles > 0 ? { kind: 'working', tiles } : { kind: 'waiting', results: session.outbox.size };
  }
}
