/**
 * The commands and their options, as commander reads them. A command is loaded when it is called: all of them together take half a
 * second, and most need little.
 */
import { Command, type CommanderError } from 'commander';
import { misuse } from '../core/errors.ts';
import { type CommandContext, type CommandProcess, commandContext, type Outcome } from './command-context.ts';
import {
  dataOptions,
  exportOptions,
  namingOptions,
  type OptionRow,
  outputOptions,
  planOptions,
  type RawOptions,
  scalingOptions,
  sharedOptions,
} from './option-table.ts';
import {
  revokeOptions,
  serveOptions,
  statusOptions,
  tokenCommandOptions,
  workerOptions,
} from './remote/command-options.ts';
import { connectionOptions, remoteSearchOptions, retryOption } from './remote/connection-options.ts';
import { sweepHelp, sweepOptions } from './sweep/sweep-options.ts';
import { tombolaVersion } from './version.ts';

/** Options that choose what a command does rather than what it finds. */
const steering = new Set(['json', 'debug', 'config', 'resume', 'dry-run']);

/** Loads a command and runs it. */
type Act = (raw: RawOptions, context: CommandContext) => Promise<Outcome>;

/** Adds commands to the program. */
interface Adder {
  add(usage: string, help: string, rows: readonly OptionRow[]): Command;
  run(command: Command, act: Act): Promise<void>;
}

/**
 * Returns the program. Parsing it runs a command, whose outcome goes to `report`. What it cannot parse is thrown as misuse; commander's
 * own error is thrown when it has printed what was asked for, such as help.
 */
export function tombolaProgram(process_: CommandProcess, report: (outcome: Outcome) => void): Command {
  const program = new Command('tombola')
    .description(
      'Finds strong lottery tickets: pruned random networks that compute what a trained network computes.',
    )
    .version(tombolaVersion())
    // Options behind a command's own command, as in `token revoke`, are that one's.
    .enablePositionalOptions()
    .configureOutput({ writeErr: () => undefined });
  program.exitOverride(thrower(program));
  const adder: Adder = {
    add: (usage, help, rows) => addOptions(program.command(usage).description(help), rows),
    run: async (command, act) => {
      const context = commandContext(process_, command.getOptionValue('json') === true);
      report(await act(await optionsOf(command), context));
    },
  };
  addSearchCommands(adder);
  addTicketCommands(adder);
  addJobCommands(adder);
  addServices(adder);
  return program;
}

function addSearchCommands({ add, run }: Adder): void {
  const searchRows = [...planOptions, ...scalingOptions, ...dataOptions, ...sharedOptions, ...namingOptions];
  add('plan <target>', 'print what a search would cost', searchRows)
    .option('--config <FILE>', 'options in YAML or JSON; the command line wins')
    .action((target: string, _, command: Command) =>
      run(command, async (raw, context) => {
        const { planCommand } = await import('./commands/search.ts');
        return planCommand(target, raw, context);
      }),
    );
  add('search [target]', 'find a ticket, verify it, and write a run folder', [
    ...searchRows,
    ...outputOptions,
    ...remoteSearchOptions,
  ])
    .option('--config <FILE>', 'options in YAML or JSON; the command line wins')
    .option('--resume <DIR>', 'go on with an interrupted run, with its own options')
    .option('--dry-run', 'only print what it would cost')
    .action((target: string | undefined, _, command: Command) =>
      run(command, (raw, context) => search({ target, command }, raw, context)),
    );
}

function addTicketCommands({ add, run }: Adder): void {
  add('verify <ticket>', 'check a ticket against its target', [
    { name: 'target', value: 'FILE', help: 'the target the ticket was made for' },
    {
      name: 'readable',
      value: null,
      help: 'check residuals in plain TypeScript alone, about five times as slow',
    },
    ...dataOptions,
    ...scalingOptions,
    ...sharedOptions,
  ]).action((ticket: string, _, command: Command) =>
    run(command, async (raw, context) => {
      const { verifyCommand } = await import('./commands/verify.ts');
      return verifyCommand(ticket, raw, context);
    }),
  );
  add('export <ticket>', 'write a ticket for PyTorch, ONNX Runtime or NumPy', exportOptions).action(
    (ticket: string, _, command: Command) =>
      run(command, async (raw, context) => {
        const { exportCommand } = await import('./commands/export.ts');
        return exportCommand(ticket, raw, context);
      }),
  );
  add('inspect <file>', 'print what a target or a ticket holds', sharedOptions.slice(1)).action(
    (file: string, _, command: Command) =>
      run(command, async (raw, context) => {
        const { inspectCommand } = await import('./commands/inspect.ts');
        return inspectCommand(file, raw, context);
      }),
  );
  add(
    'sweep <file>',
    'search every combination of targets and options in a file; table and plots',
    sweepOptions,
  )
    .addHelpText('after', sweepHelp)
    .action((file: string, _, command: Command) =>
      run(command, async (raw, context) => {
        const { sweepCommand } = await import('./commands/sweep.ts');
        return sweepCommand(file, raw, context);
      }),
    );
  add('example', 'search on the small network that comes with Tombola', [
    ...planOptions,
    ...sharedOptions.slice(0, 1),
    ...outputOptions,
  ]).action((_, command: Command) =>
    run(command, async (raw, context) => {
      const { exampleCommand } = await import('./commands/example.ts');
      return exampleCommand(raw, context);
    }),
  );
}

function addJobCommands({ add, run }: Adder): void {
  const submitRows = [...planOptions, ...scalingOptions, ...sharedOptions.slice(1), ...namingOptions];
  const remoteRows = remoteSearchOptions.filter(({ name }) => name !== retryOption.name);
  add('submit <target>', 'have a coordinator search for a ticket, and print the job', [
    ...submitRows,
    ...remoteRows,
  ])
    .option('--config <FILE>', 'options in YAML or JSON; the command line wins')
    .action((target: string, _, command: Command) =>
      run(command, async (raw, context) => {
        const { submitCommand } = await import('./commands/jobs.ts');
        return submitCommand(target, raw, context);
      }),
    );
  add('status [job]', "print how a coordinator's jobs and workers do", statusOptions).action(
    (job: string | undefined, _, command: Command) =>
      run(command, async (raw, context) => {
        const { statusCommand } = await import('./commands/jobs.ts');
        return statusCommand(job, raw, context);
      }),
  );
  add('cancel <job>', 'end a job; what it solved is kept', connectionOptions).action(
    (job: string, _, command: Command) =>
      run(command, async (raw, context) => {
        const { cancelCommand } = await import('./commands/jobs.ts');
        return cancelCommand(job, raw, context);
      }),
  );
  add('fetch <job>', "get a job's ticket, verify it here, and write a run folder", [
    ...connectionOptions,
    retryOption,
    { name: 'target', value: 'FILE', help: 'check against this target (default: what was submitted)' },
    ...dataOptions,
    ...scalingOptions,
    ...sharedOptions,
    ...namingOptions,
    ...outputOptions,
  ]).action((job: string, _, command: Command) =>
    run(command, async (raw, context) => {
      const { fetchCommand } = await import('./commands/fetch.ts');
      return fetchCommand(job, raw, context);
    }),
  );
}

function addServices({ add, run }: Adder): void {
  add('serve', 'run a coordinator', serveOptions).action((_, command: Command) =>
    run(command, async (raw, context) => {
      const { serveCommand } = await import('./commands/serve.ts');
      return serveCommand(raw, context);
    }),
  );
  add('node', 'run a coordinator and a worker, one of many equals', serveOptions).action(
    (_, command: Command) =>
      run(command, async (raw, context) => {
        const { nodeCommand } = await import('./commands/node.ts');
        return nodeCommand(raw, context);
      }),
  );
  add('worker <url...>', 'solve for coordinators', workerOptions).action(
    (urls: string[], _, command: Command) =>
      run(command, async (raw, context) => {
        const { workerCommand } = await import('./commands/worker.ts');
        return workerCommand(urls, raw, context);
      }),
  );
  const token = add('token', 'make an access token for a coordinator', tokenCommandOptions);
  token.enablePositionalOptions();
  token.action((_, command: Command) =>
    run(command, async (raw, context) => {
      const { tokenCommand } = await import('./commands/token.ts');
      return tokenCommand(raw, context);
    }),
  );
  const revoke = token
    .command('revoke <id>')
    .description('end a token, given whole or by its id')
    .addHelpText(
      'after',
      `
All tokens with that id end. A coordinator that runs notices within three
seconds, without a restart, and its workers with that token have to go.`,
    );
  addOptions(revoke, revokeOptions).action((id: string, _, command: Command) =>
    run(command, async (raw, context) => {
      const { revokeCommand } = await import('./commands/token.ts');
      return revokeCommand(id, raw, context);
    }),
  );
}

async function search(
  { target, command }: { readonly target: string | undefined; readonly command: Command },
  raw: RawOptions,
  context: CommandContext,
): Promise<Outcome> {
  const { planCommand, resumeCommand, searchCommand } = await import('./commands/search.ts');
  const resume = textOf(command, 'resume');
  const isDryRun = command.getOptionValue('dryRun') === true;
  if (resume !== undefined) {
    if (isDryRun) throw misuse('Cannot use --dry-run with --resume: leave one of them out');
    return resumeCommand({ folder: resume, targetPath: target }, raw, context);
  }
  if (target === undefined) throw misuse('Cannot search without a target: name its file, or --resume DIR');
  return isDryRun ? planCommand(target, raw, context) : searchCommand(target, raw, context);
}

function addOptions(command: Command, rows: readonly OptionRow[]): Command {
  for (const { name, value, help } of rows)
    command.option(value === null ? `--${name}` : `--${name} <${value}>`, help);
  return command
    .exitOverride(thrower(command))
    .option('--json', 'print the result as JSON')
    .option('--debug', 'print the stack of an unexpected error');
}

/** Returns how a command throws what ends it, with the help to read. */
function thrower(command: Command): (error: CommanderError) => never {
  return (error) => {
    if (error.exitCode === 0) throw error;
    const called = nameOf(command);
    const reason = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
    throw misuse(`Cannot run ${called}: ${reason}; see ${called} --help`, error);
  };
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

/** What was given, over what the config file says. */
async function optionsOf(command: Command): Promise<RawOptions> {
  const given = new Map<string, string>();
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    if (steering.has(option.name())) continue;
    if (typeof value === 'string') given.set(option.name(), value);
    else if (value === true) given.set(option.name(), 'true');
  }
  const config = textOf(command, 'config');
  if (config === undefined) return given;
  const { mergeOptions, readConfigFile } = await import('./config-file.ts');
  return mergeOptions(readConfigFile(config), given);
}

function textOf(command: Command, attribute: string): string | undefined {
  const value: unknown = command.getOptionValue(attribute);
  return typeof value === 'string' ? value : undefined;
}
