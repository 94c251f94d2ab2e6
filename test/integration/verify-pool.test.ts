import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openVerifyPool, type VerifyPool } from '../../coordinator/verify-pool.ts';
import type { Ticket } from '../../src/core/ticket/ticket.ts';
import { ticketContext } from '../../src/core/verify/layer-context.ts';
import { localCheck, neuronsOfCopies, verifyTicket } from '../../src/core/verify/verify-ticket.ts';
import { forgeries } from '../support/forged-tickets.ts';
import { denseTarget, type SmallTicket, smallTicket, spatialTarget } from '../support/small-tickets.ts';

const cases: readonly SmallTicket[] = [
  await smallTicket(denseTarget),
  await smallTicket(spatialTarget, { inputRange: [-1, 1] }),
  await smallTicket(denseTarget, { mode: 'exact', gridBits: 8, inputRange: [-1, 1] }),
];

/** The ticket with one bit of a copy's mask turned over. */
function damaged(ticket: Ticket): Ticket {
  const layers = ticket.layers.map((layer) => ({ ...layer, masks: layer.masks.slice() }));
  const masks = layers[1]?.masks ?? new Uint8Array(0);
  masks[0] = (masks[0] ?? 0) ^ 1;
  return { ...ticket, layers };
}

describe.each([1, 2])('verification on %d threads', (threads) => {
  describe.each(cases.map((subject, k) => [k, subject] as const))(
    'of ticket %d',
    (_, { ticket, network, sha256 }) => {
      let pool: VerifyPool;
      beforeAll(() => {
        pool = openVerifyPool({ ticket, network, threads });
      });
      afterAll(() => pool.close());

      it('gives the verdict that one thread gives, to the last bit', async () => {
        const expected = await verifyTicket(ticket, { network, sha256 });
        expect(expected.fault).toBeNull();
        expect(await verifyTicket(ticket, { network, sha256 }, pool.check)).toEqual(expected);
      });

      it('gives the reports that one thread gives, in any order of layers and ranges', async () => {
        const local = localCheck(ticketContext(ticket, network));
        const tasks = [2, 0, 1, 0].flatMap((index) => {
          const layer = ticket.layers[index];
          if (layer === undefined) throw new Error('a ticket of three layers');
          const neurons = neuronsOfCopies(layer);
          const cols = ticket.source.layers[index + 1]?.cols ?? 0;
          const errors = {
            low: new Float64Array(cols).fill(-0.25),
            high: new Float64Array(cols).fill(0.125),
          };
          return [0, 1, 2].map((from) => ({ index, range: { from, to: from + 1, neurons }, errors }));
        });
        const found = await Promise.all(
          tasks.map(({ index, range, errors }) => pool.check(index, range, errors)),
        );
        const expected = await Promise.all(
          tasks.map(({ index, range, errors }) => local(index, range, errors)),
        );
        expect(found).toEqual(expected);
      });
    },
  );

  it('refuses tickets by hand as one thread does', async () => {
    for (const { ticket, network, sha256, fault } of forgeries()) {
      const pool = openVerifyPool({ ticket, network, threads });
      expect((await verifyTicket(ticket, { network, sha256 }, pool.check)).fault).toMatch(fault);
      await pool.close();
    }
  });

  it('finds the fault that one thread finds', async () => {
    for (const { ticket, network, sha256 } of cases) {
      const wrong = damaged(ticket);
      const expected = await verifyTicket(wrong, { network, sha256 });
      expect(expected.fault).toMatch(/source layer 3/);
      const pool = openVerifyPool({ ticket: wrong, network, threads });
      expect(await verifyTicket(wrong, { network, sha256 }, pool.check)).toEqual(expected);
      await pool.close();
    }
  });
});

describe('opening and closing a pool to verify with', () => {
  const [{ ticket, network }] = cases as [SmallTicket];

  it.each([0, -1, 1.5, Number.NaN, 1e6])('refuses %d threads', (threads) => {
    expect(() => openVerifyPool({ ticket, network, threads })).toThrow(/expected a whole number from 1/);
  });

  it('rejects what is not checked when it closes, and may be closed twice', async () => {
    const pool = openVerifyPool({ ticket, network, threads: 1 });
    const neurons = new Int32Array(1);
    const errors = { low: new Float64Array(99), high: new Float64Array(99) };
    const outcome = pool.check(0, { from: 0, to: 1, neurons }, errors).then(
      () => 'checked',
      () => 'rejected',
    );
    await Promise.all([pool.close(), pool.close()]);
    expect(await outcome).toBe('rejected');
  });
});
