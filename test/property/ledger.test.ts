/** The ledger against any order of events whatever, most of them wrong: its books stay right and its promises are kept. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TimeQueue } from '../../coordinator/ledger/time-queue.ts';
import { apply, createLedger, type LedgerEffect, type LedgerEvent } from '../../coordinator/ledger.ts';
import { checkEffects, checkLedger } from '../sim/ledger-checks.ts';

const sessions = ['s0', 's1', 's2', 's3'];
const jobs = ['j0', 'j1'];
const names = ['t0', 't1', 't2'];

const session = fc.constantFrom(...sessions);
const job = fc.constantFrom(...jobs);
const tile = fc.constantFrom(...names);
const result = fc.integer({ min: 0, max: 11 }).map((index) => `r${index}`);
const digest = fc.constantFrom('x', 'x', 'y');

const events: fc.Arbitrary<LedgerEvent> = fc.oneof(
  fc.record({ kind: fc.constant('job-added' as const), job, priority: fc.integer({ min: 0, max: 2 }) }),
  fc.record({
    kind: fc.constant('tiles-added' as const),
    job,
    tiles: fc.array(fc.record({ tile, blocks: fc.integer({ min: 1, max: 50 }) }), { maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant('job-removed' as const), job }),
  fc.record({
    kind: fc.constant('worker-joined' as const),
    session,
    worker: fc.constantFrom('w0', 'w1', 'w2'),
    workerKind: fc.constantFrom('trusted' as const, 'volunteer' as const),
    threads: fc.integer({ min: 0, max: 3 }),
  }),
  fc.record({ kind: fc.constant('worker-left' as const), session }),
  fc.record({ kind: fc.constant('holds' as const), session, job, tile }),
  fc.record({ kind: fc.constant('wanted' as const), session, slots: fc.integer({ min: -1, max: 9 }) }),
  fc.record({ kind: fc.constant('beat' as const), session }),
  fc.record({ kind: fc.constant('given-back' as const), session, job, tile }),
  fc.record({ kind: fc.constant('result' as const), session, job, tile, result, claimsMisses: fc.boolean() }),
  fc.record({ kind: fc.constant('verified' as const), result, digest, claimsMisses: fc.boolean() }),
  fc.record({ kind: fc.constant('invalid' as const), result, reason: fc.constant('bad') }),
  fc.record({
    kind: fc.constant('stored' as const),
    result,
    outcome: fc.constantFrom('new' as const, 'duplicate' as const),
  }),
  fc.record({
    kind: fc.constant('store-failed' as const),
    result,
    reason: fc.constant('full'),
    retryMs: fc.integer({ min: 0, max: 5_000 }),
  }),
  fc.record({ kind: fc.constant('tick' as const) }),
);

/** What an honest shell would have to remember of the effects so far. */
class Model {
  readonly toVerify = new Set<string>();
  readonly toStore = new Set<string>();
  /** job/tile whose result some shell has reported durable since the tile was last opened. */
  readonly durable = new Set<string>();
  readonly solvingHere: { job: string; tile: string }[] = [];

  take(effect: LedgerEffect, event: LedgerEvent): void {
    if (effect.kind === 'verify') this.toVerify.add(effect.result);
    if (effect.kind === 'store') {
      expect(this.toVerify.has(effect.result) || event.kind === 'solved-here').toBe(true);
      this.toStore.add(effect.result);
    }
    if (effect.kind === 'forget') {
      this.toVerify.delete(effect.result);
      this.toStore.delete(effect.result);
    }
    if (effect.kind === 'tile-done') this.durable.add(`${effect.job}/${effect.tile}`);
    if (effect.kind === 'solve-here') this.solvingHere.push({ job: effect.job, tile: effect.tile });
  }
}

test('any events in any order leave the books right and acknowledge only what is durable', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(0, 1, 900, 40_000), events), {
        minLength: 30,
        maxLength: 160,
        size: 'max',
      }),
      fc.integer(),
      (steps, seed) => {
        const ledger = createLedger({ seed, canonicalCheckOneIn: 4 });
        const model = new Model();
        let now = 0;
        const happen = (event: LedgerEvent): void => {
          if (event.kind === 'tiles-added' && ledger.jobs.has(event.job))
            for (const { tile: name } of event.tiles) model.durable.delete(`${event.job}/${name}`);
          if (event.kind === 'job-removed')
            for (const name of names) model.durable.delete(`${event.job}/${name}`);
          // A shell reports only on what it was asked to do.
          if ((event.kind === 'verified' || event.kind === 'invalid') && !model.toVerify.has(event.result))
            return;
          if ((event.kind === 'stored' || event.kind === 'store-failed') && !model.toStore.has(event.result))
            return;
          const stored = event.kind === 'stored' ? ledger.results.get(event.result)?.tile : undefined;
          const effects = apply(ledger, now, event);
          checkEffects(ledger, effects);
          checkLedger(ledger, true);
          for (const effect of effects) {
            if (effect.kind === 'acknowledge') {
              const isDurable = model.durable.has(`${effect.job}/${effect.tile}`);
              expect(isDurable || stored?.tile === effect.tile).toBe(true);
            }
            model.take(effect, event);
          }
        };
        for (const [passedMs, event] of steps) {
          now += passedMs;
          happen(event);
          const local = model.solvingHere.length > 1 ? model.solvingHere.shift() : undefined;
          if (local !== undefined)
            happen({ kind: 'solved-here', ...local, result: `own${now}`, digest: 'x' });
        }
      },
    ),
    { numRuns: 1500 },
  );
});

test('a time queue gives back what is due in order of time, then of arrival', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), fc.integer({ min: 0, max: 25 }), (times, now) => {
      const queue = new TimeQueue<number>();
      times.forEach((at, index) => {
        queue.push(at, index);
      });
      const taken: number[] = [];
      for (let item = queue.takeDue(now); item !== undefined; item = queue.takeDue(now)) taken.push(item);
      const expected = times
        .map((at, index) => ({ at, index }))
        .filter(({ at }) => at <= now)
        .sort((a, b) => a.at - b.at || a.index - b.index);
      expect(taken).toEqual(expected.map(({ index }) => index));
      expect(queue.size).toBe(times.length - taken.length);
      queue.keep((index) => index % 2 === 0);
      expect(queue.nextAt).toBe(
        Math.min(Number.POSITIVE_INFINITY, ...times.filter((at, index) => at > now && index % 2 === 0)),
      );
    }),
  );
});
