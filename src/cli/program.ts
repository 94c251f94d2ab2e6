/**
 * The commands and their options, as commander reads them.
 */
import { Command } from 'commander';
import { misuse } from '../core/errors.ts';
import { type CommandProcess, commandContext, type Outcome } from './command-context.ts';
import { exampleCommand } from './commands/example.ts';
import { inspectCommand } from './commands/inspect.ts';
import { cancelCommand, fetchCommand, statusCommand, statusOptions, submitCommand } from './commands/jobs.ts';
import { planCommand, resumeCommand, searchCommand } from './commands/search.ts';
import { serveCommand, serveOptions } from './commands/serve.ts';
import { tokenCommand, tokenCommandOptions } from './commands/token.ts';
import { verifyCommand } from './commands/verify.ts';
import { workerCommand, workerOptions } from './commands/worker.ts';
import { mergeOptions, readConfigFile } from './config-file.ts';
import {
  dataOptions,
  namingOptions,
  type OptionRow,
  outputOptions,
  planOptions,
  type RawOptions,
  scalingOptions,
  sharedOptions,
} from './option-table.ts';
import { connectionOptions, remoteSearchOptions, retryOption } from './remote/connection-options.ts';
import { tombolaVersion } from './version.ts';

/** Options that choose what a command does rather than what it finds. */
const steering = new Set(['json', 'debug', 'config', 'resume', 'dry-run']);

/**
 * Returns the program. Parsing it runs a command, whose outcome goes to `report`; commander's own messages are thrown.
 */
export function tombolaProgram(process_: CommandProcess, report: (outcome: Outcome) => void): Command {
  const program = new Command('tombola')
    .description(
      'Finds strong lottery tickets: pruned random networks that compute what a trained network computes.',
    )
    .version(tombolaVersion())
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  const add = (usage: string, help: string, rows: readonly OptionRow[]): Command =>
    addOptions(program.command(usage).description(help), rows);

  const searchRows = [...planOptions, ...scalingOptions, ...dataOptions, ...sharedOptions, ...namingOptions];
  add('plan <target>', 'print what a search would cost', searchRows)
    .option('--config <FILE>', 'options in YAML or JSON; the command line wins')
    .action(async (target: string, _, command: Command) => {
      report(await planCommand(target, optionsOf(command), contextOf(process_, command)));
    });
  add('search [target]', 'find a ticket, verify it, and write a run folder', [
    ...searchRows,
    ...outputOptions,
    ...remoteSearchOptions,
  ])
    .option('--config <FILE>', 'options in YAML or JSON; the command line wins')
    .option('--resume <DIR>', 'go on with an interrupted run, with its own options')
    .option('--dry-run', 'only print what it would cost')
    .action(async (target: string | undefined, _, command: Command) => {
      report(await search(target, command, process_));
    });
  add('verify <ticket>', 'check a ticket against its target', [
    { name: 'target', value: 'FILE', help: 'the target the ticket was made for' },
    ...dataOptions,
    ...scalingOptions,
    ...sharedOptions,
  ]).action(async (ticket: string, _, command: Command) => {
    report(await verifyCommand(ticket, optionsOf(command), contextOf(process_, command)));
  });
  add('inspect <file>', 'print what a target or a ticket holds', sharedOptions.slice(1)).action(
    async (file: string, _, command: Command) => {
      report(await inspectCommand(file, optionsOf(command), contextOf(process_, command)));
    },
  );
  add('example', 'search on the small network that comes with Tombola', [
    ...planOptions,
    ...sharedOptions.slice(0, 1),
    ...outputOptions,
  ]).action(async (_, command: Command) => {
    report(await exampleCommand(optionsOf(command), contextOf(process_, command)));
  });
  addJobCommands(add, process_, report);
  addServices(add, process_, report);
  return program;
}

type Add = (usage: string, help: string, rows: readonly OptionRow[]) => Command;

function addJobCommands(add: Add, process_: CommandProcess, report: (outcome: Outcome) => void): void {
  const submitRows = [...planOptions, ...scalingOptions, ...sharedOptions.slice(1), ...namingOptions];
  const remoteRows = remoteSearchOptions.filter(({ name }) => name !== retryOption.name);
  add('submit <target>', 'have a coordinator search for a ticket, and print the job', [
    ...submitRows,
    ...remoteRows,
  ])
    .option('--config <FILE>', 'options in YAML or JSON; the command line wins')
    .action(async (target: string, _, command: Command) => {
      report(await submitCommand(target, optionsOf(command), contextOf(process_, command)));
    });
  add('status [job]', "print how a coordinator's jobs and workers do", statusOptions).action(
    async (job: string | undefined, _, command: Command) => {
      report(await statusCommand(job, optionsOf(command), contextOf(process_, command)));
    },
  );
  add('cancel <job>', 'end a job; what it solved is kept', connectionOptions).action(
    async (job: string, _, command: Command) => {
      report(await cancelCommand(job, optionsOf(command), contextOf(process_, command)));
    },
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
  ]).action(async (job: string, _, command: Command) => {
    report(await fetchCommand(job, optionsOf(command), contextOf(process_, command)));
  });
}

function addServices(add: Add, process_: CommandProcess, report: (outcome: Outcome) => void): void {
  add('serve', 'run a coordinator', serveOptions).action(async (_, command: Command) => {
    report(await serveCommand(optionsOf(command), contextOf(process_, command)));
  });
  add('worker <url...>', 'solve for coordinators', workerOptions).action(
    async (urls: string[], _, command: Command) => {
      report(await workerCommand(urls, optionsOf(command), contextOf(process_, command)));
    },
  );
  add('token', 'make an access token for a coordinator', tokenCommandOptions).action(
    async (_, command: Command) => {
      report(await tokenCommand(optionsOf(command), contextOf(process_, command)));
    },
  );
}

async function search(
  target: string | undefined,
  command: Command,
  process_: CommandProcess,
): Promise<Outcome> {
  const context = contextOf(process_, command);
  const raw = optionsOf(command);
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
    .option('--json', 'print the result as JSON')
    .option('--debug', 'print the stack of an unexpected error');
}

function contextOf(process_: CommandProcess, command: Command): ReturnType<typeof commandContext> {
  return commandContext(process_, command.getOptionValue('json') === true);
}

/** What was given, over what the config file says. */
function optionsOf(command: Command): RawOptions {
  const given = new Map<string, string>();
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    if (steering.has(option.name())) continue;
    if (typeof value === 'string') given.set(option.name(), value);
    else if (value === true) given.set(option.name(), 'true');
  }
  const config = textOf(command, 'config');
  return config === undefined ? given : mergeOptions(readConfigFile(config), given);
}

function textOf(command: Command, attribute: string): string | undefined {
  const value: unknown = command.getOptionValue(attribute);
  return typeof value === 'string' ? value : undefined;
}
