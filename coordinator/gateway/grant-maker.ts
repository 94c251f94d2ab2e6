/** Makes the messages that grant leases: a layer's spec once per session, a tile's targets encoded once, however often it is leased. */
import { grantLeaseCountMax } from '../../src/core/limits.ts';
import { specOf } from '../../src/core/protocol/layer-spec.ts';
import { leaseOf } from '../../src/core/protocol/lease-tile.ts';
import type { GatewayMessage, Lease, Spec } from '../../src/core/protocol/messages.ts';
import type { TileWork } from '../jobs/ledger-port.ts';
import type { LedgerEffect } from '../ledger.ts';
import { leaseToken } from '../tokens.ts';

type GrantedLease = Extract<LedgerEffect, { kind: 'grant' }>['leases'][number];

/** Bytes of targets in one grant: larger ones would only delay the others on the connection. */
const grantBytes = 1 << 20;

/** Makes grants. */
export interface GrantMaker {
  /** Returns the messages that grant these leases, in the order to send them. */
  messages(
    to: { readonly session: string; readonly worker: string },
    granted: readonly { readonly lease: GrantedLease; readonly work: TileWork }[],
  ): GatewayMessage[];
  /** Forgets what the session has been sent. */
  forget(session: string): void;
}

/** Returns a maker of grants whose tokens are signed with the key of the moment. */
export function grantMaker(key: () => Uint8Array): GrantMaker {
  /** Digests of the specs each session has. */
  const sent = new Map<string, Set<string>>();
  const specs = new WeakMap<TileWork['problem'], Spec>();
  const encoded = new WeakMap<TileWork['tile'], Lease>();

  function specFor({ problem, problemDigest }: TileWork): Spec {
    const known = specs.get(problem);
    if (known !== undefined) return known;
    const spec = specOf(problem, problemDigest);
    specs.set(problem, spec);
    return spec;
  }

  function leaseFor(worker: string, { lease, work }: { lease: GrantedLease; work: TileWork }): Lease {
    const { job, attempt, leaseMs } = lease;
    const token = leaseToken(key(), {
      job,
      tile: lease.tile,
      attempt,
      worker,
      expiryMs: Date.now() + leaseMs,
    });
    const grant = { job, spec: work.problemDigest, token, attempt, leaseMs };
    const known = encoded.get(work.tile);
    if (known !== undefined) return { ...known, ...grant };
    const fresh = leaseOf(work.tile, grant);
    encoded.set(work.tile, fresh);
    return fresh;
  }

  return {
    messages: ({ session, worker }, granted) => {
      const messages: GatewayMessage[] = [];
      const known = sent.get(session) ?? new Set();
      sent.set(session, known);
      for (const { work } of granted) {
        if (known.has(work.problemDigest)) continue;
        known.add(work.problemDigest);
        messages.push(specFor(work));
      }
      for (const leases of batches(granted.map((one) => leaseFor(worker, one))))
        messages.push({ kind: 'grant', leases });
      return messages;
    },
    forget: (session) => sent.delete(session),
  };
}

function batches(leases: readonly Lease[]): Lease[][] {
  const result: Lease[][] = [];
  let sizeBytes = 0;
  for (const lease of leases) {
    const last = result.at(-1);
    if (last === undefined || last.length >= grantLeaseCountMax || sizeBytes >= grantBytes) {
      result.push([lease]);
      sizeBytes = 0;
    } else last.push(lease);
    sizeBytes += lease.targets.length;
  }
  return result;
}
