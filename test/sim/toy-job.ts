/**
 * Jobs that are small but real: layer problems with tiles solved by the readable solver, bodies in the real encoding, verdicts of the
 * real verification; all remembered, for the simulator asks again and again. A job has two stages: which tiles the second one has
 * depends on the results of the first, so one wrong result changes everything after it.
 */
import { referenceSolveTile } from '../../src/core/plan/reference-solver.ts';
import { type LayerProblem, rowMaskBytes, type Tile, type TileResult } from '../../src/core/plan/tile.ts';
import { decodeResultBody, encodeResultBody } from '../../src/core/protocol/mask-code.ts';
import { verifyTile } from '../../src/core/verify/verify-tile.ts';
import { hashText } from './prng.ts';

/** A tile of a toy job: one of the pool under a name of its own. */
export interface ToyTile {
  readonly id: string;
  readonly base: number;
}

/** A toy job's plan. */
export interface ToyJob {
  readonly job: string;
  readonly priority: number;
  readonly first: readonly ToyTile[];
  readonly secondCount: number;
}

/** How a result can be wrong. */
export type Lie = 'wrong-mask' | 'false-miss' | 'all-missed' | 'garbage' | 'other-tile';

/** What verification says of a body. */
export interface BodyVerdict {
  readonly isValid: boolean;
  readonly claimsMisses: boolean;
}

/** Tiles in the pool. */
export const poolSize = 12;
/** Blocks of a tile whose result no volunteer can send. */
export const largeTileBlocks = 21;

/** The layer that all toy tiles belong to. */
export const toyProblem: LayerProblem = {
  seed: 77n,
  gridBits: 8,
  sourceLayer: 1,
  rows: 4096,
  cols: 12,
  taps: 1,
  channels: 2,
  groupOffsets: Int32Array.of(0, 5, 10),
  groupColumns: Int32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
  groupChannels: Int32Array.of(0, 1),
  groupMultipliers: null,
  sampleShift: 0,
  rule: 'fewest',
  tolerance: 9,
  bias: {
    elements: Int32Array.of(10, 11),
    values: Int32Array.of(90, -40),
    sampleShift: 7,
    ownScale: 1,
    interceptScale: 0,
    tolerance: 200,
  },
};

/** Returns the pool's tile `base` under an id. */
export function toyTileOf({ id, base }: ToyTile): Tile {
  return { ...baseTile(base), id };
}

/** Returns a job's plan. */
export function toyJob(
  job: string,
  shape: { priority: number; firstCount: number; secondCount: number },
): ToyJob {
  const first = Array.from({ length: shape.firstCount }, (_, index) =>
    nameTile(`${job}/1/${index}`, hashText(`${job}${index}`) % poolSize),
  );
  return { job, priority: shape.priority, first, secondCount: shape.secondCount };
}

/** Returns the second stage's tiles, given the bodies of the first's in order. */
export function secondStage(job: ToyJob, bodies: readonly string[]): ToyTile[] {
  const hash = hashText(bodies.join('|'));
  return Array.from({ length: job.secondCount }, (_, index) =>
    nameTile(`${job.job}/2/${index}/${hash}`, (hash + 5 * index) % poolSize),
  );
}

/** Returns what a job comes to without any faults. */
export function faultFree(job: ToyJob): string {
  const first = job.first.map(({ base }) => honestBody(base));
  return [...first, ...secondStage(job, first).map(({ base }) => honestBody(base))].join('|');
}

/** Returns the one right body of a tile. */
export function honestBody(base: number): string {
  return remembered(`honest/${base}`, () => bodyOf(base, solved(base)));
}

/** Returns a wrong body of a tile; the same each time. */
export function lyingBody(base: number, lie: Lie): string {
  return remembered(`${lie}/${base}`, () => {
    switch (lie) {
      case 'wrong-mask':
        return wrongBody(base);
      case 'false-miss':
        return bodyOf(
          base,
          pretended(base, (row, firstCopy) => row === firstCopy),
        );
      case 'all-missed':
        return bodyOf(
          base,
          pretended(base, () => true),
        );
      case 'garbage':
        return '\x13\x37\xff\x00garbage';
      case 'other-tile':
        return honestBody((base + 1) % poolSize);
    }
  });
}

/** Returns which tile of the pool a name stands for. */
export function baseOf(tile: string): number {
  return bases.get(tile) ?? 0;
}

/** Forgets the names given so far. */
export function forgetNames(): void {
  bases.clear();
}

/** Returns what the real decoder and the real verification say of a body. */
export function verifyBody(base: number, body: string): BodyVerdict {
  const key = `${base}/${body}`;
  const known = verdicts.get(key);
  if (known !== undefined) return known;
  const verdict = verify(base, body);
  if (verdicts.size < 10_000) verdicts.set(key, verdict);
  return verdict;
}

const tiles = new Map<number, Tile>();
const bodies = new Map<string, string>();
const bases = new Map<string, number>();
const verdicts = new Map<string, BodyVerdict>();
const rowsPerNeuron = 6;

function verify(base: number, body: string): BodyVerdict {
  const tile = baseTile(base);
  let result: TileResult;
  try {
    result = decodeResultBody(
      toyProblem,
      tile,
      Uint8Array.from(body, (char) => char.charCodeAt(0)),
    );
  } catch {
    return { isValid: false, claimsMisses: false };
  }
  const verdict = verifyTile(toyProblem, { tile, result, isChecked: () => true });
  return { isValid: verdict.kind === 'verified', claimsMisses: result.misses.length > 0 };
}

function remembered(key: string, make: () => string): string {
  const known = bodies.get(key);
  if (known !== undefined) return known;
  const made = make();
  bodies.set(key, made);
  return made;
}

function nameTile(name: string, base: number): ToyTile {
  const id = Array.from({ length: 8 }, (_, part) => hashText(`${part}${name}`).toString(16).padStart(8, '0'));
  const tile = { id: id.join(''), base };
  bases.set(tile.id, base);
  return tile;
}

function baseTile(base: number): Tile {
  const known = tiles.get(base);
  if (known !== undefined) return known;
  const word = (index: number): number => (hashText(`${base}/${index}`) % 160) - 80;
  const tile: Tile = {
    id: 'pool',
    sourceLayer: 1,
    pass: 0,
    neurons: [0, 1].map((neuron) => ({
      neuron,
      firstRow: (2 * base + neuron) * rowsPerNeuron,
      rowCount: rowsPerNeuron,
      wanted: 2,
    })),
    targets: Int32Array.from({ length: 4 }, (_, index) => word(index)),
    biasTargets: Float64Array.from({ length: 2 }, (_, index) => word(9 + index)),
  };
  tiles.set(base, tile);
  return tile;
}

function solved(base: number): TileResult {
  return referenceSolveTile(toyProblem, baseTile(base));
}

function bodyOf(base: number, result: TileResult): string {
  return String.fromCharCode(...encodeResultBody(toyProblem, baseTile(base), result));
}

/** Returns a body with flipped bits that does not verify: not every flip leaves the tolerance. */
function wrongBody(base: number): string {
  const result = solved(base);
  for (let flip = 1; flip < 256; flip++) {
    const masks = result.masks.slice();
    masks[0] = (masks[0] ?? 0) ^ flip;
    const body = bodyOf(base, { ...result, masks });
    if (!verifyBody(base, body).isValid) return body;
  }
  throw new Error('no flip makes a wrong body');
}

/** Returns the result of someone who says of certain rows that they have no subset. */
function pretended(base: number, isHidden: (row: number, firstCopy: number) => boolean): TileResult {
  const tile = baseTile(base);
  // With every copy wanted, the solver tries every row.
  const all = referenceSolveTile(toyProblem, {
    ...tile,
    neurons: tile.neurons.map((neuron) => ({ ...neuron, wanted: neuron.rowCount })),
  });
  const rowBytes = rowMaskBytes(toyProblem);
  const firstCopy = all.copyRows[0] ?? -1;
  const copyCounts: number[] = [];
  const copyRows: number[] = [];
  const masks: number[] = [];
  const misses: number[] = [];
  for (const { firstRow, rowCount, wanted } of tile.neurons) {
    let found = 0;
    for (let row = firstRow; row < firstRow + rowCount && found < wanted; row++) {
      const copy = all.copyRows.indexOf(row);
      const miss = Array.from({ length: all.misses.length / 2 }, (_, k) => k).find(
        (k) => all.misses[2 * k] === row,
      );
      if (copy < 0 || isHidden(row, firstCopy)) {
        misses.push(row, miss === undefined ? 0 : (all.misses[2 * miss + 1] ?? 0));
        continue;
      }
      found++;
      copyRows.push(row);
      masks.push(...all.masks.subarray(copy * rowBytes, (copy + 1) * rowBytes));
    }
    copyCounts.push(found);
  }
  return {
    tileId: tile.id,
    copyCounts: Int32Array.from(copyCounts),
    copyRows: Int32Array.from(copyRows),
    masks: Uint8Array.from(masks),
    misses: Int32Array.from(misses),
  };
}
