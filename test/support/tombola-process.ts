/**
 * Runs the real command as a child process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Returns the path of a file of the bundled example. */
export function exampleFile(name: string): string {
  return `${root}src/cli/example/${name}`;
}

/** What a finished command leaves. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface Running {
  readonly process: ChildProcess;
  /** Resolves when stderr holds the text; rejects when the command ends first. */
  said(text: string | RegExp): Promise<void>;
  /** What it has written so far. */
  stdout(): string;
  stderr(): string;
  readonly finished: Promise<Finished>;
}

/** Starts `tombola` with arguments, in a folder. */
export function startTombola(
  args: readonly string[],
  cwd: string,
  variables: Readonly<Record<string, string>> = {},
): Running {
  const child = spawn(process.execPath, [`${root}src/cli/tombola.mjs`, ...args], {
    cwd,
    // npm test has built; should somebody edit a source meanwhile, every command would build again.
    env: { ...process.env, TOMBOLA_BUILT: '1', ...variables },
  });
  let stdout = '';
  let stderr = '';
  const listeners = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    for (const listener of listeners) listener();
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  const said = (text: string | RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (typeof text === 'string' ? stderr.includes(text) : text.test(stderr)) resolve();
      };
      listeners.add(look);
      look();
      finished.then(() => reject(new Error(`tombola ended without saying ${text}: ${stderr}`)), reject);
    });
  return { process: child, said, stdout: () => stdout, stderr: () => stderr, finished };
}

/** Returns what `tombola` with these arguments leaves. */
export function runTombola(
  args: readonly string[],
  cwd: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  return startTombola(args, cwd, variables).finished;
}
