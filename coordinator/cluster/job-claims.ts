/**
 * Who drives which job: a cell `claim.<job>` that holds a gateway's name, taken by compare-and-set and written anew every third of
 * claimMs. A claim whose cell has not changed for claimMs, by the clock of whoever looks at it, is nobody's any more and may be taken;
 * no clocks are compared. Whoever cannot renew a claim in time gives it up before others may take it.
 *
 * Driving costs about as much as serving the workers, so jobs are to be spread: a gateway that drives some lets a free one lie for a
 * moment, the longer the more it drives, in case another gateway has less to do.
 */
import type { Cell, Cells } from '../engine/nats/cells.ts';
import { nameOfToken, tokenOf } from '../engine/nats/names.ts';
import type { JobClaim } from '../jobs/job-sharing.ts';
import { ExpiringMap } from './expiring-map.ts';

/** What claims are made with. */
export interface ClaimOptions {
  readonly cells: Cells;
  /** Names this gateway; no other may have the name. */
  readonly gateway: string;
  readonly claimMs: number;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** Called when jobs may have become free. */
  readonly onFree: () => void;
  /** Whether there are other gateways that might drive a job. */
  readonly hasOthers: () => boolean;
}

interface Seen {
  readonly holder: string;
  readonly revision: number;
  readonly seenAt: number;
}

const prefix = 'claim.';
/** Jobs that a gateway drives beyond which it is no more patient. */
const patienceMax = 5;
/** Time until a job is tried for again where the engine could not be asked. */
const troubleMs = 2000;

/** The claims of one gateway. */
export class JobClaims {
  private readonly options: ClaimOptions;
  private readonly seen = new Map<string, Seen>();
  /** Jobs that are not tried for at the moment. */
  private readonly postponed: ExpiringMap<true>;
  /** When a free job was first seen so; who has not asked for it for claimMs begins anew. */
  private readonly freeSince: ExpiringMap<number>;
  private readonly held = new Set<HeldClaim>();
  private readonly timer: ReturnType<typeof setInterval>;
  private stop: () => void = () => undefined;

  constructor(options: ClaimOptions) {
    this.options = options;
    this.postponed = new ExpiringMap(options.nowMs);
    this.freeSince = new ExpiringMap(options.nowMs);
    this.timer = setInterval(() => options.onFree(), options.claimMs / 15);
  }

  /** Begins to follow what others claim. */
  async open(): Promise<void> {
    this.stop = await this.options.cells.watch(`${prefix}*`, (key, cell) => {
      const job = nameOfToken(key.slice(prefix.length));
      if (cell !== null) this.note(job, cell);
      else if (this.seen.delete(job)) this.options.onFree();
    });
  }

  isFree(job: string): boolean {
    const now = this.options.nowMs();
    if (!this.isStale(job)) {
      this.freeSince.delete(job);
      return false;
    }
    const since = this.freeSince.get(job) ?? now;
    this.freeSince.set(job, since, now + this.options.claimMs);
    return this.postponed.get(job) === undefined && now - since >= this.patienceMs();
  }

  /** Returns null where somebody else has it, or the engine cannot be asked. Never rejects. */
  async claim(job: string): Promise<JobClaim | null> {
    const { cells, gateway, nowMs } = this.options;
    try {
      const cell = await cells.read(keyOf(job));
      if (cell !== undefined) {
        this.note(job, cell);
        if (!this.isStale(job)) return null;
      }
      const revision = await cells.set(keyOf(job), encoded(gateway), cell?.revision ?? 0);
      if (revision === null) throw new Error('somebody else was first');
      this.freeSince.delete(job);
      const claim = new HeldClaim(job, revision, this.options, () => this.held.delete(claim));
      this.held.add(claim);
      return claim;
    } catch {
      this.postponed.set(job, true, nowMs() + troubleMs);
      return null;
    }
  }

  close(): void {
    clearInterval(this.timer);
    this.stop();
    for (const claim of this.held) claim.lose();
  }

  private patienceMs(): number {
    const { hasOthers, claimMs } = this.options;
    return hasOthers() ? (Math.min(this.held.size, patienceMax) * claimMs) / 15 : 0;
  }

  private note(job: string, { value, revision }: Cell): void {
    const holder = new TextDecoder().decode(value);
    if ((this.seen.get(job)?.revision ?? 0) < revision)
      this.seen.set(job, { holder, revision, seenAt: this.options.nowMs() });
  }

  /** A claim of ours that is asked for again has been given up. */
  private isStale(job: string): boolean {
    const { gateway, claimMs, nowMs } = this.options;
    const seen = this.seen.get(job);
    return seen === undefined || seen.holder === gateway || nowMs() - seen.seenAt > claimMs;
  }
}

/** A claim that renews itself. */
class HeldClaim implements JobClaim {
  private readonly job: string;
  private readonly options: ClaimOptions;
  private readonly onEnd: () => void;
  private readonly losing = new AbortController();
  private readonly timer: ReturnType<typeof setInterval>;
  private revision: number;
  private renewedAt: number;
  private isRenewing = false;

  constructor(job: string, revision: number, options: ClaimOptions, onEnd: () => void) {
    this.job = job;
    this.revision = revision;
    this.options = options;
    this.onEnd = onEnd;
    this.renewedAt = options.nowMs();
    this.timer = setInterval(() => void this.renew(), options.claimMs / 3);
  }

  get signal(): AbortSignal {
    return this.losing.signal;
  }

  async release(): Promise<void> {
    if (this.signal.aborted) return;
    this.end();
    await this.options.cells.remove(keyOf(this.job), this.revision).catch(() => undefined);
  }

  lose(): void {
    this.end();
    this.losing.abort(new Error('another coordinator drives the job'));
  }

  private end(): void {
    clearInterval(this.timer);
    this.onEnd();
  }

  /** Never rejects. */
  private async renew(): Promise<void> {
    const { cells, gateway, nowMs, claimMs } = this.options;
    // Two thirds: the time of a request that fails has to fit in before others may take it.
    if (nowMs() - this.renewedAt > (2 * claimMs) / 3) return this.lose();
    if (this.isRenewing) return;
    this.isRenewing = true;
    const startedAt = nowMs();
    try {
      const revision = await cells.set(keyOf(this.job), encoded(gateway), this.revision);
      if (revision === null) await this.recognise();
      else this.revision = revision;
      this.renewedAt = startedAt;
    } catch {
      // The next one tries again, as long as there is time.
    } finally {
      this.isRenewing = false;
    }
  }

  /** The answer to the renewal before may have been lost. */
  private async recognise(): Promise<void> {
    const cell = await this.options.cells.read(keyOf(this.job));
    if (cell !== undefined && new TextDecoder().decode(cell.value) === this.options.gateway)
      this.revision = cell.revision;
    else this.lose();
  }
}

function keyOf(job: string): string {
  return prefix + tokenOf(job);
}

function encoded(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
