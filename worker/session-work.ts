/** What a session has in hand: leases to solve, results to be acknowledged, credit to give. */
import { backoffMsMax, backoffMsMin } from '../src/core/limits.ts';
import type { Committed, Grant, Refused, Result, TileName } from '../src/core/protocol/messages.ts';
import { keyOf, type OutboxEntry, type Session } from './session-state.ts';

/** Results sent and not yet answered; more wait in the outbox. */
const sentCountMax = 32;
/** A result without any answer is sent again after this time, though the connection lives. */
const answerMsMax = 300_000;
/** Bytes of a result beside its body, at most: two names, a spec's digest, a token and a few numbers. */
const resultBytesBesidesBody = 1024;
/** Refusals after which the time between two tries grows no more. */
const refusalsCounted = 6;

/** Takes leases: tiles that are new are solved; what is solved already is sent again. */
export function takeLeases(session: Session, now: number, { leases }: Grant): void {
  for (const lease of leases) {
    session.credit = Math.max(0, session.credit - 1);
    const key = keyOf(lease);
    const solved = session.outbox.get(key);
    if (solved !== undefined) {
      if (solved.state === 'postponed') solved.dueAt = now;
      continue;
    }
    const isNew = !session.leases.has(key);
    if (isNew && session.leases.size >= 2 * session.options.slots) {
      giveBack(session, lease, 'the worker holds too much already');
      continue;
    }
    if (isNew && session.drainUntil !== null) {
      giveBack(session, lease, 'the worker is stopping');
      continue;
    }
    session.leases.set(key, lease);
    if (isNew) session.effects.push({ kind: 'solve', lease });
  }
  submitResults(session, now);
}

/** Keeps a solved tile's result until it is acknowledged, and sends it. */
export function keepResult(
  session: Session,
  now: number,
  solved: { readonly name: TileName; readonly body: Uint8Array; readonly computeMs: number },
): void {
  const key = keyOf(solved.name);
  const lease = session.leases.get(key);
  // Cancelled meanwhile: nobody wants it.
  if (lease === undefined) return;
  session.leases.delete(key);
  session.solveFailures = 0;
  const { job, tile, spec, token, attempt } = lease;
  const { body, computeMs } = solved;
  const message: Result = { kind: 'result', job, tile, spec, token, attempt, body, computeMs };
  session.outbox.set(key, { message, state: 'waiting', dueAt: now, refusals: 0 });
  submitResults(session, now);
}

/** Gives a tile back that could not be solved, and asks for less work the more often that happens. */
export function failSolve(session: Session, now: number, name: TileName, reason: string): void {
  if (!session.leases.delete(keyOf(name))) return;
  const pause = Math.min(backoffMsMax, backoffMsMin * 2 ** session.solveFailures);
  session.solveFailures = Math.min(session.solveFailures + 1, 20);
  session.wantAt = Math.max(session.wantAt, now + pause);
  session.effects.push({ kind: 'report', text: `could not solve a tile: ${reason}` });
  giveBack(session, name, reason);
}

/** Stops work that is no longer wanted. */
export function cancelLeases(session: Session, names: readonly TileName[]): void {
  for (const name of names) {
    if (!session.leases.delete(keyOf(name))) continue;
    session.effects.push({ kind: 'cancel', name: { job: name.job, tile: name.tile } });
  }
}

/** Lets go of a result that is durable. */
export function forgetResult(session: Session, now: number, name: Committed): void {
  session.failures = 0;
  dropEntry(session, name);
  cancelLeases(session, [name]);
  submitResults(session, now);
}

/** Lets go of a result that is not wanted, or keeps it to be sent again. */
export function acceptRefusal(session: Session, now: number, refused: Refused): void {
  const key = keyOf(refused);
  const entry = session.outbox.get(key);
  if (entry === undefined) return;
  if (refused.retryMs === 0) {
    dropEntry(session, refused);
    session.effects.push({
      kind: 'report',
      text: `a result was refused (${refused.code}): ${refused.reason}`,
    });
  } else {
    if (entry.state === 'sent') session.sentCount--;
    const wait = Math.min(backoffMsMax, refused.retryMs * 2 ** entry.refusals);
    entry.refusals = Math.min(refusalsCounted, entry.refusals + 1);
    entry.state = 'postponed';
    entry.dueAt = now + Math.max(refused.retryMs, wait) * (1 + jitter(session) / 2);
  }
  submitResults(session, now);
}

/** Sends what waits and what is due again, as far as the window allows; what the gateway cannot take goes back unsolved. */
export function submitResults(session: Session, now: number): void {
  if (session.state !== 'open') return;
  for (const entry of session.outbox.values()) {
    if (entry.message.body.length + resultBytesBesidesBody > session.frameBytesMax) {
      dropOversized(session, entry.message);
      continue;
    }
    if (entry.state === 'sent' && now >= entry.dueAt) unsend(session, entry);
    if (session.sentCount >= sentCountMax) continue;
    if (entry.state === 'sent' || (entry.state === 'postponed' && now < entry.dueAt)) continue;
    entry.state = 'sent';
    entry.dueAt = now + answerMsMax;
    session.sentCount++;
    session.effects.push({ kind: 'send', message: entry.message });
  }
}

/** Gives the gateway credit when it has less than half of what there is room for. */
export function wantWork(session: Session, now: number): void {
  if (session.state !== 'open' || session.drainUntil !== null || now < session.wantAt) return;
  const free = freeSlots(session);
  if (free <= 0 || session.credit * 2 > free) return;
  session.credit = free;
  session.effects.push({ kind: 'send', message: { kind: 'want', slots: free } });
}

/** Says what a tab that is hidden, or seen again, can take: hidden it may be put to sleep any time, so it holds one tile only. */
export function hide(session: Session, now: number, isHidden: boolean): void {
  if (session.hidden === isHidden) return;
  session.hidden = isHidden;
  if (session.state !== 'open' || session.drainUntil !== null || now < session.wantAt) return;
  session.credit = Math.max(0, freeSlots(session));
  session.effects.push({ kind: 'send', message: { kind: 'want', slots: session.credit } });
}

/** Takes a gateway's word that it has nothing to give for a while. */
export function slowDown(session: Session, now: number, retryMs: number): void {
  session.credit = 0;
  session.wantAt = Math.max(session.wantAt, now + retryMs * (1 + jitter(session) / 2));
}

/** Returns milliseconds until results or credit need a tick. */
export function workWakeMs(session: Session, now: number): number {
  if (session.state !== 'open') return Number.POSITIVE_INFINITY;
  let wakeAt = session.wantAt > now ? session.wantAt : Number.POSITIVE_INFINITY;
  const isFull = session.sentCount >= sentCountMax;
  for (const { state, dueAt } of session.outbox.values())
    if (state === 'sent' || (state === 'postponed' && !isFull)) wakeAt = Math.min(wakeAt, dueAt);
  return Math.max(0, wakeAt - now);
}

/** Returns a lease unsolved. */
export function giveBack(session: Session, { job, tile }: TileName, reason: string): void {
  if (session.state !== 'open') return;
  session.effects.push({ kind: 'send', message: { kind: 'nack', job, tile, reason: reason.slice(0, 200) } });
}

function freeSlots({ hidden, options, leases, outbox, leaseCountMax }: Session): number {
  const slots = hidden ? 1 : options.slots;
  return Math.min(slots - leases.size - outbox.size, leaseCountMax - leases.size);
}

function dropEntry(session: Session, name: TileName): void {
  const key = keyOf(name);
  if (session.outbox.get(key)?.state === 'sent') session.sentCount--;
  session.outbox.delete(key);
}

/** A gateway hangs up on a frame that is too long: such a result, sent again after each reconnect, would never let another through. */
function dropOversized(session: Session, { job, tile, body }: Result): void {
  dropEntry(session, { job, tile });
  const reason = `the result is too long for the gateway: ${body.length} bytes, and a frame holds ${session.frameBytesMax}`;
  session.effects.push({ kind: 'report', text: `a result was dropped: ${reason}` });
  giveBack(session, { job, tile }, reason);
}

function unsend(session: Session, entry: OutboxEntry): void {
  entry.state = 'waiting';
  session.sentCount--;
}

/** The fractions of multiples of the golden ratio fall evenly, wherever chance began. */
function jitter(session: Session): number {
  session.chance = (session.chance + 0.618_033_988_749_894_9) % 1;
  return session.chance;
}
