/** The means of a sweep as a Markdown table: one row per group, or one per group beside another. */
import type { FigureName } from './sweep-figures.ts';
import { figures, writeFigure } from './sweep-figures.ts';
import type { AxisName } from './sweep-file.ts';
import { axisTitles, type GroupAxis, type SweepGroup, varyingAxes } from './sweep-groups.ts';

/** How a table is laid out. */
export interface TableLayout {
  readonly columns: readonly FigureName[];
  /** The axis that goes across. */
  readonly beside: AxisName | null;
}

/** Returns the table. What is the same in every group is no column; a group without a result has dashes. */
export function sweepTable(groups: readonly SweepGroup[], { columns, beside }: TableLayout): string {
  const across = varyingAxes(groups).find((axis) => axis === beside) ?? null;
  const axes = varyingAxes(groups).filter((axis) => axis !== across);
  const shown: GroupAxis[] = axes.length === 0 ? ['target'] : axes;
  const sides = across === null ? [null] : [...new Set(groups.map(({ place }) => place[across]))];
  const rows = new Map<string, SweepGroup[]>();
  for (const group of groups) {
    const key = JSON.stringify(shown.map((axis) => group.place[axis]));
    rows.set(key, [...(rows.get(key) ?? []), group]);
  }
  const head = sides.flatMap((side) =>
    columns.map((name) => `${side === null ? '' : `${side}: `}${figures[name].title}`),
  );
  const lines = [...rows].map(([key, members]) => [
    ...(JSON.parse(key) as string[]),
    ...sides.flatMap((side) => {
      const group = members.find(({ place }) => across === null || place[across] === side);
      return columns.map((name) => cellText(name, group));
    }),
  ]);
  return markdownTable([...shown.map((axis) => axisTitles[axis]), ...head], lines);
}

function cellText(name: FigureName, group: SweepGroup | undefined): string {
  const estimate = group?.means[name] ?? null;
  return estimate === null ? '–' : writeFigure(name, estimate.mean, estimate.halfWidth);
}

/** Returns a Markdown table; bars in cells are escaped. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
