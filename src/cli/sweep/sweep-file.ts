/**
 * The file of a sweep, YAML:
 *
 *   name: copies                       names the folder of its results
 *   about: one sentence                stands above its table
 *   targets:                           files, beside the sweep's file or in the folder that --targets names
 *     - model.onnx
 *     - {file: model.onnx, name: ReLU, mean: 0.1307}      options of this target alone
 *   options:                           options of `tombola search`; a list is an axis
 *     seed: [1, 2, 3]
 *     epsilon: [0.1, 0.01, exact]      `exact` stands for --exact
 *   each:                              optional: the options are taken with each of these in turn
 *     - {epsilon: exact, grid-bits: [6, 8]}
 *   columns: [keptEdges, error]        of the table, see sweep-figures.ts
 *   beside: construction               optional: this axis goes across the table, all others down
 *
 * Every combination of target and options is a cell: one search. Options that have no column of their own in the results (axisNames)
 * share the column `other` where they vary.
 */
import { basename } from 'node:path';
import { z } from 'zod';
import { misuse } from '../../core/errors.ts';
import { searchOptionRows } from '../option-table.ts';
import { readYamlFile } from '../read-yaml-file.ts';
import { type FigureName, figureNames } from './sweep-figures.ts';

/** Texts of one option: more than one make an axis. */
export type OptionLists = ReadonlyMap<string, readonly string[]>;

/** A target of a sweep. */
export interface SweepTarget {
  readonly name: string;
  /** As the file has it. */
  readonly file: string;
  readonly options: OptionLists;
}

/** A sweep as its file describes it. */
export interface SweepSpec {
  readonly name: string;
  readonly about: string;
  readonly targets: readonly SweepTarget[];
  readonly options: OptionLists;
  /** At least one. */
  readonly each: readonly OptionLists[];
  readonly columns: readonly FigureName[];
  readonly beside: AxisName | null;
}

/** What may vary from cell to cell and is told of each. */
export const axisNames = [
  'target',
  'epsilon',
  'copies',
  'rule',
  'gridBits',
  'activation',
  'construction',
  'other',
  'seed',
] as const;

/** One of {@link axisNames}. */
export type AxisName = (typeof axisNames)[number];

/** Options of a search that are not a sweep's to choose; `exact` is a value of epsilon here. */
const foreignOptions = ['threads', 'name', 'out', 'exact'];
const knownOptions = searchOptionRows
  .map(({ name }) => name)
  .filter((name) => !foreignOptions.includes(name));

const scalar = z.union([z.string(), z.number(), z.bigint()]);
const optionsSchema = z.record(z.string(), z.union([scalar, z.array(scalar).min(1)]));
const targetSchema = z.union([
  z.string().min(1),
  z
    .object({ file: z.string().min(1), name: z.string().min(1).optional() })
    .catchall(z.union([scalar, z.array(scalar).min(1)])),
]);
const fileSchema = z.strictObject({
  name: z.string().regex(/^[\p{L}\p{N}._-]+$/u, 'expected letters, digits, dots and dashes'),
  about: z.string().default(''),
  targets: z.array(targetSchema).min(1),
  options: optionsSchema.default({}),
  each: z.array(optionsSchema).min(1).default([{}]),
  columns: z.array(z.enum(figureNames)).min(1),
  beside: z.enum(axisNames).nullable().default(null),
});

/**
 * Returns the sweep of a file.
 * @throws TombolaError (misuse) when it is missing or a key of it cannot be used, (failure) when it is no YAML.
 */
export function readSweepFile(path: string): SweepSpec {
  const parsed = fileSchema.safeParse(readYamlFile(path, 'sweep file'));
  if (!parsed.success) throw misuse(`Cannot use sweep file ${path}: ${problemOf(parsed.error)}`);
  const { targets, options, each, ...rest } = parsed.data;
  return {
    ...rest,
    options: optionLists(options, path),
    each: each.map((block) => optionLists(block, path)),
    targets: targets.map((target) => targetOf(typeof target === 'string' ? { file: target } : target, path)),
  };
}

function targetOf(
  { file, name, ...options }: Exclude<z.infer<typeof targetSchema>, string>,
  path: string,
): SweepTarget {
  return {
    file,
    name: name ?? basename(file).replace(/\.[^.]*$/, ''),
    options: optionLists(options as z.infer<typeof optionsSchema>, path),
  };
}

function optionLists(options: z.infer<typeof optionsSchema>, path: string): OptionLists {
  return new Map(
    Object.entries(options).map(([name, value]) => {
      if (!knownOptions.includes(name))
        throw misuse(
          `Cannot use sweep file ${path}: unknown option ${JSON.stringify(name)}, expected one of ${knownOptions.join(', ')}`,
        );
      return [name, (Array.isArray(value) ? value : [value]).map(String)];
    }),
  );
}

function problemOf(error: z.ZodError): string {
  const [issue] = error.issues;
  if (issue?.code === 'unrecognized_keys')
    return `unknown key ${JSON.stringify(issue.keys[0])}, expected name, about, targets, options, each, columns or beside`;
  const where = issue?.path.join('.') ?? '';
  return `${where === '' ? 'it' : where}: ${issue?.message ?? 'not as expected'}`;
}
