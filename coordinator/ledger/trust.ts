/**
 * How far a worker is believed. A good result doubles its quota of leases; a bad one sets it to one and all trust to nothing, and
 * too many bad ones among the last hundred put the worker in quarantine, twice as long each time. Slowness costs nothing.
 */
import { clockOf, type Ledger, nextChance, type ResultRecord, type WorkerRecord } from './state.ts';

const restMsFirst = 1_000;
const restMsMax = 300_000;

/** Credits a worker with a good result. */
export function praise(ledger: Ledger, worker: WorkerRecord): void {
  worker.good++;
  worker.losses = 0;
  worker.quota = Math.min(ledger.settings.leasesPerSessionMax, worker.quota * 2);
  remember(ledger, worker, false);
}

/** Holds a bad result against a worker. Returns whether that puts it in quarantine. */
export function blame(ledger: Ledger, worker: WorkerRecord): boolean {
  const { badOutcomesMax, quarantineMsFirst, quarantineMsMax } = ledger.settings;
  worker.good = 0;
  worker.quota = 1;
  remember(ledger, worker, true);
  if (isQuarantined(ledger, worker)) return false;
  if (worker.outcomes.filter((isBad) => isBad).length < badOutcomesMax) return false;
  const length = Math.min(quarantineMsMax, quarantineMsFirst * 2 ** worker.quarantines);
  worker.quarantines++;
  worker.quarantinedUntil = clockOf(ledger) + length;
  worker.outcomes.length = 0;
  return true;
}

/** Makes a worker that gave up a lease wait before the next, longer each time in a row. */
export function rest(ledger: Ledger, worker: WorkerRecord): void {
  worker.restsUntil = clockOf(ledger) + Math.min(restMsMax, restMsFirst * 2 ** worker.losses);
  worker.losses = Math.min(30, worker.losses + 1);
}

/** Returns whether a worker's results are not wanted for now. */
export function isQuarantined(ledger: Ledger, worker: WorkerRecord): boolean {
  return clockOf(ledger) < worker.quarantinedUntil;
}

/** Returns whether a verified result is believed only when a trusted worker, or the coordinator, finds the same. */
export function needsSecondOpinion(ledger: Ledger, result: ResultRecord): boolean {
  const { worker } = result;
  if (worker === null || worker.kind === 'trusted') return false;
  // Drawn in any case, so that one decision does not shift the next.
  const chance = nextChance(ledger);
  return result.claimsMisses || chance < 1 / ledger.settings.canonicalCheckOneIn;
}

function remember(ledger: Ledger, worker: WorkerRecord, isBad: boolean): void {
  worker.outcomes.push(isBad);
  if (worker.outcomes.length > ledger.settings.outcomesRemembered) worker.outcomes.shift();
}
