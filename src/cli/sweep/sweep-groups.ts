/** Cells that differ in nothing but the seed, taken together. */
import type { CellOutcome } from './run-sweep.ts';
import { type Estimate, estimateOf } from './student-t.ts';
import type { CellPlace } from './sweep-cells.ts';
import { type FigureName, figureNames } from './sweep-figures.ts';
import { type AxisName, axisNames } from './sweep-file.ts';

/** The means of some cells. */
export interface SweepGroup {
  readonly place: Omit<CellPlace, 'seed'>;
  /** Null where no cell has that figure. */
  readonly means: Readonly<Record<FigureName, Estimate | null>>;
  /** Cells that are done. */
  readonly done: number;
}

/** Returns the groups in the order of their first cells. */
export function groupCells(outcomes: readonly CellOutcome[]): SweepGroup[] {
  const members = new Map<string, CellOutcome[]>();
  for (const outcome of outcomes) {
    const { seed: _, ...place } = outcome.cell.place;
    const key = JSON.stringify(place);
    members.set(key, [...(members.get(key) ?? []), outcome]);
  }
  return [...members].map(([key, group]) => ({
    place: JSON.parse(key) as SweepGroup['place'],
    means: meansOf(group),
    done: group.filter(({ kind }) => kind === 'done').length,
  }));
}

function meansOf(group: readonly CellOutcome[]): SweepGroup['means'] {
  const entries = figureNames.map((name) => {
    const values = group.flatMap((outcome) => {
      const value = outcome.kind === 'done' ? outcome.result.figures[name] : null;
      return value === null ? [] : [value];
    });
    return [name, values.length === 0 ? null : estimateOf(values)];
  });
  return Object.fromEntries(entries) as SweepGroup['means'];
}

/** A group or a cell. */
type Placed = Pick<SweepGroup, 'place'>;

/** Returns the axes, seeds aside, along which some groups or cells differ. */
export function varyingAxes(groups: readonly Placed[]): GroupAxis[] {
  return groupAxes.filter((axis) => new Set(groups.map(({ place }) => place[axis])).size > 1);
}

/** An axis along which groups can differ. */
export type GroupAxis = Exclude<AxisName, 'seed'>;

const groupAxes = axisNames.filter((axis): axis is GroupAxis => axis !== 'seed');

/** How axes are called in tables and plots. */
export const axisTitles: Readonly<Record<GroupAxis, string>> = {
  target: 'target',
  epsilon: 'ε',
  copies: 'copies asked for',
  rule: 'rule',
  gridBits: 'grid bits',
  activation: 'activation',
  construction: 'construction',
  other: 'other options',
};

/** Returns what a place has along some axes: "ReLU, ε 0.01, 2L". */
export function placeName(place: SweepGroup['place'], axes: readonly GroupAxis[]): string {
  const plain: readonly GroupAxis[] = ['target', 'construction', 'other'];
  return axes.map((axis) => (plain.includes(axis) ? '' : `${axisTitles[axis]} `) + place[axis]).join(', ');
}
