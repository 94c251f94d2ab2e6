/** The options of `tombola sweep`. */
import { dataOptions, type OptionRow, planOptions, scalingOptions, sharedOptions } from '../option-table.ts';
import { remoteSearchOptions } from '../remote/connection-options.ts';

/** What the command takes for itself. */
const ownOptions: readonly OptionRow[] = [
  {
    name: 'targets',
    value: 'DIR',
    help: 'folder that the paths of the sweep file start from (default: its own)',
  },
  {
    name: 'cells',
    value: 'N',
    help: 'searches at a time (default: the available cores, at most 4); no result depends on it',
  },
  {
    name: 'out',
    value: 'DIR',
    help: 'folder of the results, or of a sweep to go on with (default: runs/sweep-NAME)',
  },
];

/** Where `--epsilon exact` is what `--exact` is elsewhere, the help says so. */
const exactHelp: Readonly<Record<string, string>> = {
  epsilon:
    "largest residual over the largest weight of its layer, or exact: the quantised target's (default: 0.01)",
  'grid-bits': 'bits of a random number (default: 24, or 8 where epsilon is exact)',
};

/** Options of each search, which stand in for the file's. */
const cellOptions: readonly OptionRow[] = [
  ...planOptions
    .filter(({ name }) => name !== 'exact')
    .map((row) => ({ ...row, help: exactHelp[row.name] ?? row.help })),
  ...dataOptions,
  ...scalingOptions,
  ...sharedOptions,
];

/** All of them. */
export const sweepOptions: readonly OptionRow[] = [...ownOptions, ...cellOptions, ...remoteSearchOptions];

/** Names of the options that a search gets. */
export const cellOptionNames: readonly string[] = cellOptions.map(({ name }) => name);

/** Stands below the options in the help. */
export const sweepHelp = `
The file, in YAML:
  name: rules                      # the results go to runs/sweep-rules
  targets: [model.onnx]            # or {file: model.onnx, name: ReLU}
  options:                         # of tombola search; a list is taken value by value
    seed: [1, 2, 3]
    epsilon: [0.01, exact]
  columns: [keptEdges, error]      # optional; the table's. Also optional: about, each, beside
One of mnist-mlp, copies, exact-vs-tolerance, depth and digits comes with Tombola. Options given here
stand in for the file's, comma lists too: --seed 1,2,3.`;
