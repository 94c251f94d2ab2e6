/**
 * A run's config.json: what is needed to go on with an interrupted run, and to make the same run again.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { failure, misuse } from '../core/errors.ts';
import type { LoadedTarget } from './load-target.ts';
import type { RawOptions } from './option-table.ts';
import { readInputFile } from './read-input-file.ts';
import { isComplete, runFiles, writeDurably } from './run-folder.ts';
import { describeSearchOptions, type SearchOptions } from './search-options.ts';
import { tombolaVersion } from './version.ts';

const configSchema = z.object({
  target: z.string(),
  targetSha256: z.string(),
  options: z.record(z.string(), z.string()),
});

/** What a run folder knows of its run. */
export interface RunConfig {
  readonly target: string;
  readonly targetSha256: string;
  readonly options: RawOptions;
}

/** Writes config.json. Paths become absolute, so that a run can be resumed from anywhere. */
export function writeRunConfig(folder: string, target: LoadedTarget, options: SearchOptions): void {
  const { images, labels, ...rest } = describeSearchOptions(options);
  const config = {
    target: resolve(target.path),
    targetSha256: target.sha256,
    options: {
      ...rest,
      ...(images === undefined ? {} : { images: resolve(images) }),
      ...(labels === undefined ? {} : { labels: resolve(labels) }),
    },
    versions: { tombola: tombolaVersion(), node: process.version },
  };
  writeDurably(folder, runFiles.config, `${JSON.stringify(config, null, 2)}\n`);
}

/**
 * Returns the config of a run that is to be resumed.
 * @throws TombolaError (misuse) when the folder holds no run or a complete one, (failure) when its config is damaged.
 */
export function readRunConfig(folder: string): RunConfig {
  const path = join(folder, runFiles.config);
  if (!existsSync(path))
    throw misuse(
      `Cannot resume ${folder}: it holds no ${runFiles.config}, expected the folder of an interrupted run`,
    );
  if (isComplete(folder))
    throw misuse(
      `Cannot resume ${folder}: the run is complete, its ticket is ${join(folder, runFiles.ticket)}`,
    );
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(readInputFile(path, "the run's config")));
  } catch (cause) {
    throw failure(`Cannot resume ${folder}: ${runFiles.config} is no JSON; start a new run`, cause);
  }
  const parsed = configSchema.safeParse(value);
  if (!parsed.success)
    throw failure(
      `Cannot resume ${folder}: ${runFiles.config} has no usable ${parsed.error.issues[0]?.path.join('.') || 'contents'}; start a new run`,
    );
  return { ...parsed.data, options: new Map(Object.entries(parsed.data.options)) };
}
