/**
 * The keys that all gateways sign leases with, so that each knows a lease of any other: a cell `keys.lease` with JSON of
 * {current, previous} (secrets in base64url) and the time at which the current one was made. Whoever finds that older than a day
 * makes a new one; the one before stays good until then, far longer than a lease lasts.
 */
import { z } from 'zod';
import { leaseKeyMs } from '../../src/core/limits.ts';
import type { Cell, Cells } from '../engine/nats/cells.ts';
import { isLeaseToken, type LeaseClaim, newTokenKey } from '../tokens.ts';

const secret = z.string().regex(/^[A-Za-z0-9_-]{43,}$/);
const cellSchema = z.strictObject({
  current: secret,
  previous: secret.nullable(),
  madeAtMs: z.number(),
});
type Stored = z.infer<typeof cellSchema>;

const key = 'keys.lease';

/** Keys that are made anew from time to time. */
export class LeaseKeys {
  private readonly cells: Cells;
  private readonly stop: () => void;
  private readonly timer: ReturnType<typeof setInterval>;
  private stored: Stored;

  private constructor(cells: Cells, stored: Stored, stop: () => void) {
    this.cells = cells;
    this.stored = stored;
    this.stop = stop;
    this.timer = setInterval(() => void this.rotate(), leaseKeyMs / 24);
  }

  /** Returns the keys of a cluster, which are made if there are none. */
  static async open(cells: Cells): Promise<LeaseKeys> {
    let keys: LeaseKeys | undefined;
    const first = await newest(cells);
    const stop = await cells.watch(key, (_, cell) => {
      if (cell !== null && keys !== undefined) keys.stored = decoded(cell);
    });
    keys = new LeaseKeys(cells, first, stop);
    return keys;
  }

  /** Signs new leases. */
  current(): Uint8Array {
    return bytesOf(this.stored.current);
  }

  /** Whether a gateway of the cluster has made the token for this very claim, and it has not expired. */
  accepts(token: Uint8Array, claim: LeaseClaim): boolean {
    const { current, previous } = this.stored;
    return [current, previous].some(
      (text) => text !== null && isLeaseToken(bytesOf(text), token, claim, Date.now()),
    );
  }

  close(): void {
    clearInterval(this.timer);
    this.stop();
  }

  /** Never rejects: the keys there are stay good. */
  private async rotate(): Promise<void> {
    try {
      this.stored = await newest(this.cells);
    } catch {
      // The next one tries again.
    }
  }
}

/** Returns the keys, made anew if it is time; of several gateways that do so at once one is the first. */
async function newest(cells: Cells): Promise<Stored> {
  for (;;) {
    const cell = await cells.read(key);
    const known = cell === undefined ? undefined : decoded(cell);
    if (known !== undefined && Date.now() - known.madeAtMs < leaseKeyMs) return known;
    const fresh: Stored = {
      current: Buffer.from(newTokenKey().secret).toString('base64url'),
      previous: known?.current ?? null,
      madeAtMs: Date.now(),
    };
    const text = new TextEncoder().encode(JSON.stringify(fresh));
    if ((await cells.set(key, text, cell?.revision ?? 0)) !== null) return fresh;
  }
}

function decoded({ value }: Cell): Stored {
  return cellSchema.parse(JSON.parse(new TextDecoder().decode(value)));
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64url'));
}
