/** How benchmarks say what they found. */
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

/** Tells whether a module is the script that Node was started with. */
export function isMain(url) {
  return process.argv[1] === fileURLToPath(url);
}

/** Returns rows of cells as a Markdown table; the first row is its head. */
export function markdownTable([head, ...rows]) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Returns a number with its unit, three digits that matter. */
export function quantity(value, unit) {
  if (value === undefined) return '';
  const [scaled, prefix] =
    unit.includes('/s') && value >= 1e3
      ? value >= 1e6
        ? [value / 1e6, 'M ']
        : [value / 1e3, 'k ']
      : [value, ''];
  const digits = Math.abs(scaled) >= 100 ? 0 : Math.abs(scaled) >= 10 ? 1 : 2;
  return `${scaled.toFixed(digits)} ${prefix}${unit}`.trim();
}

/** Returns the table of one group's rows. */
export function groupTable(rows) {
  return markdownTable([
    ['what', 'measured', 'baseline', 'ratio'],
    ...rows.map(({ name, value, unit, baseline, ratio }) => [
      name,
      quantity(value, unit),
      quantity(baseline, unit),
      ratio === undefined ? '' : `${ratio.toFixed(2)} ×`,
    ]),
  ]);
}

/** Returns the table of what has to be shown, and whether it was. */
export function claimTable(claims) {
  return markdownTable([
    ['must show', 'wanted', 'measured', ''],
    ...claims.map(({ name, wanted, measured, holds }) => [
      name,
      wanted,
      measured ?? 'not measured',
      measured === undefined ? '' : holds ? 'yes' : 'no',
    ]),
  ]);
}

/** Returns what the figures were measured on. */
export function machine() {
  const processors = cpus();
  return { processor: processors[0]?.model.trim() ?? '', cores: processors.length, node: process.version };
}
