/** Writes what a sweep found: every cell as JSONL and CSV, the means as a page with table and plots. */
import { writeDurably } from '../run-folder.ts';
import { tombolaVersion } from '../version.ts';
import type { CellOutcome } from './run-sweep.ts';
import { figureNames } from './sweep-figures.ts';
import { type AxisName, axisNames, type SweepSpec } from './sweep-file.ts';
import { groupCells, type SweepGroup } from './sweep-groups.ts';
import { type SweepPlot, sweepPlots } from './sweep-plots.ts';
import { markdownTable, sweepTable } from './sweep-table.ts';

/** Names of the files. */
export const resultFiles = { lines: 'results.jsonl', table: 'results.csv', page: 'README.md' } as const;

/** A cell as one flat row. What was not measured is null. */
type ResultRow = Readonly<Record<string, string | number | null>>;

/** Writes all files; returns the page's table and list of failures. */
export function writeResults(
  folder: string,
  spec: SweepSpec,
  { outcomes, command }: { readonly outcomes: readonly CellOutcome[]; readonly command: string },
): string {
  const rows = outcomes.map(rowOf);
  writeDurably(folder, resultFiles.lines, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  writeDurably(folder, resultFiles.table, csv(rows));
  const groups = groupCells(outcomes);
  const plots = sweepPlots(groups);
  for (const { file, svg } of plots) writeDurably(folder, file, svg);
  const body = [sweepTable(groups, spec), caption(groups), failureList(outcomes)]
    .filter((part) => part !== '')
    .join('\n\n');
  writeDurably(folder, resultFiles.page, page(spec, { body, plots, command }));
  return body;
}

function rowOf(outcome: CellOutcome): ResultRow {
  const { cell } = outcome;
  const isDone = outcome.kind === 'done';
  return {
    ...(cell.place satisfies Readonly<Record<AxisName, string>>),
    status: outcome.kind,
    reason: isDone ? null : outcome.reason,
    targetSha256: cell.target.sha256,
    ticketSha256: isDone ? outcome.result.ticketSha256 : null,
    ...Object.fromEntries(figureNames.map((name) => [name, isDone ? outcome.result.figures[name] : null])),
  };
}

/** Comma-separated values as RFC 4180 has them; nothing stands for what was not measured. */
function csv(rows: readonly ResultRow[]): string {
  const names = [...axisNames, 'status', 'reason', 'targetSha256', 'ticketSha256', ...figureNames];
  const cell = (value: string | number | null | undefined): string => {
    const text = String(value ?? '');
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [names, ...rows.map((row) => names.map((name) => row[name]))]
    .map((cells) => `${cells.map(cell).join(',')}\r\n`)
    .join('');
}

function caption(groups: readonly SweepGroup[]): string {
  const counts = new Set(groups.map(({ done }) => done));
  const largest = Math.max(...counts);
  if (largest < 2) return '';
  const seeds = counts.size === 1 ? `${largest} seeds` : `up to ${largest} seeds`;
  return `Means over ${seeds}, with 95 % intervals (Student t) where they vary.`;
}

function failureList(outcomes: readonly CellOutcome[]): string {
  const failed = outcomes.flatMap((outcome) => (outcome.kind === 'failed' ? [outcome] : []));
  if (failed.length === 0) return '';
  const rows = failed.map(({ cell, reason }) => [...axisNames.map((axis) => cell.place[axis]), reason]);
  return `Failed: ${failed.length} of ${outcomes.length} cells.\n\n${markdownTable([...axisNames, 'reason'], rows)}`;
}

function page(
  { name, about }: SweepSpec,
  { body, plots, command }: { body: string; plots: readonly SweepPlot[]; command: string },
): string {
  const images = plots.map(({ title, file }) => `![${title}](${file})`);
  return [
    `# ${name}`,
    about,
    `\`\`\`\n${command}\n\`\`\``,
    body,
    ...images,
    `Every cell is in [${resultFiles.lines}](${resultFiles.lines}) and [${resultFiles.table}](${resultFiles.table}). Tombola ${tombolaVersion()}.`,
  ]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n');
}
