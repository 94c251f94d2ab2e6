/** Gateways and workers of the scale simulation (scale.ts) in one virtual time. */
import { Clockwork } from './clockwork.ts';
import { type Random, randomOf } from './prng.ts';
import { type EngineTally, emptyEngineTally, SharedEngine } from './scale-engine.ts';
import { emptyTally, Gateway, type Tally } from './scale-gateway.ts';
import { Member } from './scale-member.ts';

/** Blocks: milliseconds of one thread, bytes of their results, milliseconds to check them on arrival (as a worker's who is trusted). */
export const blockKinds = {
  /** `fewest`, n = 20, ε = 0.01. */
  easy: { solveMs: 0.0002, bytes: 1.4, checkMs: 0.00004 },
  /** `closest`, n = 24. */
  hard: { solveMs: 0.0125, bytes: 2.6, checkMs: 0.000_075 },
  /** `closest`, n = 36. */
  deep: { solveMs: 2, bytes: 4.6, checkMs: 0.0003 },
} as const;

/** Bytes of a lease: its frame, and its targets for each block. */
const leaseBytes = 600;
const targetBytes = 0.5;

/** A tile: milliseconds of one thread, bytes of the body up and of the lease down, milliseconds to check it. */
export interface TileKind {
  readonly solveMs: number;
  readonly upBytes: number;
  readonly downBytes: number;
  readonly checkMs: number;
}

/** Returns tiles of blocks that take a thread so many seconds. @param blockMs where the blocks take another time than their kind's. */
export function tileOf(kind: keyof typeof blockKinds, seconds: number, blockMs?: number): TileKind {
  const { solveMs, bytes, checkMs } = blockKinds[kind];
  // As src/core/plan/tiles.ts bounds what a result may have on the wire.
  const blocks = Math.min(150_000, Math.max(1, (1000 * seconds) / (blockMs ?? solveMs)));
  return {
    solveMs: blocks * (blockMs ?? solveMs),
    upBytes: blocks * bytes,
    downBytes: leaseBytes + blocks * targetBytes,
    checkMs: blocks * checkMs,
  };
}

/** Milliseconds of the way between a worker and a gateway. */
const wayMs = [5, 60] as const;

/** What to simulate. */
export interface Setting {
  readonly workers: number;
  readonly gateways: number;
  readonly threads: number;
  readonly seconds: number;
  readonly jobs: number;
  readonly tile: TileKind;
}

/** Gateways and workers. */
export class Swarm {
  readonly setting: Setting;
  readonly clockwork = new Clockwork(null, false);
  readonly random: Random = randomOf(1);
  readonly urls: readonly string[];
  readonly gateways: readonly Gateway[];
  /** What several gateways share; null: one keeps its own. */
  readonly engine: SharedEngine | null;
  readonly members: readonly Member[];

  constructor(setting: Setting) {
    this.setting = setting;
    this.gateways = Array.from({ length: setting.gateways }, (_, index) => new Gateway(this, index));
    this.engine = setting.gateways > 1 ? new SharedEngine(this) : null;
    this.urls = this.gateways.map(({ url }) => url);
    this.members = Array.from({ length: setting.workers }, (_, index) => new Member(this, index));
  }

  gatewayAt(url: string): Gateway {
    return this.gateways[this.urls.indexOf(url)] as Gateway;
  }

  way(): number {
    return this.random.between(...wayMs);
  }

  runUntil(endMs: number): void {
    while (this.clockwork.now < endMs && this.clockwork.step());
  }

  /** Returns what the shared engine has done since the last call. */
  takeEngine(): EngineTally {
    const { tally } = this.engine ?? { tally: emptyEngineTally() };
    if (this.engine !== null) this.engine.tally = emptyEngineTally();
    return tally;
  }

  /** Returns what has been counted since the last call, all gateways together. */
  take(): Tally {
    const total = emptyTally();
    for (const gateway of this.gateways) {
      for (const key of Object.keys(total) as (keyof Tally)[])
        total[key] = key.endsWith('Max')
          ? Math.max(total[key], gateway.tally[key])
          : total[key] + gateway.tally[key];
      gateway.tally = emptyTally();
    }
    return total;
  }
}
