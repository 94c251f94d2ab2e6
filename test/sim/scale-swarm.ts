/** Gateways and workers of the scale simulation (scale.ts) in one virtual time. */
import { Clockwork } from './clockwork.ts';
import { type Random, randomOf } from './prng.ts';
import { type EngineTally, emptyEngineTally, SharedEngine } from './scale-engine.ts';
import { emptyTally, Gateway, type Tally } from './scale-gateway.ts';
import { Member } from './scale-member.ts';

/** Tiles: milliseconds of one thread, bytes of the body up and of the lease down, milliseconds to check on arrival. */
export const tileKinds = {
  /** 100,000 blocks, `fewest`, n = 20, ε = 0.01: bytes bound it. */
  easy: { solveMs: 20, upBytes: 137_000, downBytes: 30_000, checkMs: 4 },
  /** 40,000 blocks, `closest`, n = 24. */
  hard: { solveMs: 500, upBytes: 105_000, downBytes: 12_000, checkMs: 3 },
  /** 250 blocks, `closest`, n = 36: 2 ms a block. */
  deep: { solveMs: 500, upBytes: 1_200, downBytes: 900, checkMs: 0.2 },
  /** The same, cut for a large swarm (--tile-blocks 5000). */
  'large-deep': { solveMs: 10_000, upBytes: 23_000, downBytes: 3_000, checkMs: 1.5 },
  /** The same again for a very large one (--tile-blocks 30000). */
  'huge-deep': { solveMs: 60_000, upBytes: 140_000, downBytes: 15_000, checkMs: 9 },
} as const;

/** Milliseconds of the way between a worker and a gateway. */
const wayMs = [5, 60] as const;

/** What to simulate. */
export interface Setting {
  readonly workers: number;
  readonly gateways: number;
  readonly threads: number;
  readonly seconds: number;
  readonly jobs: number;
  readonly tile: (typeof tileKinds)[keyof typeof tileKinds];
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
