/**
 * The benchmark: `npm run bench`, or after a build `node test/bench/bench.mjs [options]`.
 *
 *     --only GROUP[:TEXT]  one group; of its rows only those whose name contains TEXT (kernel, targets). May be repeated
 *     --quick              short runs of everything but the wide layer, for a first look
 *     --from FILE          takes what is not run now from an earlier run's --json
 *     --json               machine-readable results on stdout instead of tables
 *     --readme             writes the tables between the speed markers of README.md, too; wants the full run
 *
 * Rates are of processor time on one core unless a row says otherwise; each is the median of several runs, and what is compared
 * is run in turns. Progress goes to stderr.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { checkClaims } from './claims.mjs';
import { codec } from './groups/codec.mjs';
import { kernel } from './groups/kernel.mjs';
import { merge } from './groups/merge.mjs';
import { philox } from './groups/philox.mjs';
import { planner } from './groups/planner.mjs';
import { targets } from './groups/targets.mjs';
import { threads } from './groups/threads.mjs';
import { verifier } from './groups/verifier.mjs';
import { wide } from './groups/wide.mjs';
import { readmeSection } from './readme-section.mjs';
import { claimTable, groupTable, machine } from './report.mjs';

const groups = { kernel, philox, verifier, merge, planner, codec, threads, targets, wide };
/** Left out of quick runs unless asked for. */
const slow = ['wide'];

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    from: { type: 'string' },
    json: { type: 'boolean', default: false },
    readme: { type: 'boolean', default: false },
  },
});
const wanted = chosenGroups();
const earlier =
  options.from === undefined ? { notes: [], groups: {} } : JSON.parse(readFileSync(options.from, 'utf8'));
const notes = new Set(earlier.notes);
const measuredNow = {};
for (const { name, pattern } of wanted) {
  const note = (line) => {
    process.stderr.write(`${name}: ${line}\n`);
    if (line.startsWith('no ')) notes.add(line);
  };
  note('…');
  const rows = await groups[name]({ quick: options.quick, note, pattern });
  const measured = rows.map((row) =>
    row.baseline === undefined ? row : { ...row, ratio: row.value / row.baseline },
  );
  measuredNow[name] = [...(measuredNow[name] ?? []), ...measured];
}
const results = { ...earlier.groups, ...measuredNow };
const found = { machine: machine(), notes: [...notes], groups: results, claims: checkClaims(results) };
process.stdout.write(`${options.json ? JSON.stringify(found, null, 2) : tables(found)}\n`);
if (options.readme) writeReadme(found);

function chosenGroups() {
  const asked = options.only ?? Object.keys(groups).filter((name) => !(options.quick && slow.includes(name)));
  const chosen = asked.map((each) => {
    const [name, pattern] = each.split(/:(.*)/s);
    return { name, pattern };
  });
  const unknown = chosen.find(({ name }) => groups[name] === undefined);
  if (unknown === undefined) return chosen;
  const known = Object.keys(groups).join(', ');
  process.stderr.write(`Cannot run the group ${unknown.name}: expected one of ${known}\n`);
  return process.exit(2);
}

function tables({ machine: { processor, cores, node }, notes: remarks, groups: measured, claims }) {
  const parts = [`${processor}, ${cores} cores, Node ${node}`, ...remarks];
  for (const [name, rows] of Object.entries(measured)) parts.push(`## ${name}`, groupTable(rows));
  return [...parts, '## must show', claimTable(claims)].join('\n\n');
}

function writeReadme(measured) {
  const place = new URL('../../README.md', import.meta.url);
  const text = readFileSync(place, 'utf8');
  const parts = /(<!-- speed -->\n)[\s\S]*(<!-- \/speed -->)/;
  if (!parts.test(text)) {
    process.stderr.write('Cannot write to README.md: no <!-- speed --> markers, expected a pair of them\n');
    process.exit(1);
  }
  writeFileSync(
    place,
    text.replace(parts, (_, open, close) => `${open}${readmeSection(measured)}\n${close}`),
  );
}
