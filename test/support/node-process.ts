/** Starts node programs of this folder as child processes, and ends them with the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A child process. */
export interface NodeProcess {
  readonly child: ChildProcess;
  /** What it has written to stdout and stderr so far. */
  text(): string;
  /** Resolves when its output matches; rejects when it ends first. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  /** Sends a signal and resolves with the exit code when the process has ended. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

const running = new Set<NodeProcess>();

/** Starts a program of this folder with one argument in JSON; a module may be loaded before it, and variables be set. */
export function startNode(
  file: string,
  argument: object,
  { preload, variables }: { preload?: string; variables?: Readonly<Record<string, string>> } = {},
): NodeProcess {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const first = preload === undefined ? [] : ['--import', new URL(preload, import.meta.url).href];
  const child = spawn(process.execPath, [...first, path, JSON.stringify(argument)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...variables },
  });
  let text = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      for (const listen of listeners) listen();
    });
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => resolve(code));
  });
  const started: NodeProcess = {
    child,
    text: () => text,
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(text);
          if (match === null) return;
          listeners.delete(look);
          resolve(match);
        };
        listeners.add(look);
        look();
        ended.then(() => reject(new Error(`${file} ended without saying ${pattern}: ${text}`)));
      }),
    end: (signal) => {
      child.kill(signal);
      return ended;
    },
  };
  running.add(started);
  ended.then(() => running.delete(started));
  return started;
}

/** Ends all that still run; for afterEach. */
export async function endAllProcesses(): Promise<void> {
  await Promise.all([...running].map((each) => each.end('SIGKILL')));
}
