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

/** Options of each search, which stand in for the file's; `--epsilon exact` is what `--exact` is elsewhere. */
const cellOptions: readonly OptionRow[] = [
  ...planOptions.filter(({ name }) => name !== 'exact'),
  ...dataOptions,
  ...scalingOptions,
  ...sharedOptions,
];

/** All of them. */
export const sweepOptions: readonly OptionRow[] = [...ownOptions, ...cellOptions, ...remoteSearchOptions];

/** Names of the options that a search gets. */
export const cellOptionNames: readonly string[] = cellOptions.map(({ name }) => name);
