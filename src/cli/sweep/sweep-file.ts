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
 *   columns: [keptEdges, error]        optional: those of the table, see sweep-figures.ts
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
  name: z.string().regex(/^[\p{L}\p{N}._-]+$/u),
  about: z.string().default(''),
  targets: z.array(targetSchema).min(1),
  options: optionsSchema.default({}),
  each: z.array(optionsSchema).min(1).default([{}]),
  columns: z.array(z.enum(figureNames)).min(1).default(['sourceWeights', 'keptEdges', 'agreement', 'error']),
  beside: z.enum(axisNames).nullable().default(null),
});

/**
 * Returns the sweep of a file.
 * @throws TombolaError (misuse) when it is missing, is no YAML or a key of it cannot be used.
 */
export function readSweepFile(path: string): SweepSpec {
  const value = readYamlFile(path, 'sweep file');
  const parsed = fileSchema.safeParse(value);
  if (!parsed.success) throw misuse(`Cannot use sweep file ${path}: ${problemOf(parsed.error, value)}`);
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

/** What each key of the file takes, behind "expected". */
const wanted: Readonly<Record<keyof z.infer<typeof fileSchema>, string>> = {
  name: 'letters, digits, dots and dashes: it names the folder of the results',
  about: 'a sentence',
  targets: 'a list of files such as [model.onnx], or of {file: model.onnx, name: ReLU}',
  options: 'options of tombola search, each with a value or a list of values',
  each: 'a list of options of tombola search, each with a value or a list of values',
  columns: `a list of some of ${figureNames.join(', ')}`,
  beside: `one of ${axisNames.join(', ')}`,
};

function problemOf(error: z.ZodError, value: unknown): string {
  const keys = Object.keys(wanted).join(', ');
  const [issue] = error.issues;
  if (issue?.code === 'unrecognized_keys' && issue.path.length === 0)
    return `unknown key ${JSON.stringify(issue.keys[0])}, expected ${keys}`;
  const path = (issue?.path ?? []).map(String);
  const [key = ''] = path;
  const what = key in wanted ? wanted[key as keyof typeof wanted] : `the keys ${keys}`;
  const found = path.reduce<unknown>((inner, name) => (inner as Record<string, unknown>)[name], value);
  const text = JSON.stringify(found, (_, part) => (typeof part === 'bigint' ? String(part) : part));
  return `${path.join('.') || 'it'} is ${found === undefined ? 'missing' : text}, expected ${what}`;
}
