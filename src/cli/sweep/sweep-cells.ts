/**
 * The cells of a sweep: every combination of target and options, each with a key that is a hash of all that its result depends on.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { planOptionsToJson } from '../../../coordinator/jobs/job-request.ts';
import { misuse } from '../../core/errors.ts';
import { canonicalJson } from '../../core/format/json.ts';
import { sweepCellCountMax } from '../../core/limits.ts';
import { fileSha256 } from '../file-digest.ts';
import { type LoadedTarget, loadTarget } from '../load-target.ts';
import type { RawOptions } from '../option-table.ts';
import { readInputFile } from '../read-input-file.ts';
import {
  type DataOptions,
  describeScaling,
  describeSearchOptions,
  parseSearchOptions,
  type SearchOptions,
} from '../search-options.ts';
import { tombolaVersion } from '../version.ts';
import type { AxisName, OptionLists, SweepSpec, SweepTarget } from './sweep-file.ts';

/** Where a cell stands among the others: what may vary, as text. */
export type CellPlace = Readonly<Record<AxisName, string>>;

/** One search of a sweep. */
export interface SweepCell {
  /** Hex SHA-256: equal keys, equal results. */
  readonly key: string;
  readonly place: CellPlace;
  readonly target: LoadedTarget;
  readonly options: SearchOptions;
}

/** What the command line adds to a sweep's file. */
export interface SweepContext {
  /** The folder that the paths in the file start from. */
  readonly folder: string;
  /** Options that stand in for the file's, comma lists of those that can be axes. */
  readonly given: RawOptions;
}

/** Options whose values are files. */
const pathOptions = ['images', 'labels'];
/** Options whose values hold commas of their own. */
const commaOptions = ['mean', 'std', 'input-range'];
/** Options that have an axis of their own; what else varies is told by the axis `other`. */
const axisOptions = ['epsilon', 'exact', 'copies', 'rule', 'grid-bits', 'activation', 'construction', 'seed'];

/**
 * Returns the cells in the order of the file, the last option running fastest; a cell that comes twice stands once. Cells
 * whose places differ in the seed alone differ in nothing else.
 * @throws TombolaError when a target cannot be read, an option cannot be used, or two targets have one name.
 */
export function sweepCells(spec: SweepSpec, context: SweepContext): SweepCell[] {
  const files: SweepFiles = { targets: new Map(), digests: new Map() };
  const combined = spec.targets.flatMap((target) =>
    targetOptions(spec, target, context).map((raw) => ({ target, raw })),
  );
  if (combined.length > sweepCellCountMax)
    throw misuse(
      `Cannot sweep ${spec.name}: ${combined.length} cells, expected at most ${sweepCellCountMax}; leave out some values`,
    );
  const cells = new Map<string, FoundCell>();
  for (const { target, raw } of combined) {
    const cell = cellOf(target, raw, { context, files });
    if (!cells.has(cell.key)) cells.set(cell.key, { cell, raw });
  }
  const found = [...cells.values()];
  checkNames(found.map(({ cell }) => cell));
  const names = otherNames(found);
  return found.map((each) => {
    const place = { ...each.cell.place, other: otherText(each, names) };
    return { ...each.cell, place };
  });
}

/** A cell, `other` not told yet, and its options as they were given. */
interface FoundCell {
  readonly cell: SweepCell;
  readonly raw: RawOptions;
}

/** Results are told apart by the names of their targets. */
function checkNames(cells: readonly SweepCell[]): void {
  const known = new Map<string, LoadedTarget>();
  for (const { target, place } of cells) {
    const name = JSON.stringify([place.target, place.activation]);
    const first = known.get(name) ?? target;
    known.set(name, first);
    if (first.sha256 !== target.sha256)
      throw misuse(
        `Cannot sweep two targets called ${target.name}: ${first.path} and ${target.path} differ, expected a name of its own for each, such as {file: …, name: …}`,
      );
  }
}

/** Returns the options without an axis of their own in which some cells differ that would pass for repetitions of each other. */
function otherNames(found: readonly FoundCell[]): string[] {
  const first = new Map<string, Record<string, string>>();
  const names = new Set<string>();
  for (const { cell } of found) {
    const { seed: _, ...place } = cell.place;
    const key = JSON.stringify(place);
    const texts = describeSearchOptions(cell.options);
    const alike = first.get(key) ?? texts;
    first.set(key, alike);
    for (const name of Object.keys({ ...texts, ...alike })) if (texts[name] !== alike[name]) names.add(name);
  }
  // An input range that follows from mean and std goes without saying.
  return [...names].filter((name) => !axisOptions.includes(name) && found.some(({ raw }) => raw.has(name)));
}

/** Paths are told as they were given. */
function otherText({ cell, raw }: FoundCell, names: readonly string[]): string {
  const texts = describeSearchOptions(cell.options);
  const told = names.flatMap((name) => {
    const text = pathOptions.includes(name) ? raw.get(name) : texts[name];
    return text === undefined ? [] : [`${name} ${text}`];
  });
  return told.length === 0 && names.length > 0 ? 'default' : told.join(', ');
}

/** What has been read already: many cells have one target and one set of images. */
interface SweepFiles {
  readonly targets: Map<string, LoadedTarget>;
  readonly digests: Map<string, string>;
}

function targetOptions(spec: SweepSpec, target: SweepTarget, { given }: SweepContext): RawOptions[] {
  const over: OptionLists = new Map(
    [...given].map(([name, text]) => [name, commaOptions.includes(name) ? [text] : text.split(',')]),
  );
  return spec.each.flatMap((block) => {
    const lists = new Map([...spec.options, ...block, ...target.options, ...over]);
    return combinations([...lists]);
  });
}

function combinations(lists: readonly (readonly [string, readonly string[]])[]): RawOptions[] {
  return lists.reduce<RawOptions[]>(
    (rows, [name, values]) => rows.flatMap((row) => values.map((value) => new Map([...row, [name, value]]))),
    [new Map()],
  );
}

function cellOf(
  target: SweepTarget,
  raw: RawOptions,
  { context, files }: { context: SweepContext; files: SweepFiles },
): SweepCell {
  const options = parseSearchOptions(searchOptions(raw, context));
  const path = resolve(context.folder, target.file);
  if (!existsSync(path))
    throw misuse(`Cannot read target ${path}: there is no such file; name its folder with --targets DIR`);
  const known = JSON.stringify([path, options.activation]);
  const loaded = files.targets.get(known) ?? loadTarget(path, options.activation?.value);
  files.targets.set(known, loaded);
  return {
    key: keyOf(loaded, options, files.digests),
    place: placeOf(target, options),
    target: { ...loaded, name: target.name },
    options,
  };
}

function searchOptions(raw: RawOptions, { folder, given }: SweepContext): RawOptions {
  const options = new Map(raw);
  if (raw.get('epsilon') === 'exact') {
    options.delete('epsilon');
    options.set('exact', 'true');
  }
  // What was given on the command line is relative to where it was given.
  for (const name of pathOptions) {
    const path = raw.get(name);
    if (path !== undefined && !given.has(name)) options.set(name, resolve(folder, path));
  }
  return options;
}

function placeOf(target: SweepTarget, { plan, activation }: SearchOptions): CellPlace {
  return {
    target: target.name,
    epsilon: plan.mode === 'exact' ? 'exact' : String(plan.epsilon),
    copies: String(plan.copies),
    rule: plan.rule,
    gridBits: String(plan.gridBits),
    activation: activation?.name ?? '',
    construction: plan.construction ?? 'L+1',
    other: '',
    seed: plan.seed.toString(),
  };
}

/** The name of the target and the number of threads are no part of it: no figure depends on them. */
function keyOf(target: LoadedTarget, options: SearchOptions, digests: Map<string, string>): string {
  const text = canonicalJson({
    tombola: tombolaVersion(),
    target: target.sha256,
    plan: planOptionsToJson(options.plan),
    scaling: describeScaling(options.scaling),
    data: options.data === null ? null : dataIdentity(options.data, digests),
  });
  return createHash('sha256').update(text).digest('hex');
}

function dataIdentity({ images, labels, skip, limit }: DataOptions, digests: Map<string, string>): object {
  const digestOf = (path: string): string => {
    const digest = digests.get(path) ?? fileSha256(readInputFile(path, 'data'));
    digests.set(path, digest);
    return digest;
  };
  return { images: digestOf(images), labels: labels === null ? null : digestOf(labels), skip, limit };
}
