/**
 * What every command gets from the process it runs in, and how it gives its result.
 */
import { openProgress, type Progress } from './progress.ts';

/** The process around a command. */
export interface CommandContext {
  readonly signal: AbortSignal;
  readonly isJson: boolean;
  readonly progress: Progress;
  /** Says on stderr what a person should know; silent with --json. */
  note(line: string): void;
  /** Prints the result on stdout. */
  print(text: string): void;
  /** Says how to go on, should the command be interrupted from now on. */
  onInterrupt(advice: string): void;
}

/** The part of the context that main.ts provides. */
export interface CommandProcess {
  readonly signal: AbortSignal;
  onInterrupt(advice: string): void;
}

/** Returns the context of one command. */
export function commandContext(process_: CommandProcess, isJson: boolean): CommandContext {
  return {
    signal: process_.signal,
    isJson,
    progress: openProgress(process.stderr, { isQuiet: isJson }),
    note: (line) => {
      if (!isJson) process.stderr.write(`${line}\n`);
    },
    print: (text) => {
      process.stdout.write(`${text}\n`);
    },
    onInterrupt: (advice) => process_.onInterrupt(advice),
  };
}

/** Exit codes. */
export const exitCodes = { done: 0, failed: 1, misused: 2 } as const;

/** What a command ends with: 0, or 1 when something did not verify. */
export type Outcome = 0 | 1;
