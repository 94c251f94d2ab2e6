/** The README's section on speed, from one run's results. */
import { claimTable, markdownTable, quantity } from './report.mjs';

/** Returns the section between the markers: what must be shown, and the kernel beside the native baseline. */
export function readmeSection({ machine: { processor, cores, node }, notes, groups, claims }) {
  const about = `\`npm run bench -- --readme\` made these tables on ${processor} (${cores} shared cores, Node ${node}). Rates are per second of processor time on one core; the baseline is
C in [test/bench/native](test/bench/native), \`cc -O3 -march=native\`, run in turns with the kernel on the same blocks, with the same
masks: enumeration of sizes 1, 2, … for \`fewest\`, meet in the middle for \`closest\` (always, where the kernel first looks for exact hits of few samples:
hence the ratios of its last line). Samples and targets are uniform.`;
  const wide = (groups.wide ?? []).map(({ name, value, unit }) => [name, quantity(value, unit)]);
  return [
    about,
    ...notes,
    claimTable(claims.filter(({ measured }) => measured !== undefined)),
    ...(groups.kernel === undefined ? [] : [kernelTable(groups.kernel)]),
    ...(wide.length === 0 ? [] : [markdownTable([['wide layer', ''], ...wide])]),
  ].join('\n\n');
}

/** Plain samples only: the products' rows are in the benchmark's own output. */
function kernelTable(rows) {
  const cells = new Map();
  for (const { name, value, baseline, ratio } of rows) {
    const [rule, samples, size, epsilon] = name.split(', ');
    if (samples !== 'plain') continue;
    const line = `${rule}, ${epsilon}`;
    if (!cells.has(line)) cells.set(line, new Map());
    const shown = quantity(value, 'blocks/s').replace(' blocks/s', '').replace('blocks/s', '');
    cells.get(line).set(size, baseline === undefined ? shown : `${shown.trim()} (${ratio.toFixed(1)} ×)`);
  }
  const sizes = [...new Set([...cells.values()].flatMap((line) => [...line.keys()]))];
  return markdownTable([
    ['blocks/s (ratio to C)', ...sizes],
    ...[...cells].map(([line, bySize]) => [line, ...sizes.map((size) => bySize.get(size) ?? '')]),
  ]);
}
