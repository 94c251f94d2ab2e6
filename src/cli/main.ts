/**
 * The `tombola` command: runs it, turns errors into one line and an exit code (0 done, 1 failed or not verified, 2 misused),
 * and signals into a clean stop. The first SIGINT or SIGTERM stops the search and keeps what it solved; a second one exits.
 */
import { CommanderError } from 'commander';
import { TombolaError } from '../core/errors.ts';
import { exitCodes } from './command-context.ts';
import { tombolaProgram } from './program.ts';

/** Thrown where a signal stopped the work. */
class Interruption extends Error {
  override readonly name = 'Interruption';
}

const abort = new AbortController();
let adviceWhenInterrupted: string | undefined;

process.exitCode = await run(process.argv.slice(2));

async function run(args: readonly string[]): Promise<number> {
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop(name));
  // Our bug, in something that nobody waits for: a ledger that breaks, for one. Nothing can be relied on from here.
  process.on('uncaughtException', (error) => process.exit(explain(error, args)));
  // A reader such as `head` may leave early; what it did not want need not be written.
  process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code === 'EPIPE') process.exit(exitCodes.done);
    say(
      `Cannot print the result: ${code === 'ENOSPC' ? 'the disk is full' : message}; check where the output goes`,
    );
    process.exit(exitCodes.failed);
  });
  let code: number = exitCodes.done;
  const program = tombolaProgram(
    {
      signal: abort.signal,
      onInterrupt: (advice) => {
        adviceWhenInterrupted = advice;
      },
    },
    (outcome) => {
      code = outcome;
    },
  );
  if (args.length === 0) {
    process.stderr.write(program.helpInformation());
    return exitCodes.misused;
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return explain(error, args);
  }
}

function stop(name: string): void {
  if (abort.signal.aborted) process.exit(exitCodes.failed);
  process.stderr.write(`\nStopping on ${name}; once more to exit at once.\n`);
  abort.abort(new Interruption(name));
}

/** Says in one line what went wrong; returns the exit code. */
function explain(error: unknown, args: readonly string[]): number {
  const kept =
    adviceWhenInterrupted === undefined ? '' : ` What was solved is kept. ${adviceWhenInterrupted}`;
  if (abort.signal.aborted) {
    say(`Interrupted.${kept}`);
    return exitCodes.failed;
  }
  // Help and version have been printed by then.
  if (error instanceof CommanderError) return exitCodes.done;
  if (error instanceof TombolaError) {
    const advice = error.kind === 'failure' ? adviceWhenInterrupted : undefined;
    say(advice === undefined ? error.message : `${error.message}. ${advice}`);
    return error.kind === 'misuse' ? exitCodes.misused : exitCodes.failed;
  }
  const message = error instanceof Error ? error.message : String(error);
  say(`Unexpected error, this is a bug: ${message.replace(/\s*\n\s*/g, ' ')} (--debug prints where).${kept}`);
  if (args.includes('--debug') && error instanceof Error) say(error.stack ?? '');
  return exitCodes.failed;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
