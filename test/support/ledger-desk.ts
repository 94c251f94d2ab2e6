/** A ledger at hand for tests. */
import type { LedgerSettings } from '../../coordinator/ledger/settings.ts';
import {
  apply,
  createLedger,
  type LedgerEffect,
  type LedgerEvent,
  ledgerStatus,
} from '../../coordinator/ledger.ts';

/** A ledger with a job and a clock to turn. */
export function deskOf(tileCount: number, settings: Partial<LedgerSettings> = {}) {
  const ledger = createLedger(settings);
  let now = 0;
  let results = 0;
  const happen = (event: LedgerEvent): LedgerEffect[] => apply(ledger, now, event);
  const desk = {
    ledger,
    happen,
    status: () => ledgerStatus(ledger, now),
    add: (job: string, count: number, priority = 0) => {
      happen({ kind: 'job-added', job, priority });
      const tiles = Array.from({ length: count }, (_, index) => ({ tile: `${job}${index}`, blocks: 10 }));
      return happen({ kind: 'tiles-added', job, tiles });
    },
    join: (session: string, workerKind: 'trusted' | 'volunteer' = 'trusted', worker = `w-${session}`) =>
      happen({ kind: 'worker-joined', session, worker, workerKind, threads: 1 }),
    want: (session: string, slots = 1) => happen({ kind: 'wanted', session, slots }),
    result: (session: string, tile: string, claimsMisses = false) => {
      const result = `r${++results}`;
      const effects = happen({ kind: 'result', session, job: 'j', tile, result, claimsMisses });
      return { result, effects };
    },
    /** Sends a result and has it verified; returns what follows from that. */
    verified: (session: string, tile: string, digest = 'honest', claimsMisses = false) => {
      const { result } = desk.result(session, tile, claimsMisses);
      return { result, effects: happen({ kind: 'verified', result, digest, claimsMisses }) };
    },
    /** Lets time pass in ticks of a second, as the shell does. */
    pass: (ms: number) => {
      const effects: LedgerEffect[] = [];
      for (const end = now + ms; now < end; ) {
        now = Math.min(end, now + 1_000);
        for (const { session } of [...ledger.sessions.values()])
          effects.push(...happen({ kind: 'beat', session }));
        effects.push(...happen({ kind: 'tick' }));
      }
      return effects;
    },
    /** Time passes in which the shell does not run. */
    stall: (ms: number) => {
      now += ms;
    },
  };
  desk.add('j', tileCount);
  return desk;
}

/** Returns the kinds of effects. */
export const kinds = (effects: readonly LedgerEffect[]): string[] => effects.map(({ kind }) => kind);
/** Returns the tiles granted. */
export const granted = (effects: readonly LedgerEffect[]): string[] =>
  effects.flatMap((effect) => (effect.kind === 'grant' ? effect.leases.map(({ tile }) => tile) : []));
/** Returns the first refusal. */
export const refusal = (effects: readonly LedgerEffect[]) =>
  effects.find((effect) => effect.kind === 'refuse');
