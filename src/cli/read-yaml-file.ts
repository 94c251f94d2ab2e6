/** YAML, and so JSON too, from files that people wrote. */
import { parse } from 'yaml';
import { misuse } from '../core/errors.ts';
import { readInputFile } from './read-input-file.ts';

/**
 * Returns what is in a YAML file, {} where it is empty; `what` is for messages: "config file". Whole numbers come as bigint, so that a
 * seed keeps all its 64 bits.
 * @throws TombolaError (misuse) when the file is not there or is no YAML, (failure) when it cannot be read.
 */
export function readYamlFile(path: string, what: string): unknown {
  const text = new TextDecoder().decode(readInputFile(path, what));
  try {
    return parse(text, { intAsBigInt: true, maxAliasCount: 0 }) ?? {};
  } catch (cause) {
    const [line = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    throw misuse(`Cannot read ${what} ${path}: ${line.replace(/:$/, '')}`, cause);
  }
}
