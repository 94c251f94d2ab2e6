/** Who checks what a job has read back. */
import type { Network } from '../../src/core/network/network.ts';
import type { LayerProblem, Tile, TileResult } from '../../src/core/plan/tile.ts';
import type { Ticket } from '../../src/core/ticket/ticket.ts';
import { openFastVerifier } from '../../src/core/verify/fast/fast-verifier.ts';
import { type TicketVerdict, verifyTicket } from '../../src/core/verify/verify-ticket.ts';
import { verifyTile } from '../../src/core/verify/verify-tile.ts';
import { openVerifyPool } from '../verify-pool.ts';

/** A ticket as decoded, and what it is to be checked against. */
export interface SealSubject {
  readonly ticket: Ticket;
  readonly network: Network;
  readonly targetSha256: string;
}

/** Checks tickets and tiles in full. */
export interface JobVerifier {
  /** Rejects with the signal's reason when it aborts. */
  ticket(subject: SealSubject, signal: AbortSignal): Promise<TicketVerdict>;
  /** Returns what is wrong with a result; null when nothing is. */
  tile(problem: LayerProblem, tile: Tile, result: TileResult): Promise<string | null>;
}

/** Returns a verifier that checks tickets with `threads` threads, each opened for one ticket; tiles on this thread. */
export function threadVerifier({ threads }: { readonly threads: number }): JobVerifier {
  return {
    ticket: async ({ ticket, network, targetSha256 }, signal) => {
      signal.throwIfAborted();
      const pool = openVerifyPool({ ticket, network, threads });
      const stop = (): Promise<void> => pool.close();
      signal.addEventListener('abort', stop, { once: true });
      try {
        return await verifyTicket(ticket, { network, sha256: targetSha256 }, pool.check);
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      } finally {
        signal.removeEventListener('abort', stop);
        await pool.close();
      }
    },
    tile: checkTileHere,
  };
}

/** Returns a verifier that needs no threads, for tests. */
export function localVerifier(): JobVerifier {
  return {
    ticket: ({ ticket, network, targetSha256 }) => verifyTicket(ticket, { network, sha256: targetSha256 }),
    tile: checkTileHere,
  };
}

/** Of this thread. */
const fast = openFastVerifier();

async function checkTileHere(problem: LayerProblem, tile: Tile, result: TileResult): Promise<string | null> {
  const verdict = verifyTile(problem, { tile, result, isChecked: () => true, fast });
  return verdict.kind === 'verified' ? null : verdict.reason;
}
