/** Workers come, ask for work, show signs of life, and go. */
import type { LedgerEvent } from '../ledger.ts';
import { fillSession } from '../scheduler.ts';
import { failLease } from './leases.ts';
import { clockOf, type Ledger, type SessionRecord, type WorkerRecord } from './state.ts';
import { isQuarantined, rest } from './trust.ts';

/** Heartbeats that a peer may miss. */
const missedBeatsMax = 3;
/** A trusted worker's own word for its threads is taken up to here. */
const trustedThreadsMax = 256;

/** Opens a session; one that is open already stays as it is. */
export function joinWorker(ledger: Ledger, event: Extract<LedgerEvent, { kind: 'worker-joined' }>): void {
  if (touch(ledger, event.session) !== undefined) return;
  if (ledger.sessions.size >= ledger.settings.sessionsMax) {
    ledger.effects.push({ kind: 'disconnect', session: event.session, reason: 'the coordinator is full' });
    return;
  }
  const worker = findWorker(ledger, event);
  const session: SessionRecord = {
    session: event.session,
    worker,
    threads: Math.max(1, Math.min(trustedThreadsMax, event.threads)),
    credit: 0,
    leases: new Map(),
    leasedBlocks: 0,
    seenAt: clockOf(ledger),
    speed: 0,
    recentBlocks: 0,
    recentMs: 0,
    lastResultAt: clockOf(ledger),
    tilesDone: 0,
  };
  const quarantinedUntil = clockOf(ledger) + (event.quarantineMs ?? 0);
  worker.quarantinedUntil = Math.max(worker.quarantinedUntil, quarantinedUntil);
  if (worker.kind === 'trusted') worker.quota = Math.max(worker.quota, 2 * session.threads);
  worker.sessions.add(session);
  ledger.sessions.set(event.session, session);
  ledger.bySeen.add(session);
  if (isQuarantined(ledger, worker)) sayQuarantined(ledger, session);
}

/** Ends a session; everything leased to it is open again at once. */
export function leaveSession(ledger: Ledger, name: string): void {
  const session = ledger.sessions.get(name);
  if (session === undefined) return;
  const { worker } = session;
  ledger.sessions.delete(name);
  ledger.bySeen.delete(session);
  ledger.idle.delete(session);
  worker.sessions.delete(session);
  if (session.leases.size > 0 && worker.kind === 'volunteer') rest(ledger, worker);
  for (const lease of [...session.leases.values()]) failLease(ledger, lease);
}

/** Takes a sign of life. */
export function seeSession(ledger: Ledger, name: string): void {
  touch(ledger, name);
}

/** Returns the session, seen just now, if there is one. */
export function touch(ledger: Ledger, name: string): SessionRecord | undefined {
  const session = ledger.sessions.get(name);
  if (session === undefined) return undefined;
  session.seenAt = clockOf(ledger);
  ledger.bySeen.delete(session);
  ledger.bySeen.add(session);
  return session;
}

/** Takes a worker's credit and grants what there is. */
export function wantWork(ledger: Ledger, event: Extract<LedgerEvent, { kind: 'wanted' }>): void {
  const session = touch(ledger, event.session);
  if (session === undefined) return;
  const room = ledger.settings.leasesPerSessionMax - session.leases.size;
  session.credit = Math.max(0, Math.min(event.slots, room));
  if (session.credit === 0) {
    ledger.idle.delete(session);
    return;
  }
  if (isQuarantined(ledger, session.worker)) sayQuarantined(ledger, session);
  ledger.idle.add(session);
  fillSession(ledger, session);
}

/** Ends sessions that have been silent too long. */
export function endSilentSessions(ledger: Ledger): void {
  const seenLimit = clockOf(ledger) - missedBeatsMax * ledger.settings.heartbeatMs;
  for (const session of ledger.bySeen) {
    if (session.seenAt >= seenLimit) return;
    ledger.effects.push({ kind: 'disconnect', session: session.session, reason: 'no sign of life' });
    leaveSession(ledger, session.session);
  }
}

/** Tells a session that its worker is in quarantine. */
export function sayQuarantined(ledger: Ledger, session: SessionRecord): void {
  const retryMs = Math.ceil(session.worker.quarantinedUntil - clockOf(ledger));
  ledger.effects.push({ kind: 'slow', session: session.session, retryMs });
}

function findWorker(
  ledger: Ledger,
  { worker: name, workerKind: kind }: { readonly worker: string; readonly workerKind: WorkerRecord['kind'] },
): WorkerRecord {
  const known = ledger.workers.get(name);
  if (known !== undefined && known.kind === kind) return known;
  const worker: WorkerRecord = {
    worker: name,
    kind,
    sessions: new Set(),
    good: 0,
    quota: 1,
    outcomes: [],
    quarantines: 0,
    quarantinedUntil: Number.NEGATIVE_INFINITY,
    losses: 0,
    restsUntil: Number.NEGATIVE_INFINITY,
    pending: 0,
    leased: 0,
  };
  ledger.workers.set(name, worker);
  forgetOldWorker(ledger);
  return worker;
}

/** Forgets one worker that has gone, if too many are remembered. Those in quarantine are kept as long as others can go. */
function forgetOldWorker(ledger: Ledger): void {
  if (ledger.workers.size <= ledger.settings.workersRememberedMax) return;
  let scanned = 0;
  for (const worker of ledger.workers.values()) {
    const isIdle = worker.sessions.size === 0 && worker.pending === 0;
    if (isIdle && (!isQuarantined(ledger, worker) || ++scanned > 64)) {
      ledger.workers.delete(worker.worker);
      return;
    }
    if (++scanned > 4096) return;
  }
}
