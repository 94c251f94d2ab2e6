/**
 * Every option that describes a search, once: the command line, `--config` files and a run's config.json share the names.
 */

/** One option. */
export interface OptionRow {
  /** Without dashes; also its key in a config file. */
  readonly name: string;
  /** Placeholder of its value in the help; null for a switch. */
  readonly value: string | null;
  readonly help: string;
}

/** How image bytes become inputs: ((raw / scale) − mean) / std. */
export const scalingOptions: readonly OptionRow[] = [
  { name: 'scale', value: 'S', help: 'divide raw values by S (default: 255 for bytes, 1 for floats)' },
  { name: 'mean', value: 'M[,M…]', help: 'then subtract M, one number or one per channel (default: 0)' },
  { name: 'std', value: 'D[,D…]', help: 'then divide by D, one number or one per channel (default: 1)' },
];

/** Images and labels to compare target and ticket on. */
export const dataOptions: readonly OptionRow[] = [
  { name: 'images', value: 'FILE', help: 'images to compare target and ticket on: IDX (.gz), .npy or .npz' },
  { name: 'labels', value: 'FILE', help: 'their labels, for accuracies' },
  { name: 'skip', value: 'N', help: 'leave out the first N images (default: 0)' },
  { name: 'limit', value: 'N', help: 'use at most N images (default: all)' },
];

/** What both a search and a verification take. */
export const sharedOptions: readonly OptionRow[] = [
  {
    name: 'threads',
    value: 'N',
    help: 'worker threads (default: the available cores); no result depends on it',
  },
  {
    name: 'activation',
    value: 'NAME',
    help: 'hidden activation of a .pt target, for example relu or leakyRelu:0.1',
  },
];

/** What decides the plan. */
export const planOptions: readonly OptionRow[] = [
  {
    name: 'input-range',
    value: 'LO,HI',
    help: 'range of every input element, for gains and certificate (default: from scale, mean and std, else 0,1)',
  },
  {
    name: 'epsilon',
    value: 'E',
    help: 'largest residual over the largest weight of its layer (default: 0.01)',
  },
  {
    name: 'exact',
    value: null,
    help: 'quantise the target to the grid and hit its weights without residual',
  },
  { name: 'grid-bits', value: 'B', help: 'bits of a random number (default: 24, or 8 with --exact)' },
  { name: 'rule', value: 'RULE', help: 'fewest kept edges, or closest: fewest | closest (default: fewest)' },
  { name: 'seed', value: 'N', help: 'seed of the source, decimal or 0x…, below 2^64 (default: 1)' },
  { name: 'copies', value: 'N|auto', help: 'copies of each hidden neuron (default: auto)' },
  {
    name: 'construction',
    value: 'KIND',
    help: 'source layers for L target layers: L+1 | 2L, the baseline without copies (default: L+1)',
  },
  { name: 'bias-init', value: 'INIT', help: 'biases of the source: uniform | zero (default: uniform)' },
  {
    name: 'failure-probability',
    value: 'D',
    help: 'chance that a neuron runs out of rows; what all rows share is not counted (default: 0.001)',
  },
];

/** What only names things. */
export const namingOptions: readonly OptionRow[] = [
  { name: 'name', value: 'TEXT', help: 'name of the run (default: the name of the target file)' },
];

/** Where a search writes. */
export const outputOptions: readonly OptionRow[] = [
  { name: 'out', value: 'DIR', help: 'run folder, new or empty (default: runs/<date>_<name>)' },
];

/** What an export takes. */
export const exportOptions: readonly OptionRow[] = [
  { name: 'target', value: 'FILE', help: 'the target the ticket was made for' },
  {
    name: 'format',
    value: 'FORMAT',
    help: 'torch (safetensors with X.weight_orig and X.weight_mask), onnx, npz, safetensors (kept weights alone), or target (the target itself, for test/numpy/check_ticket.py)',
  },
  { name: 'out', value: 'FILE', help: 'the file to write' },
  { name: 'full', value: null, help: 'keep the rows and columns of the source that are pruned away' },
  { name: 'force', value: null, help: 'replace a file that is there' },
  ...sharedOptions,
];

/** All options a search takes, and so all keys of a config file. */
export const searchOptionRows: readonly OptionRow[] = [
  ...planOptions,
  ...scalingOptions,
  ...dataOptions,
  ...sharedOptions,
  ...namingOptions,
  ...outputOptions,
];

/** Options as texts, by name without dashes; a switch that is on has the text "true". */
export type RawOptions = ReadonlyMap<string, string>;
