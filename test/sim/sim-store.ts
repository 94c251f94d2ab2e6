/**
 * A store with one log, as classic-level has, that does everything wrong which a disk may do: what is not synced when it crashes
 * survives only as far as a random prefix, the record after that may be torn, the disk may be full for a while, and a commit that
 * failed may have happened all the same. Bits may rot in what is durable.
 */
import { type Clockwork, promise } from './clockwork.ts';
import { hashText, type Random } from './prng.ts';

/** What a store does wrong. */
export interface StoreFaults {
  /** Milliseconds of a sync, at least and at most. */
  readonly syncMs: readonly [number, number];
  /** Chance that a commit fails and has not happened, or has. */
  readonly failed: number;
  readonly ambiguous: number;
  /** Chance that a record rots once it is durable. */
  readonly rot: number;
}

/** A store without faults. */
export const calmStore: StoreFaults = { syncMs: [0.1, 1], failed: 0, ambiguous: 0, rot: 0 };

/** Planted bugs of the store. */
export interface StoreBugs {
  readonly neverSync?: boolean;
  readonly tornAccepted?: boolean;
  readonly lastWriteWins?: boolean;
}

interface Record_ {
  readonly key: string;
  /** Null: a removal. */
  value: string | null;
  readonly checksum: number;
  isSynced: boolean;
}

/** What a commit came to. */
export type CommitOutcome = 'new' | 'duplicate' | 'failed';

/** Keys to texts, by compare-and-set. */
export class SimStore {
  faults: StoreFaults;
  /** Full until then. */
  fullUntil = 0;
  private log: Record_[] = [];
  private readonly live = new Map<string, Record_>();
  private readonly clockwork: Clockwork;
  private readonly random: Random;
  private readonly bugs: StoreBugs;
  /** Counts crashes: callbacks of before a crash are lost. */
  private epoch = 0;
  private readonly syncedAt: { at: number } = { at: 0 };

  constructor(clockwork: Clockwork, random: Random, faults: StoreFaults, bugs: StoreBugs) {
    this.clockwork = clockwork;
    this.random = random;
    this.faults = faults;
    this.bugs = bugs;
  }

  /** Commits a value unless the key has one, and tells what came of it when it is durable. */
  commit(key: string, value: string, done: (outcome: CommitOutcome) => void): void {
    const { random, clockwork, faults } = this;
    const { epoch } = this;
    const tell = (outcome: CommitOutcome) => {
      if (epoch === this.epoch) done(outcome);
    };
    if (clockwork.now < this.fullUntil || random.chance(faults.failed)) {
      clockwork.after(random.between(...faults.syncMs), () => tell('failed'));
      return;
    }
    const known = this.live.get(key);
    const isKnown = known !== undefined && this.bugs.lastWriteWins !== true;
    const record = isKnown ? known : this.append(key, value);
    const isAmbiguous = random.chance(faults.ambiguous);
    const outcome = isAmbiguous ? 'failed' : isKnown ? 'duplicate' : 'new';
    if (this.bugs.neverSync === true) {
      tell(outcome);
      return;
    }
    this.sync(() => {
      promise(record.isSynced, 'the simulated store syncs in order');
      tell(outcome);
    });
  }

  /** Removes a key. */
  drop(key: string): void {
    if (!this.live.has(key)) return;
    this.append(key, null);
    this.live.delete(key);
    this.sync(() => undefined);
  }

  /** Returns a value as it is read back; undefined when it is not there or its checksum is wrong. */
  read(key: string): string | undefined {
    const record = this.live.get(key);
    if (record === undefined || record.value === null) return undefined;
    if (record.checksum !== hashText(record.value) && this.bugs.tornAccepted !== true) return undefined;
    return record.value;
  }

  /** Returns all keys that begin so. */
  keys(prefix: string): string[] {
    return [...this.live.keys()].filter((key) => key.startsWith(prefix));
  }

  /** Returns whether a key's record would survive a crash now. */
  isDurable(key: string): boolean {
    return this.live.get(key)?.isSynced === true;
  }

  /** Loses what is not synced, but for a random prefix, the last record of which may be torn; then reads the log again. */
  crash(): void {
    this.epoch++;
    const synced = this.log.filter(({ isSynced }) => isSynced);
    const rest = this.log.filter(({ isSynced }) => !isSynced);
    const kept = rest.slice(0, this.random.below(rest.length + 1));
    const last = kept.at(-1);
    if (last !== undefined && last.value !== null && last.value.length > 1 && this.random.chance(0.5))
      last.value = last.value.slice(0, this.random.below(last.value.length));
    this.log = [...synced, ...kept];
    this.live.clear();
    for (const record of this.log) {
      record.isSynced = true;
      const isTorn = record.value !== null && record.checksum !== hashText(record.value);
      // A torn record is as if it had never been written.
      if (record === last && isTorn && this.bugs.tornAccepted !== true) continue;
      if (record.value === null) this.live.delete(record.key);
      else this.live.set(record.key, record);
    }
    this.log = this.log.filter((record) => this.live.get(record.key) === record);
  }

  private append(key: string, value: string | null): Record_ {
    const record = { key, value, checksum: hashText(value ?? ''), isSynced: false };
    this.log.push(record);
    if (value !== null) this.live.set(key, record);
    return record;
  }

  /** Syncs everything written so far; syncs end in the order in which they began. */
  private sync(done: () => void): void {
    const { epoch } = this;
    const written = this.log.filter(({ isSynced }) => !isSynced);
    const at = Math.max(this.syncedAt.at, this.clockwork.now + this.random.between(...this.faults.syncMs));
    this.syncedAt.at = at;
    this.clockwork.after(at - this.clockwork.now, () => {
      if (epoch !== this.epoch) return;
      for (const record of written) {
        const mayRot = record.value !== null && !record.key.endsWith('/sealed');
        if (!record.isSynced && mayRot && this.random.chance(this.faults.rot))
          record.value = flip(record.value ?? '', this.random);
        record.isSynced = true;
      }
      done();
    });
  }
}

function flip(value: string, random: Random): string {
  const index = random.below(value.length);
  const code = value.charCodeAt(index) ^ (1 << random.below(4));
  return value.slice(0, index) + String.fromCharCode(code) + value.slice(index + 1);
}
