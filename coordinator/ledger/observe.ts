/** What the coordinator sees of its workers' speed, never what they say of it. */
import { clockOf, type LeaseRecord, type Ledger, type SessionRecord } from './state.ts';

/** How much the past counts after each result. */
const fading = 0.9;
/** Durations to see before stragglers are told from the rest. */
const durationsNeeded = 8;
/** Durations between two sortings of them. */
const durationsPerUpdate = 8;

/** Remembers how long a lease took from grant to result. */
export function recordDuration(ledger: Ledger, durationMs: number): void {
  const { durations, settings } = ledger;
  durations[ledger.durationCount % settings.durationsRemembered] = durationMs;
  ledger.durationCount++;
  if (ledger.durationCount < durationsNeeded || ledger.durationCount % durationsPerUpdate !== 0) return;
  const sorted = Float64Array.from(durations).sort();
  ledger.durationP95 = sorted[Math.floor(0.95 * sorted.length)] ?? Number.POSITIVE_INFINITY;
}

/** Updates a session's blocks per millisecond: blocks of its results over the time between them, all threads together. */
export function recordSpeed(ledger: Ledger, session: SessionRecord, lease: LeaseRecord): void {
  const clock = clockOf(ledger);
  const since = Math.max(session.lastResultAt, lease.grantedAt);
  session.recentBlocks = fading * session.recentBlocks + lease.tile.blocks;
  session.recentMs = fading * session.recentMs + Math.max(0.01, clock - since);
  session.speed = session.recentBlocks / session.recentMs;
  session.lastResultAt = clock;
}
