/**
 * Progress for people, on stderr: a bar on a terminal, else a line every few seconds. With --json only a terminal gets any.
 */

/** Shows how far a command is. */
export interface Progress {
  /** Says, on a line of its own, what happens now. */
  say(line: string): void;
  /** Shows the share done, 0 to 1, and a remark; as often as one likes. */
  show(share: number, remark: string): void;
  /** Takes the bar away. */
  clear(): void;
}

/** A place to write to. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const millisecondsBetweenBars = 100;
const millisecondsBetweenLines = 5000;
const barWidth = 24;

/** Returns the progress display of a stream. */
export function openProgress(stream: ProgressStream, { isQuiet }: { readonly isQuiet: boolean }): Progress {
  const isTerminal = stream.isTTY === true;
  if (isQuiet && !isTerminal) return { say: () => undefined, show: () => undefined, clear: () => undefined };
  const between = isTerminal ? millisecondsBetweenBars : millisecondsBetweenLines;
  let shownAt = performance.now();
  let hasBar = false;
  const clear = (): void => {
    if (hasBar) stream.write('\r\u001b[2K');
    hasBar = false;
  };
  return {
    clear,
    say: (line) => {
      clear();
      stream.write(`${line}\n`);
      shownAt = performance.now();
    },
    show: (share, remark) => {
      const now = performance.now();
      if (now - shownAt < between) return;
      shownAt = now;
      const percent = `${String(Math.floor(100 * share)).padStart(3)} %`;
      if (!isTerminal) {
        stream.write(`  ${percent}  ${remark}\n`);
        return;
      }
      hasBar = true;
      stream.write(`\r\u001b[2K  ${bar(share)} ${percent}  ${remark}`);
    },
  };
}

function bar(share: number): string {
  const full = Math.round(barWidth * Math.min(1, Math.max(0, share)));
  return '█'.repeat(full) + '░'.repeat(barWidth - full);
}
