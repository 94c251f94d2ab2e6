/** Checks a ticket's rows on the threads of this machine, through piscina. */
import { Piscina } from 'piscina';
import { misuse } from '../src/core/errors.ts';
import { poolThreadsMax } from '../src/core/limits.ts';
import type { Network } from '../src/core/network/network.ts';
import type { Ticket } from '../src/core/ticket/ticket.ts';
import type { RowsReport } from '../src/core/verify/verify-rows.ts';
import type { RowsCheck } from '../src/core/verify/verify-ticket.ts';
import { threadFlags, withoutPrototype } from './pool-options.ts';
import { withSharedArrays } from './shared-arrays.ts';
import type { VerifySubject, VerifyTask } from './verify-task.ts';

/** A check of rows that owns threads. Whoever opens it closes it. */
export interface VerifyPool {
  /**
   * Checks a range of copies on the next free thread. What a layer's ranges have in common (neurons, errors) is recognised by
   * identity: hand over the same objects for all of them, and leave their arrays as they are.
   */
  readonly check: RowsCheck;
  /** Ends the threads; ranges that are not checked are rejected. Idempotent. */
  close(): Promise<void>;
}

/** What to verify, and how. */
export interface VerifyPoolOptions {
  readonly ticket: Ticket;
  readonly network: Network;
  readonly threads: number;
  /** With the readable verifier alone, about five times as slow; by default the fast one looks first. */
  readonly isReadable?: boolean | undefined;
}

/**
 * Returns a pool with `threads` threads for one ticket against one target. The ticket and the network reach the threads once.
 * A thread keeps the context of one layer, so ranges should come layer by layer.
 * @throws TombolaError (misuse) when `threads` is not a whole number from 1 to the limit.
 */
export function openVerifyPool(options: VerifyPoolOptions): VerifyPool {
  const { ticket, network, threads, isReadable = false } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > poolThreadsMax)
    throw misuse(
      `Cannot open a pool of ${threads} threads to verify with, expected a whole number from 1 to ${poolThreadsMax}`,
    );
  const piscina = new Piscina(poolOptions({ ticket, network, isReadable }, threads));
  const copies = new WeakMap<object, unknown>();
  let closing: Promise<void> | undefined;

  function sharedOnce<T extends object>(value: T): T {
    const known = copies.get(value) as T | undefined;
    if (known !== undefined) return known;
    const copy = withSharedArrays(value);
    copies.set(value, copy);
    return copy;
  }

  return {
    check: async (index, { from, to, neurons }, errors) => {
      const task: VerifyTask = {
        index,
        range: { from, to, neurons: sharedOnce(neurons) },
        errors: sharedOnce(errors),
      };
      const report: RowsReport = await piscina.run(task, withoutPrototype({ name: 'checkRows' }));
      return report;
    },
    close: () => {
      closing ??= piscina.destroy();
      return closing;
    },
  };
}

function poolOptions({ ticket, network, isReadable }: VerifySubject, threads: number): object {
  const workerData: VerifySubject = {
    ticket: withSharedArrays(ticket),
    network: withSharedArrays(network),
    isReadable,
  };
  const count = { minThreads: threads, maxThreads: threads };
  return withoutPrototype({ filename: threadEntry(), ...count, ...threadFlags, workerData });
}

/**
 * Worker threads load JavaScript. Run from its TypeScript source, as tests do, this file lies one folder below the repository
 * root, and the compiled entry lies in dist.
 */
function threadEntry(): string {
  const place = import.meta.url.endsWith('.ts')
    ? '../dist/coordinator/verify-thread.js'
    : './verify-thread.js';
  return new URL(place, import.meta.url).href;
}
