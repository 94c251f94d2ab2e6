/**
 * Proves the misses of a result. "No subset here" carries no proof, but the block in question can be solved again: one block for each
 * row that is no copy, where the whole result has hundreds for every row. So nobody's word for a miss is needed, and two workers
 * that tell the same lie gain nothing.
 */
import { blocksPerRow, type LayerProblem, type Solver, type Tile } from '../../src/core/plan/tile.ts';
import type { TileCheckPool } from './tile-check-pool.ts';

/** A row that a result says is no copy. */
interface Claim {
  readonly row: number;
  /** Its first block without a subset. */
  readonly block: number;
  /** Index in the tile of the neuron that the row is for. */
  readonly index: number;
}

/** Returns the checks, which solve claimed misses again where the task wants that; what cannot be solved stays a claim. */
export function provingChecks(checks: TileCheckPool, solver: Solver): TileCheckPool {
  return {
    check: async (task) => {
      const reply = await checks.check(task);
      if (reply.kind === 'refused' || !reply.claimsMisses || task.provesMisses !== true) return reply;
      try {
        const reason = await missFault(solver, task, reply.misses);
        return reason === null ? { ...reply, claimsMisses: false } : { kind: 'refused', reason };
      } catch {
        // The ledger has a claim confirmed by somebody it trusts.
        return reply;
      }
    },
    close: () => checks.close(),
  };
}

/**
 * Returns the first claim that is wrong; null when all are right.
 * @param misses shape [misses, 2]: row and first block without a subset, of a result whose structure has been checked.
 */
export async function missFault(
  solver: Solver,
  { problem, tile }: { readonly problem: LayerProblem; readonly tile: Tile },
  misses: Int32Array,
): Promise<string | null> {
  const claims = claimsOf(tile, misses);
  const biasBlock = blocksPerRow(problem) - 1;
  const inGroups = claims.filter(({ block }) => block < biasBlock);
  // The bias block's target depends on what the other blocks keep.
  const inBias = claims.filter(({ block }) => block === biasBlock);
  const faults = await Promise.all([
    inGroups.length === 0 ? null : groupFault(solver, { problem, tile }, inGroups),
    inBias.length === 0 ? null : claimFault(solver, problem, rowsOf(tile, inBias, tile.targets), inBias),
  ]);
  return faults.find((fault) => fault !== null) ?? null;
}

/** Solves the rows over those groups only in which one of them is said to miss: an honest row has subsets in all before its own. */
function groupFault(
  solver: Solver,
  { problem, tile }: { problem: LayerProblem; tile: Tile },
  claims: readonly Claim[],
): Promise<string | null> {
  const { taps, channels } = problem;
  const groups = [...new Set(claims.map(({ block }) => Math.floor(block / taps)))].sort((a, b) => a - b);
  const size = channels * taps;
  const targets = new Int32Array(tile.neurons.length * groups.length * taps);
  tile.neurons.forEach((_, index) => {
    groups.forEach((group, place) => {
      const from = index * size + (problem.groupChannels[group] ?? 0) * taps;
      targets.set(tile.targets.subarray(from, from + taps), (index * groups.length + place) * taps);
    });
  });
  const moved = claims.map((claim) => ({
    ...claim,
    block: groups.indexOf(Math.floor(claim.block / taps)) * taps + (claim.block % taps),
  }));
  return claimFault(solver, onlyGroups(problem, groups), rowsOf(tile, claims, targets), moved);
}

async function claimFault(
  solver: Solver,
  problem: LayerProblem,
  tile: Tile,
  claims: readonly Claim[],
): Promise<string | null> {
  const { misses } = await solver.solve(problem, tile);
  const found = new Map<number, number>();
  for (let k = 0; k < misses.length; k += 2) found.set(misses[k] ?? -1, misses[k + 1] ?? -1);
  const wrong = claims.find(({ row, block }) => found.get(row) !== block);
  return wrong === undefined ? null : `row ${wrong.row} has subsets where the result says that it has none`;
}

/** The layer with some of its groups, each with targets of its own. */
function onlyGroups(problem: LayerProblem, groups: readonly number[]): LayerProblem {
  const { groupOffsets, groupColumns, groupMultipliers } = problem;
  const entries = (array: Int32Array): Int32Array =>
    Int32Array.from(
      groups.flatMap((group) => [...array.subarray(groupOffsets[group], groupOffsets[group + 1])]),
    );
  const offsets = [0];
  for (const group of groups)
    offsets.push((offsets.at(-1) ?? 0) + (groupOffsets[group + 1] ?? 0) - (groupOffsets[group] ?? 0));
  return {
    ...problem,
    channels: groups.length,
    groupOffsets: Int32Array.from(offsets),
    groupColumns: entries(groupColumns),
    groupChannels: Int32Array.from(groups, (_, place) => place),
    groupMultipliers: groupMultipliers && entries(groupMultipliers),
  };
}

/** A tile that tries just the rows of some claims. @param targets of every neuron of the tile. */
function rowsOf(tile: Tile, claims: readonly Claim[], targets: Int32Array): Tile {
  const size = targets.length / tile.neurons.length;
  const own = new Int32Array(claims.length * size);
  claims.forEach(({ index }, place) => {
    own.set(targets.subarray(index * size, (index + 1) * size), place * size);
  });
  return {
    ...tile,
    neurons: claims.map(({ row, index }) => ({
      neuron: tile.neurons[index]?.neuron ?? 0,
      firstRow: row,
      rowCount: 1,
      wanted: 1,
    })),
    targets: own,
    biasTargets: Float64Array.from(claims, ({ index }) => tile.biasTargets[index] ?? 0),
  };
}

function claimsOf({ neurons }: Tile, misses: Int32Array): Claim[] {
  const claims: Claim[] = [];
  for (let k = 0; k < misses.length; k += 2) {
    const [row = 0, block = 0] = [misses[k], misses[k + 1]];
    const index = neurons.findIndex(({ firstRow, rowCount }) => row >= firstRow && row < firstRow + rowCount);
    claims.push({ row, block, index });
  }
  return claims;
}
