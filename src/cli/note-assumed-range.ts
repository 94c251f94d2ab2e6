/** A note that every command gives which plans. */
import type { CommandContext } from './command-context.ts';
import type { SearchOptions } from './search-options.ts';

/** Says which range the inputs are taken to have, where nobody has. */
export function noteAssumedRange(options: SearchOptions, context: CommandContext): void {
  if (options.isInputRangeAssumed)
    context.note('Inputs are taken to lie between 0 and 1; if they do not, say so with --input-range LO,HI.');
}
