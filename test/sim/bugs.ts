/** Planted bugs: each must be found by some seed. What was tried and makes no difference is not here (see the end). */
import type { LedgerEffect, LedgerEvent } from '../../coordinator/ledger.ts';
import type { Bug } from './bug.ts';

const never = 1e12;
const aMonth = 2_592_000_000;

/** All planted bugs. */
export const bugs: readonly Bug[] = [
  {
    name: 'acknowledge-before-store',
    effects: (effects, _, ledger) =>
      effects.flatMap((effect): LedgerEffect[] => {
        if (effect.kind !== 'store') return [effect];
        const { job, tile } = effect;
        const session = ledger.results.get(effect.result)?.session?.session;
        if (session === undefined) return [effect];
        return [{ kind: 'acknowledge', session, job, tile, outcome: 'new' }, effect];
      }),
  },
  { name: 'no-sync', store: { neverSync: true } },
  { name: 'torn-record-read', store: { tornAccepted: true } },
  { name: 'last-write-wins', store: { lastWriteWins: true } },
  { name: 'nothing-verified', shell: { skipsVerify: true } },
  { name: 'other-tiles-result-believed', shell: { believesOtherTiles: true } },
  { name: 'failed-commit-taken-for-done', shell: { failureIsSuccess: true } },
  { name: 'duplicate-taken-for-failure', shell: { duplicateIsFailure: true } },
  { name: 'sealed-without-reading-back', shell: { sealsUnread: true } },
  { name: 'stage-begun-early', shell: { startsEarly: true } },
  { name: 'leases-counted-as-done', shell: { trustsLeasesOnRestart: true } },
  { name: 'all-digests-equal', shell: { sameDigest: true } },
  { name: 'digests-of-nothing', shell: { randomDigest: true } },
  { name: 'result-names-reused', shell: { reusesResultNames: true } },
  { name: 'jobs-never-removed', shell: { forgetsJobs: true } },
  {
    name: 'duplicates-not-acknowledged',
    effects: (effects) =>
      effects.filter((effect) => effect.kind !== 'acknowledge' || effect.outcome === 'new'),
  },
  {
    name: 'acknowledged-to-nobody',
    effects: (effects) => effects.filter((effect) => effect.kind !== 'acknowledge'),
  },
  {
    name: 'tile-done-twice',
    effects: (effects) =>
      effects.flatMap((effect): LedgerEffect[] =>
        effect.kind === 'tile-done' ? [effect, effect] : [effect],
      ),
  },
  {
    name: 'bad-result-swallowed',
    event: (event) => (event.kind === 'invalid' ? null : event),
  },
  {
    name: 'failed-store-swallowed',
    event: (event) => (event.kind === 'store-failed' ? null : event),
  },
  {
    name: 'leases-never-end',
    settings: { leaseMsTrusted: aMonth, leaseMsVolunteer: aMonth, leaseMsMax: aMonth, tileLeaseCountMax: 1 },
  },
  { name: 'sessions-never-end', settings: { heartbeatMs: never }, event: dropLeaving },
  { name: 'misses-not-proven', shell: { skipsProof: true } },
  {
    name: 'claims-believed',
    event: (event) => (event.kind === 'verified' ? { ...event, claimsMisses: false } : event),
  },
  {
    name: 'volunteers-confirm-each-other',
    event: (event, ledger) => {
      const record = event.kind === 'verified' ? ledger.results.get(event.result) : undefined;
      const isSame = ({ phase, digest }: { phase: string; digest: string }): boolean =>
        phase === 'held' && event.kind === 'verified' && digest === event.digest;
      if (record?.worker && record.tile.results.some(isSame))
        Object.assign(record.worker, { kind: 'trusted' });
      return event;
    },
  },
  {
    name: 'volunteers-taken-for-trusted',
    event: (event) => (event.kind === 'worker-joined' ? { ...event, workerKind: 'trusted' } : event),
  },
  { name: 'no-quarantine', settings: { badOutcomesMax: never } },
  { name: 'no-bound-on-results', settings: { resultsPerWorkerMin: 1_000_000 } },
  { name: 'no-bound-on-own-solving', settings: { localSolvesMax: 1_000, tileAttemptMax: 1 } },
  { name: 'stalls-expire-everyone', settings: { stallMs: never } },
  { name: 'impatient', settings: { heartbeatMs: 3_000 } },
  {
    name: 'never-solved-here',
    effects: (effects) => effects.filter(({ kind }) => kind !== 'solve-here'),
  },
  {
    name: 'waiting-sessions-forgotten',
    effects: (effects, event, ledger) => {
      if (event.kind === 'wanted') ledger.idle.clear();
      return effects;
    },
  },
  {
    name: 'grants-in-quarantine',
    effects: (effects, _, ledger) => {
      for (const worker of ledger.workers.values()) {
        if (worker.quarantines === 0 || worker.sessions.size === 0) continue;
        const [session] = worker.sessions;
        const granted = effects.find(({ kind }) => kind === 'grant');
        if (session !== undefined && granted?.kind === 'grant')
          return effects.map((effect) =>
            effect === granted ? { ...granted, session: session.session } : effect,
          );
      }
      return effects;
    },
  },
  {
    name: 'retries-without-backoff',
    session: (effects, _, session, nowMs) => {
      if (session.state === 'offline' && session.connectAt !== null) session.connectAt = nowMs;
      return effects;
    },
  },
  {
    name: 'results-lost-on-reconnect',
    session: (effects, event, session) => {
      if (event.kind === 'disconnected') session.outbox.clear();
      return effects;
    },
  },
  {
    name: 'no-dead-man-timer',
    session: (effects, _, session, nowMs) => {
      session.heardAt = nowMs;
      return effects;
    },
  },
  {
    name: 'no-failover',
    session: (effects, _, session) => {
      session.gateway = 1;
      for (const gateway of session.gateways)
        gateway.notBefore = gateway.url === 'ws://b' ? 0 : Number.POSITIVE_INFINITY;
      return effects;
    },
  },
  {
    name: 'refused-results-resent-at-once',
    session: (effects, _, session, nowMs) => {
      for (const entry of session.outbox.values()) if (entry.state === 'postponed') entry.dueAt = nowMs;
      return effects;
    },
  },
  {
    name: 'stops-without-handing-in',
    session: (effects, event, session) => {
      if (event.kind !== 'drain' || session.outbox.size === 0) return effects;
      session.state = 'ended';
      return [...effects, { kind: 'ended', reason: 'in a hurry' }];
    },
  },
  {
    name: 'unanswered-not-sent-again',
    session: (effects, event, session) => {
      if (event.kind !== 'message' || event.message.kind !== 'welcome') return effects;
      for (const entry of session.outbox.values()) {
        entry.state = 'sent';
        entry.dueAt = Number.POSITIVE_INFINITY;
      }
      return effects.filter((effect) => effect.kind !== 'send' || effect.message.kind !== 'result');
    },
  },
];

function dropLeaving(event: LedgerEvent): LedgerEvent | null {
  return event.kind === 'worker-left' ? null : event;
}
