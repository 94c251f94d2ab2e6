/** What time alone brings about. */
import { serveStragglers } from '../scheduler.ts';
import { expireLeases } from './leases.ts';
import { reviewHeld } from './results.ts';
import { endSilentSessions } from './sessions.ts';
import { clockOf, type Ledger } from './state.ts';
import { isCurrent, reviewLarge, settleTile } from './tiles.ts';

/** Ends silent sessions and overdue leases, reopens what has waited, and hands out straggler copies. */
export function passTime(ledger: Ledger): void {
  endSilentSessions(ledger);
  expireLeases(ledger);
  for (;;) {
    const tile = ledger.reviews.takeDue(clockOf(ledger));
    if (tile === undefined) break;
    if (!isCurrent(ledger, tile) || clockOf(ledger) < tile.reviewAt) continue;
    tile.reviewAt = Number.POSITIVE_INFINITY;
    reviewHeld(ledger, tile);
    reviewLarge(ledger, tile);
    settleTile(ledger, tile);
  }
  serveStragglers(ledger);
}
