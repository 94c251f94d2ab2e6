/**
 * The picture of a layer's tiles: one character per cell, a cell being one tile or, where there are more tiles than cells, a run of
 * neighbours. Character '0' + 8·mark + level: `level` is how much of the cell is done, in sevenths, 7 only when all of it is; `mark` is
 * the most notable thing in it.
 */

/** What is most notable in a cell, least to most. */
export const cellMarks = ['none', 'working', 'retried', 'failed'] as const;

/** A cell as it is drawn. */
export interface Cell {
  /** 0 … 7. */
  readonly level: number;
  readonly mark: (typeof cellMarks)[number];
}

const levelMax = 7;
const codeOfZero = 48;
/** What a tile is doing, in {@link cellsOf}. `retrying`, `doneLater`: somebody had worked on it in vain before. */
export const stateCodes = {
  waiting: 0,
  working: 1,
  retrying: 2,
  done: 3,
  doneLater: 4,
  failed: 5,
} as const;
/** By state code. */
const markOfState = Uint8Array.of(0, 1, 2, 0, 2, 3);
const isDoneState = Uint8Array.of(0, 0, 0, 1, 1, 0);

/** Returns how many tiles one cell stands for, when at most `cellsMax` cells are drawn. */
export function tilesPerCell(tiles: number, cellsMax: number): number {
  return Math.max(1, Math.ceil(tiles / cellsMax));
}

/** Returns the cells of tiles given by their {@link stateCodes}, in order. O(tiles): 100,000 take about 0.3 ms. */
export function cellsOf(states: Uint8Array, perCell: number): string {
  const cells = new Uint8Array(Math.ceil(states.length / perCell));
  for (let cell = 0; cell < cells.length; cell++) {
    const end = Math.min(states.length, (cell + 1) * perCell);
    const start = cell * perCell;
    let done = 0;
    let mark = 0;
    for (let tile = start; tile < end; tile++) {
      const state = states[tile] ?? 0;
      done += isDoneState[state] ?? 0;
      mark = Math.max(mark, markOfState[state] ?? 0);
    }
    const level = Math.floor((levelMax * done) / (end - start));
    cells[cell] = codeOfZero + 8 * mark + level;
  }
  return String.fromCharCode(...cells);
}

/** Returns the cell that a character's code stands for. */
export function cellOf(code: number): Cell {
  const value = code - codeOfZero;
  return { level: value & levelMax, mark: cellMarks[value >> 3] ?? 'none' };
}
