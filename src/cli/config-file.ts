/**
 * `--config FILE`: options in YAML or JSON under the names they have on the command line, which wins over the file.
 */
import { z } from 'zod';
import { misuse } from '../core/errors.ts';
import { type RawOptions, searchOptionRows } from './option-table.ts';
import { readYamlFile } from './read-yaml-file.ts';

const scalar = z.union([z.string(), z.number(), z.bigint()]);
const fileSchema = z.record(z.string(), z.union([scalar, z.boolean(), z.array(scalar).min(1)]));

/**
 * Returns the options of a config file.
 * @throws TombolaError (misuse) when it is missing, is no YAML or holds an unknown key.
 */
export function readConfigFile(path: string): RawOptions {
  const parsed = fileSchema.safeParse(readYamlFile(path, 'config file'));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join('.') ?? '';
    throw misuse(
      `Cannot use config file ${path}: ${where === '' ? 'it' : `key ${where}`} is no option, expected lines such as "epsilon: 0.01"`,
    );
  }
  const options = new Map<string, string>();
  for (const [name, value] of Object.entries(parsed.data)) {
    const row = searchOptionRows.find((known) => known.name === name);
    if (row === undefined)
      throw misuse(
        `Cannot use config file ${path}: unknown key ${JSON.stringify(name)}, expected one of ${searchOptionRows.map((known) => known.name).join(', ')}`,
      );
    if ((row.value === null) !== (typeof value === 'boolean'))
      throw misuse(
        `Cannot use config file ${path}: ${name} is ${JSON.stringify(String(value))}, expected ${row.value ?? 'true or false'}`,
      );
    if (value !== false) options.set(name, String(value));
  }
  return options;
}

/** Returns `under` overlaid with `over`. Of --exact and --epsilon only the overlay's survives. */
export function mergeOptions(under: RawOptions, over: RawOptions): RawOptions {
  const merged = new Map(under);
  if (over.has('exact')) merged.delete('epsilon');
  if (over.has('epsilon')) merged.delete('exact');
  for (const [name, text] of over) merged.set(name, text);
  return merged;
}
